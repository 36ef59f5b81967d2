"""European options by the COS method: the density of ln(S_T/F) as a cosine series.

On [a, b] the density has coefficients A_k = 2/(b − a)·Re[φ(ω_k)exp(−iω_k a)], ω_k = kπ/(b − a). A
put, whose payoff is bounded, is K·ΣA_kV_k with V_k the coefficients of the payoff; calls follow by
put-call parity.

There are two errors. Probability outside [a, b] is folded into the interval: cumulants determine
[a, b], Chernoff's bound widens it for heavy tails and bounds the probability outside. The series is
truncated as soon as the smaller of two bounds is small: the sum of absolute values of the omitted
terms, or Abel's bound, which uses that the terms oscillate like exp(iω_k(ln(K/F) − ω_T)).

References
----------
Fang and Oosterlee (2008), SIAM Journal on Scientific Computing 31(2), 826-848, eqs. (19)-(24)
and (49).
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from levy_numerics.market import Contracts
from levy_numerics.models.admissibility import required_drift
from levy_numerics.models.base import Model
from levy_numerics.pricing.aliasing import envelope_gap
from levy_numerics.pricing.result import Prices

# L of Fang and Oosterlee: the interval is ±L standard deviations.
_WIDTH: Final = 10.0
# Moments of Chernoff's bound, as fractions of the strip, or of the largest useful moment, in units
# of 1/standard deviation.
_MOMENTS: Final = np.geomspace(1e-3, 0.999, 64)
_MAX_MOMENT: Final = 50.0
_INITIAL_TERMS: Final = 64
_MAX_TERMS: Final = 2**14
_GROWTH: Final = 4
# Multiples of the last frequency at which the tail of the series is evaluated.
_FAR: Final = np.geomspace(1.0, 1e9, 181)
# Entries of the largest array, which bounds the memory.
_BLOCK: Final = 2**21
_ROUNDING: Final = 1e-14
_TINY: Final = 1e-16


def price(
    model: Model, contracts: Contracts, *, tolerance: float = 1e-10, n_terms: int | None = None
) -> Prices:
    """Return present values by the COS method.

    Parameters
    ----------
    model : Model
        Fields are numbers, or arrays of shape (n_sets,) for a batch.
    contracts : Contracts
        n of them.
    tolerance : float
        Requested error, as a fraction of the forward's present value.
    n_terms : int, optional
        Terms of the series; by default as many as the tolerance requires, up to 16,384.

    Returns
    -------
    Prices
        Shapes (n,) or (n_sets, n). `error` bounds the effect of the finite interval and of omitted
        terms. It exceeds the tolerance if the series converges too slowly, as that of Variance
        Gamma with T < ν/2, whose convergence is algebraic.
    """
    shape = np.broadcast_shapes(*(np.shape(v) for v in model.as_mapping().values()))
    n_sets = int(np.prod(shape))
    puts = np.empty((2, n_sets, contracts.size))
    for years in np.unique(contracts.maturity_years):
        where = np.flatnonzero(contracts.maturity_years == years)
        strike = -contracts.log_moneyness[where]
        for sets in _blocks(n_sets, _GROWTH * _MAX_TERMS):
            members = model.select(sets) if shape else model
            density = _Density.of(members, float(years), tolerance)
            puts[:, sets, where] = density.puts(strike, tolerance, n_terms)
    return _prices(contracts, puts.reshape(2, *shape, contracts.size))


def _prices(contracts: Contracts, puts: np.ndarray) -> Prices:
    """Return prices from puts and their errors in units of the strike."""
    c = contracts
    scale = c.discount * c.strike
    parity = np.where(c.is_call, c.discount * (c.forward - c.strike), 0.0)
    value = np.clip(parity + scale * puts[0], c.lower_bound, c.upper_bound)
    return Prices(value, scale * puts[1])


def _blocks(size: int, cost: int) -> list[slice]:
    width = max(1, _BLOCK // cost)
    return [slice(start, min(start + width, size)) for start in range(0, size, width)]


@dataclass(frozen=True)
class _Density:
    """Law of ln(S_T/F) on an interval, for parameter sets at one maturity.

    Attributes
    ----------
    model : Model
    years : float
    drift, low, high : ndarray, shape (n_sets, 1)
        ω_T and the ends of the interval.
    """

    model: Model
    years: float
    drift: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, model: Model, years: float, tolerance: float) -> "_Density":
        sets = model.expanded(1)
        drift = np.reshape(required_drift(sets, years), (-1, 1))
        first, second, _, fourth = (
            np.reshape(k, (-1, 1)) for k in sets.cumulants(np.asarray(years))
        )
        half = _WIDTH * np.sqrt(second + np.sqrt(np.abs(fourth)))
        density = cls(sets, years, drift, first + drift - half, first + drift + half)
        log_mass = np.log(0.1 * tolerance)
        low, high = (density._quantile(side, log_mass) for side in (-1.0, 1.0))
        low, high = np.minimum(low, density.low), np.maximum(high, density.high)
        return replace(density, low=low, high=high)

    @property
    def width(self) -> np.ndarray:
        return np.asarray(self.high - self.low)

    def log_cf(self, u: np.ndarray) -> np.ndarray:
        """Return the log characteristic function of ln(S_T/F), at points of shape (n_sets, m)."""
        return np.asarray(self.model.log_cf(u, np.asarray(self.years)) + 1j * u * self.drift)

    def _log_moments(self, side: float) -> tuple[np.ndarray, np.ndarray]:
        """Return (s, log E[exp(±sX)]) for candidates s, shapes (n_sets, m)."""
        end = np.reshape(self.model.strip(self.years)[0 if side > 0 else 1], (-1, 1))
        spread = np.sqrt(np.reshape(self.model.cumulants(np.asarray(self.years))[1], (-1, 1)))
        s = _MOMENTS * np.minimum(end, _MAX_MOMENT / spread)
        with np.errstate(over="ignore", invalid="ignore"):
            log_moment = np.real(self.log_cf(-1j * side * s))
        return s, np.where(np.isfinite(log_moment), log_moment, np.inf)

    def _quantile(self, side: float, log_mass: float) -> np.ndarray:
        """Return a point beyond which the mass on one side is below exp(log_mass), by Chernoff."""
        s, log_moment = self._log_moments(side)
        return np.asarray(side * np.min((log_moment - log_mass) / s, axis=-1, keepdims=True))

    def _mass(self, side: float, point: np.ndarray) -> np.ndarray:
        """Return a bound of the mass beyond points of shape (n_sets, m)."""
        s, log_moment = self._log_moments(side)
        exponent = log_moment[:, None, :] - side * s[:, None, :] * point[:, :, None]
        return np.asarray(np.exp(np.minimum(exponent.min(axis=-1), 0.0)))

    def puts(self, strike: np.ndarray, tolerance: float, n_terms: int | None) -> np.ndarray:
        """Return undiscounted puts per unit of strike, and errors, shape (2, n_sets, n).

        Parameters
        ----------
        strike : ndarray, shape (n,)
            ln(K/F).
        """
        n = n_terms or _INITIAL_TERMS
        transform = self._transform(np.arange(_GROWTH * n))
        truncation = self._truncation_error(transform, strike, n)
        allowed = 0.5 * tolerance * np.exp(-strike)
        while n_terms is None and n < _MAX_TERMS and np.any(truncation > allowed):
            n *= _GROWTH
            added = self._transform(np.arange(transform.shape[-1], _GROWTH * n))
            transform = np.concatenate([transform, added], axis=-1)
            truncation = self._truncation_error(transform, strike, n)
        value = self._series(transform[:, :n], strike)
        outside = self._mass(-1.0, np.broadcast_to(self.low, value.shape))
        # Mass above b is reflected about b; it matters if it reaches the payoff, below ln(K/F).
        point = self.high + np.maximum(self.high - strike, 0.0)
        rounding = self._rounding_error(transform, strike, n)
        error = truncation + outside + self._mass(1.0, point) + rounding
        return np.stack([value, error])

    def _rounding_error(
        self, transform: np.ndarray, strike: np.ndarray, n_terms: int
    ) -> np.ndarray:
        """Return a bound of the rounding error of the first `n_terms` terms, shape (n_sets, n).

        The error of a phase is proportional to the phase: that of ω_k·a, and those of the drift and
        log φ, which nearly cancel. They dominate for a narrow law, whose frequencies are high.
        """
        omega = np.pi * np.arange(1, n_terms) / self.width
        shift = np.abs(self.low) + 2.0 * np.abs(self.drift)
        size = 2.0 / self.width * np.abs(transform[:, 1:n_terms]) * (4.0 + omega * shift)
        inside = (size * (2.0 + 1.0 / omega) / (1.0 + omega**2)).sum(axis=-1, keepdims=True)
        beyond = -np.expm1(np.minimum(self._kink(strike) - strike, 0.0))
        above = (size / omega).sum(axis=-1, keepdims=True) * beyond
        mean = (1.0 + np.abs(strike) + np.abs(self.low)) / self.width
        return np.asarray(_ROUNDING + _TINY * (inside + above + mean))

    def _transform(self, k: np.ndarray) -> np.ndarray:
        """Return φ(ω_k)·exp(−iω_k a), shape (n_sets, n_terms)."""
        omega = np.pi * k / self.width
        return np.asarray(np.exp(self.log_cf(omega) - 1j * omega * self.low))

    def _series(self, transform: np.ndarray, strike: np.ndarray) -> np.ndarray:
        n_terms = transform.shape[-1]
        coefficient = 2.0 / self.width * np.real(transform)
        coefficient[:, 0] *= 0.5
        value = np.empty((transform.shape[0], strike.size))
        for part in _blocks(strike.size, transform.size):
            payoff = self._payoff(np.arange(1, n_terms), strike[part])
            value[:, part] = np.einsum("sk,snk->sn", coefficient[:, 1:], payoff)
            value[:, part] += coefficient[:, :1] * self._mean_payoff(strike[part])
        return value

    def _kink(self, strike: np.ndarray) -> np.ndarray:
        """Return the upper end of the payoff inside the interval, shape (n_sets, n)."""
        return np.asarray(np.clip(strike, self.low, self.high))

    def _mean_payoff(self, strike: np.ndarray) -> np.ndarray:
        kink = self._kink(strike)
        top, bottom = (np.exp(np.minimum(end - strike, 0.0)) for end in (kink, self.low))
        return np.asarray(kink - self.low - (top - bottom))

    def _payoff(self, k: np.ndarray, strike: np.ndarray) -> np.ndarray:
        """Return ∫(1 − exp(y − ln(K/F)))·cos(ω_k(y − a)) dy from a to the kink, k ≥ 1."""
        omega = (np.pi * k / self.width)[:, None, :]
        kink = self._kink(strike)
        phase = omega * (kink - self.low)[..., None]
        top = np.exp(np.minimum(kink - strike, 0.0))[..., None]
        bottom = np.exp(np.minimum(self.low - strike, 0.0))[..., None]
        wave = top * (np.sin(phase) / omega - np.cos(phase)) + bottom
        inside = wave / (1.0 + omega**2)
        return np.asarray(inside + (1.0 - top) * np.sin(phase) / omega)

    def _truncation_error(
        self, transform: np.ndarray, strike: np.ndarray, n_terms: int
    ) -> np.ndarray:
        """Return a bound of the sum of the terms from `n_terms` on, shape (n_sets, n)."""
        k = np.arange(n_terms, transform.shape[-1])
        omega = np.pi * k / self.width
        oscillates, envelope_ratio = self._envelope_ratio(omega)
        size = np.abs(transform[:, n_terms:]) * envelope_ratio / omega**2
        bottom = np.exp(np.minimum(self.low - strike, 0.0))
        amplitude = (2.0 / self.width) * (1.0 + bottom + 1.0 / omega[:, :1])
        absolute = amplitude * (size.sum(axis=-1, keepdims=True) + self._far_sum(k[-1]))
        if oscillates:
            return np.asarray(absolute)
        # Without the fast phase exp(iω_k(ω_T − a)) the terms vary slowly.
        slow = transform[:, n_terms:] * np.exp(1j * omega * (self.low - self.drift)) / omega**2
        variation = np.abs(np.diff(slow)).sum(axis=-1, keepdims=True)
        ends = size[:, :1] + 2.0 * size[:, -1:]
        abel = (variation + ends) * self._geometric_sums(self._kink(strike), bottom) / self.width
        return np.asarray(np.minimum(absolute, abel))

    def _envelope_ratio(self, omega: np.ndarray) -> tuple[bool, np.ndarray]:
        """Return whether log φ oscillates, and the ratio of the envelope of |φ| to |φ|."""
        log_oscillation = self.model.log_oscillating_part(omega + 0j, np.asarray(self.years))
        if log_oscillation is None:
            return False, np.ones(1)
        return True, np.exp(envelope_gap(log_oscillation))

    def _geometric_sums(self, kink: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        """Return Σ 1/|1 − z| over the powers zᵏ of which the terms consist, shape (n_sets, n)."""
        from_low = self.drift - self.low
        below, above = kink - self.drift, kink - self.low + from_low
        pair = sum(1.0 / self._chord(angle) for angle in (below, above))
        return np.asarray(pair + 2.0 * bottom / self._chord(from_low))

    def _chord(self, distance: np.ndarray) -> np.ndarray:
        """Return |1 − exp(iπ·distance/(b − a))|."""
        half_angle = 0.5 * np.pi * distance / self.width
        return np.asarray(2.0 * np.maximum(np.abs(np.sin(half_angle)), _TINY))

    def _far_sum(self, k: Any) -> np.ndarray:
        """Return a bound of Σ |φ(ω_j)|/ω_j² over j > k, from a few j, shape (n_sets, 1)."""
        omega = np.pi * k * _FAR / self.width
        size = np.exp(np.real(self.log_cf(omega + 0j))) * self._envelope_ratio(omega)[1]
        gaps = 1.0 / omega[:, :-1] - 1.0 / omega[:, 1:]
        rest = (size[:, :-1] * gaps).sum(axis=-1, keepdims=True) + 1.0 / omega[:, -1:]
        return np.asarray(self.width / np.pi * rest)

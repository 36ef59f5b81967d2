"""European options by the fast Fourier transform of the damped price, after Carr and Madan.

exp(αk)C(k) with k = ln(K/F) has the transform φ(v − (α + 1)i)/(α² + α − v² + i(2α + 1)v), φ of
ln(S_T/F). The same formula gives the call for α > 0, the put for α < −1 and the covered call minus
the forward for α between (Lee). Out-of-the-money options are priced with an α of their side, so
that put-call parity does not cancel their digits; α = −1/2 is used if no other α is possible.

The grid
--------
N points with step η sample the damped price with period Δ = 2π/η in k. Let d be the distance from α
to the nearer pole of the payoff (d = α for calls, −1 − α for puts). Aliasing adds at most exp(−dΔ)
on the near side, since no option is worth more than min(F, K), and on the far side at most
exp(−(d′ − d)Δ + g(d′)) for any d′ > d, where exp(g(d′)) bounds exp(d′|k|) times the price:

    exp(g) = E[S^p]·d′^d′/(1 + d′)^(1 + d′),   p = 1 + d′ for calls, −d′ for puts.

α is chosen so that the shortest period keeps both below `_ALIASING_ERROR`. This gives the largest
step, and therefore the widest range of v. (The paper's α = 1.5 and η = 0.25 depend neither on model
nor maturity.) N is doubled from 2048 until the error is below 0.1% of each option. The rule is
trapezoidal: on the whole line its only error is aliasing, and Simpson's rule has that of step 2η.

References
----------
Carr and Madan (1999), Journal of Computational Finance 2(4), 61-73, eqs. (6) and (22)-(24).
Lee (2004), Journal of Computational Finance 7(3), 51-86, theorem 5.1.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.market import Contracts
from levy_numerics.models.admissibility import required_drift
from levy_numerics.models.base import Model
from levy_numerics.pricing.aliasing import envelope_gap
from levy_numerics.pricing.result import Prices

# Points of Carr and Madan, doubled until `_RELATIVE_ERROR` is reached.
N_POINTS: Final = 2048
_MAX_POINTS: Final = 2**16
# The relative accuracy that Carr and Madan report for 2048 points.
_RELATIVE_ERROR: Final = 1e-3
# Accepted error of options of any value, in units of the forward.
_ABSOLUTE_ERROR: Final = 1e-10
_ALIASING_ERROR: Final = 1e-12
_MAX_DISTANCE: Final = 20.0
# Candidates for the distances d and d′, as fractions of the strip.
_CANDIDATES: Final = np.geomspace(0.01, 0.99, 64)
# Largest g(d), for which rounding takes three digits at the money.
_MAX_LOG_MOMENT: Final = 7.0
_MIN_PERIOD: Final = 2.0 * np.pi
# Multiples of the last frequency at which the tail of the transform is evaluated.
_FAR: Final = np.geomspace(1.0, 1e9, 361)
_ROUNDING: Final = 1e-15
# Grid points about a strike: the middle six interpolate, all ten estimate the error.
_STENCIL: Final = np.arange(-4, 6)
# Parameter sets per transform, which bounds the memory.
_BLOCK_SETS: Final = 2**10


def price(
    model: Model, contracts: Contracts, *, tolerance: float = 1e-3, n_points: int = N_POINTS
) -> Prices:
    """Return present values by Carr and Madan's transform.

    Parameters
    ----------
    model : Model
        Fields are numbers, or arrays of shape (n_sets,) for a batch.
    contracts : Contracts
        n of them.
    tolerance : float
        Without effect: the target is the paper's 0.1% of the out-of-the-money value.
    n_points : int
        Minimum of N, a power of two.

    Returns
    -------
    Prices
        Shapes (n,) or (n_sets, n). `error` bounds aliasing, truncation, interpolation and rounding.
        `notes` reports whether more than `n_points` were used, and whether the target was missed.
    """
    shape = np.broadcast_shapes(*(np.shape(v) for v in model.as_mapping().values()))
    n_sets = int(np.prod(shape))
    options = np.empty((2, n_sets, contracts.size))
    max_used = n_points
    for years in np.unique(contracts.maturity_years):
        for is_call in (False, True):
            # A call is out of the money above the forward.
            at_maturity = contracts.maturity_years == years
            where = np.flatnonzero(at_maturity & ((contracts.log_moneyness <= 0) == is_call))
            for start in range(0, n_sets if where.size else 0, _BLOCK_SETS):
                sets = slice(start, min(start + _BLOCK_SETS, n_sets))
                members = model.select(sets) if shape else model
                strike = -contracts.log_moneyness[where]
                options[:, sets, where], used = _options(
                    members, float(years), strike, is_call, n_points
                )
                max_used = max(max_used, used)
    return _prices(contracts, options.reshape(2, *shape, contracts.size), n_points, max_used)


def _prices(contracts: Contracts, options: np.ndarray, n_points: int, used: int) -> Prices:
    """Return prices from out-of-the-money options and their errors in units of the forward."""
    c = contracts
    scale = c.discount * c.forward
    value = np.clip(c.lower_bound + scale * options[0], c.lower_bound, c.upper_bound)
    n_missed = int(np.count_nonzero(~_is_accurate(options)))
    notes = []
    if used > n_points:
        notes.append(f"carr_madan used {used} points, as {n_points} do not reach 0.1%")
    if n_missed:
        notes.append(
            f"carr_madan does not reach 0.1% of the out-of-the-money value for {n_missed} of "
            f"{options[0].size} options; check their errors"
        )
    return Prices(value, scale * options[1], tuple(notes))


def _options(
    model: Model, years: float, strike: np.ndarray, is_call: bool, n_points: int
) -> tuple[np.ndarray, int]:
    """Return options of one side at one maturity, with enough points for the target accuracy.

    Parameters
    ----------
    strike : ndarray, shape (n,)
        ln(K/F).

    Returns
    -------
    options : ndarray, shape (2, n_sets, n)
        Values and errors, in units of the forward.
    n_points : int
        N.
    """
    grid = _Grid.of(model, years, is_call, float(np.abs(strike).max()))
    options = grid.options(strike, n_points)
    while not _is_accurate(options).all() and n_points < _MAX_POINTS:
        n_points *= 2
        options = grid.options(strike, n_points)
    return options, n_points


def _is_accurate(options: np.ndarray) -> np.ndarray:
    """Return which values, given with their errors, reach the target accuracy."""
    value, error = options
    return np.asarray(error <= np.maximum(_RELATIVE_ERROR * np.abs(value), _ABSOLUTE_ERROR))


@dataclass(frozen=True)
class _Grid:
    """Transform of calls or puts, for parameter sets at one maturity.

    Attributes
    ----------
    model : Model
    years : float
    drift, damping, step : ndarray, shape (n_sets, 1)
        ω_T, α and η.
    """

    model: Model
    years: float
    drift: np.ndarray
    damping: np.ndarray
    step: np.ndarray

    @classmethod
    def of(cls, model: Model, years: float, is_call: bool, farthest: float) -> "_Grid":
        """Choose α and η; `farthest` is the largest |ln(K/F)|."""
        sets = model.expanded(1)
        drift = np.reshape(required_drift(sets, years), (-1, 1))
        distance, period = _distance_and_period(sets, years, is_call, drift)
        damping = np.where(distance == 0.0, -0.5, distance if is_call else -1.0 - distance)
        # The grid spans half a period on either side; 2.2 leaves room for the stencils.
        period = np.maximum(period, max(_MIN_PERIOD, 2.2 * farthest))
        return cls(sets, years, drift, damping, 2.0 * np.pi / period)

    def options(self, strike: np.ndarray, n_points: int) -> np.ndarray:
        """Return options of this side over the forward, and errors, shape (2, n_sets, n)."""
        position = strike * self.step * n_points / (2.0 * np.pi) + 0.5 * n_points
        v = self.step * np.arange(n_points)
        transform = self._transform(v)
        nearest = np.floor(position).astype(int)
        rows = np.arange(len(nearest))[:, None, None]
        samples = self._sums(transform)[rows, nearest[..., None] + _STENCIL]
        t = position - nearest
        scale = np.exp(-self.damping * strike)
        value = scale * _lagrange(samples[..., 2:8], _STENCIL[2:8], t) + self._residue(strike)
        error = _interpolation_error(samples) + self._truncation_error(transform, v, strike)
        aliasing = _ALIASING_ERROR * (2.0 + np.exp(strike))
        error = scale * (error + self._rounding_error(transform, v)) + aliasing
        return np.stack([value, error])

    def _transform(self, v: np.ndarray) -> np.ndarray:
        """Return the transform of the damped price at frequencies of shape (n_sets, m)."""
        a = self.damping
        u = v - 1j * (a + 1.0)
        log_cf = self.model.log_cf(u, np.asarray(self.years)) + 1j * u * self.drift
        return np.asarray(np.exp(log_cf) / (a * a + a - v * v + 1j * (2.0 * a + 1.0) * v))

    def _sums(self, transform: np.ndarray) -> np.ndarray:
        """Return the damped price on the grid of k, which is centred at 0, shape (n_sets, N)."""
        # exp(iv_j·π/η) = (−1)^j moves the grid's middle to k = 0.
        alternating = np.where(np.arange(transform.shape[-1]) % 2 == 0, 1.0, -1.0)
        terms = alternating * transform
        terms[:, 0] *= 0.5
        return np.asarray(self.step / np.pi * np.real(np.fft.fft(terms, axis=-1)))

    def _residue(self, strike: np.ndarray) -> np.ndarray:
        """Return the difference of option and covered call, zero unless α = −1/2."""
        covered = np.minimum(1.0, np.exp(strike))
        return np.where(self.damping == -0.5, covered, 0.0)

    def _rounding_error(self, transform: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return a bound of the rounding error; that of a phase is proportional to the phase."""
        size = np.abs(transform) * (4.0 + v * (1.0 + 2.0 * np.abs(self.drift)))
        return np.asarray(_ROUNDING * self.step / np.pi * size.sum(axis=-1, keepdims=True))

    def _truncation_error(
        self, transform: np.ndarray, v: np.ndarray, strike: np.ndarray
    ) -> np.ndarray:
        """Return a bound of the integral beyond the last frequency.

        It is the smaller of the integral of absolute values and Abel's bound. The latter uses that
        the integrand oscillates like exp(−iv(k − ω_T)), and requires that log φ does not oscillate.
        """
        far = v[:, -1:] * _FAR
        size = np.abs(self._transform(far))
        log_oscillation = self.model.log_oscillating_part(
            far - 1j * (self.damping + 1.0), np.asarray(self.years)
        )
        if log_oscillation is not None:
            size = size * np.exp(envelope_gap(log_oscillation))
        absolute = (size[:, :-1] * np.diff(far)).sum(axis=-1, keepdims=True)
        absolute = absolute + size[:, -1:] * far[:, -1:]
        if log_oscillation is not None:
            return np.asarray(absolute / np.pi)
        sine = np.abs(np.sin(0.5 * self.step * (strike - self.drift)))
        abel = 2.0 * self.step * np.abs(transform[:, -1:]) / np.maximum(sine, 1e-16)
        return np.asarray(np.minimum(absolute, abel) / np.pi)


def _distance_and_period(
    sets: Model, years: float, is_call: bool, drift: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return d with the shortest period Δ, shapes (n_sets, 1); d = 0 stands for α = −1/2.

    See the module docstring. For α = −1/2 both sides decay like exp(−|k|/2).
    """
    low, high = sets.strip(years)
    margin = np.reshape(low - 1.0 if is_call else high, (-1, 1))
    distance = np.minimum(margin, _MAX_DISTANCE) * _CANDIDATES
    power = 1.0 + distance if is_call else -distance
    with np.errstate(all="ignore"):
        log_moment = np.real(sets.log_cf(-1j * power, np.asarray(years))) + power * drift
        bound = log_moment + distance * np.log(distance) - (1.0 + distance) * np.log1p(distance)
        bound = np.where(np.isfinite(bound), bound, np.inf)
        exponent = -np.log(_ALIASING_ERROR)
        gap = distance[:, None, :] - distance[:, :, None]
        far = np.where(gap > 0.0, (exponent + bound[:, None, :]) / gap, np.inf).min(axis=-1)
    period = np.maximum(exponent / distance, far)
    period = np.where(bound <= _MAX_LOG_MOMENT, period, np.inf)
    best = period.argmin(axis=-1)[:, None]
    distance, period = (np.take_along_axis(a, best, axis=-1) for a in (distance, period))
    covered_period = 2.0 * exponent
    return np.where(period < covered_period, distance, 0.0), np.minimum(period, covered_period)


def _interpolation_error(samples: np.ndarray) -> np.ndarray:
    """Return a bound of the interpolation error: the error of cubics at twice the spacing.

    At the spacing of the grid the error is a small fraction of it for smooth curves, and about half
    of it at the cusps of pure jump models at short maturities.
    """
    count = samples.shape[-1] - 6
    inner, outer = (
        samples[..., 3 - k : 3 - k + count] + samples[..., 3 + k : 3 + k + count] for k in (1, 3)
    )
    error = samples[..., 3 : 3 + count] - (9.0 * inner - outer) / 16.0
    return np.asarray(np.abs(error).max(axis=-1))


def _lagrange(samples: np.ndarray, points: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return the polynomial through `samples` at `points`, evaluated at `t`."""
    total = np.zeros(samples.shape[:-1])
    for i, point in enumerate(points):
        others = np.delete(points, i)
        weight = np.prod((t[..., None] - others) / (point - others), axis=-1)
        total += weight * samples[..., i]
    return total

"""European options by the fast Fourier transform of the damped price, after Carr and Madan.

exp(αk)C(k) with k = ln(K/F) has the transform φ(v − (α + 1)i)/(α² + α − v² + i(2α + 1)v), φ of
ln(S_T/F). The same formula gives the call for α > 0, the put for α < −1 and the covered call,
less the forward, in between (Lee). Out-of-the-money options come each from their own α, so that
parity does not drown them; where the strip leaves too little room for that, α = −1/2 serves.

The grid: N = 2048 points, Simpson's weights, a step of a fifth of the distance to the payoff's
nearest pole, and cubic interpolation to the strikes.

References
----------
Carr and Madan (1999), Journal of Computational Finance 2(4), 61-73, eqs. (6) and (22)-(24).
Lee (2004), Journal of Computational Finance 7(3), 51-86, theorem 5.1.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.pricing.drift import required_drift
from levy_numerics.pricing.result import Prices

_PROMISE: Final = 1e-3
"""Carr and Madan's relative accuracy with 2048 points."""
_STEPS_TO_POLE: Final = 5.0
"""Aliases of the price are then damped by exp(−5π) = 1.5e-7."""
_SHARE_OF_STRIP: Final = 0.25
"""Carr and Madan's advice; φ may grow beyond all bounds towards the strip's end."""
_LEAST_DAMPING: Final = 0.25
_MOST_DAMPING: Final = 5.0
_TRIALS: Final = np.geomspace(0.01, 1.0, 32)
_LARGEST_LOG_MOMENT: Final = 1.5
"""Of the transform at v = 0: what is lost there in digits, everywhere."""
_FAR: Final = np.geomspace(1.0, 1e9, 181)
_ROUNDING: Final = 1e-13
_STENCIL: Final = np.arange(-4, 6)
"""Grid points about a strike: the middle four give it, all give the error."""
_BLOCK: Final = 2**10
"""Parameter sets at a time."""


def price(
    model: Model, contracts: Contracts, *, tolerance: float = 1e-3, n_points: int = 2048
) -> Prices:
    """Present values by Carr and Madan's transform.

    Parameters
    ----------
    model : Model
        Fields are numbers, or arrays of shape (n_sets,) for a batch.
    contracts : Contracts
        n of them.
    tolerance : float
        Without effect: the grid is the paper's.
    n_points : int
        N, a power of two.

    Returns
    -------
    Prices
        Shapes (n,) or (n_sets, n). `error` is 0.1% of the out-of-the-money value, or, where
        the grid cannot keep that promise, what it misses: the transform beyond its end, the
        aliases Simpson's weights let through, the interpolation.

    Raises
    ------
    InvalidInputError
        A strike lies outside the grid, which spans K/F from exp(−π) to exp(π) at least.
    """
    shape = np.broadcast_shapes(*(np.shape(v) for v in model.as_mapping().values()))
    n_sets = int(np.prod(shape))
    found = np.empty((2, n_sets, contracts.size))
    for years in np.unique(contracts.maturity_years):
        for is_call in (False, True):
            # A call is out of the money above the forward.
            at_this = contracts.maturity_years == years
            where = np.flatnonzero(at_this & ((contracts.log_moneyness <= 0) == is_call))
            for start in range(0, n_sets if where.size else 0, _BLOCK):
                sets = slice(start, min(start + _BLOCK, n_sets))
                members = model.select(sets) if shape else model
                grid = _Grid.of(members, float(years), is_call, n_points)
                found[:, sets, where] = grid.options(-contracts.log_moneyness[where])
    return _prices(contracts, found.reshape(2, *shape, contracts.size))


def _prices(contracts: Contracts, found: np.ndarray) -> Prices:
    """From out-of-the-money options and their errors in units of the forward."""
    c = contracts
    scale = c.discount * c.forward
    value = np.clip(c.lower_bound + scale * found[0], c.lower_bound, c.upper_bound)
    return Prices(value, scale * np.maximum(found[1], _PROMISE * np.abs(found[0])))


@dataclass(frozen=True)
class _Grid:
    """One side's transform for parameter sets at one maturity.

    Attributes
    ----------
    model : Model
    years : float
    n_points : int
    drift, damping, step : ndarray, shape (n_sets, 1)
        ω_T, α and η.
    """

    model: Model
    years: float
    n_points: int
    drift: np.ndarray
    damping: np.ndarray
    step: np.ndarray

    @classmethod
    def of(cls, model: Model, years: float, is_call: bool, n_points: int) -> "_Grid":
        sets = model.expanded(1)
        drift = np.reshape(required_drift(sets, years), (-1, 1))
        distance = _distance(sets, years, is_call, drift)
        damping = np.where(distance > 0.0, distance if is_call else -1.0 - distance, -0.5)
        step = np.where(distance > 0.0, distance, 0.5) / _STEPS_TO_POLE
        return cls(sets, years, n_points, drift, damping, step)

    @property
    def spacing(self) -> np.ndarray:
        """Of the grid in k, shape (n_sets, 1)."""
        return 2.0 * np.pi / (self.n_points * self.step)

    def options(self, strike: np.ndarray) -> np.ndarray:
        """Options of this side over the forward, and errors, shape (2, n_sets, n).

        Parameters
        ----------
        strike : ndarray, shape (n,)
            ln(K/F).
        """
        position = strike / self.spacing + 0.5 * self.n_points
        self._check_inside(position, strike)
        transform = self._transform(self.step * np.arange(self.n_points))
        sums = np.stack([self._sums(transform, weights) for weights in self._weights()])
        nearest = np.floor(position).astype(int)
        rows = np.arange(len(nearest))[:, None, None]
        samples = sums[:, rows, nearest[..., None] + _STENCIL]
        t = position - nearest
        cubic = _lagrange(samples[..., 3:7], _STENCIL[3:7], t)
        scale = np.exp(-self.damping * strike)
        error = np.abs(cubic[0] - cubic[1]) + _roughness(samples[0])
        error = 2.0 * scale * (error + self._left_out(transform[:, -1:], strike) + _ROUNDING)
        return np.stack([scale * cubic[0] + self._residue(strike), error])

    def _check_inside(self, position: np.ndarray, strike: np.ndarray) -> None:
        margin = _STENCIL.size
        inside = (position > margin) & (position < self.n_points - margin)
        outside = np.flatnonzero(~inside.all(axis=0))
        if outside.size:
            raise InvalidInputError(
                f"K/F = {np.exp(strike[outside[0]]):g} lies outside the grid of carr_madan; "
                "price it by sinh",
                field="strike",
            )

    def _transform(self, v: np.ndarray) -> np.ndarray:
        """Of the damped price, at frequencies of shape (n_sets, m)."""
        a = self.damping
        u = v - 1j * (a + 1.0)
        log_cf = self.model.log_cf(u, np.asarray(self.years)) + 1j * u * self.drift
        return np.asarray(np.exp(log_cf) / (a * a + a - v * v + 1j * (2.0 * a + 1.0) * v))

    def _weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Simpson's, and the trapezoidal rule's, which errs far less on the whole line."""
        simpson = np.where(np.arange(self.n_points) % 2 == 0, 2.0, 4.0) / 3.0
        trapezoid = np.ones(self.n_points)
        simpson[0] *= 0.5
        trapezoid[0] *= 0.5
        return simpson, trapezoid

    def _sums(self, transform: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The damped price on the grid of k, which is centred at 0, shape (n_sets, N)."""
        # exp(iv_j·π/η) = (−1)^j moves the grid's middle to k = 0.
        alternating = np.where(np.arange(self.n_points) % 2 == 0, 1.0, -1.0)
        return np.asarray(
            self.step / np.pi * np.real(np.fft.fft(alternating * weights * transform, axis=-1))
        )

    def _residue(self, strike: np.ndarray) -> np.ndarray:
        """What the covered call lacks of the option."""
        whole = np.minimum(1.0, np.exp(strike))
        return np.where(self.damping == -0.5, whole, 0.0)

    def _left_out(self, last: np.ndarray, strike: np.ndarray) -> np.ndarray:
        """What the transform beyond the grid's end would add to the damped price.

        The lesser of its size and, as it turns like exp(−iv(k − ω_T)), of Abel's bound.
        """
        v = self.step * self.n_points * _FAR
        size = np.abs(self._transform(v))
        absolute = (size[:, :-1] * np.diff(v)).sum(axis=-1, keepdims=True) + size[:, -1:] * v[
            :, -1:
        ]
        turn = np.abs(np.sin(0.5 * self.step * (strike - self.drift)))
        turning = 2.0 * self.step * np.abs(last) / np.maximum(turn, 1e-16)
        return np.asarray(np.minimum(absolute, turning) / np.pi)


def _distance(sets: Model, years: float, is_call: bool, drift: np.ndarray) -> np.ndarray:
    """From the path to the payoff's nearest pole, shape (n_sets, 1); 0 where there is no room."""
    low, high = sets.strip(years)
    room = np.reshape(low - 1.0 if is_call else high, (-1, 1))
    trial = np.minimum(_SHARE_OF_STRIP * room, _MOST_DAMPING) * _TRIALS
    power = 1.0 + trial if is_call else -trial
    with np.errstate(over="ignore", invalid="ignore"):
        log_moment = np.real(sets.log_cf(-1j * power, np.asarray(years))) + power * drift
    fits = (log_moment <= _LARGEST_LOG_MOMENT) & (trial >= _LEAST_DAMPING)
    return np.asarray(np.where(fits, trial, 0.0).max(axis=-1, keepdims=True))


def _roughness(samples: np.ndarray) -> np.ndarray:
    """Largest error of the points about a strike if every other were interpolated by cubics.

    At the grid's own spacing the error is a sixteenth of it on smooth curves, and about half on
    the cusps that pure jumps leave at short maturities.
    """
    count = samples.shape[-1] - 6
    inner, outer = (
        samples[..., 3 - k : 3 - k + count] + samples[..., 3 + k : 3 + k + count] for k in (1, 3)
    )
    missed = samples[..., 3 : 3 + count] - (9.0 * inner - outer) / 16.0
    return np.asarray(np.abs(missed).max(axis=-1))


def _lagrange(samples: np.ndarray, points: np.ndarray, t: np.ndarray) -> np.ndarray:
    total = np.zeros(samples.shape[:-1])
    for i, at in enumerate(points):
        others = np.delete(points, i)
        weight = np.prod((t[..., None] - others) / (at - others), axis=-1)
        total += weight * samples[..., i]
    return total

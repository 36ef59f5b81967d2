"""European options by an integral along a bent contour, with checks on every assumption.

E[min(S, K)]/K = (1/π) Re ∫ exp(iξx + G(ξ))/(ξ(ξ + i)) dξ, x = ln(F/K), over the right half of

    ξ(y) = −i/2 + b(sinh(y + iω) − i sin ω),   y ≥ 0.

The trapezoidal rule converges exponentially in y. For each strike the angle ω is the largest of a
few along which the integrand never rises above its value at y = 0; the step is halved until two
sums agree. ω = 0 is Lewis's line, which lies in the strip of every model that has a forward.

References
----------
Lewis (2001), A simple option formula for general jump-diffusion and other exponential Lévy
processes. Trefethen and Weideman (2014), SIAM Review 56(3), 385-458.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tests.check_prices.transforms import Transform

_SCAN: Final = 4
"""Nodes per unit of y of the first sum."""
_FIRST_LEVEL: Final = 2
_LAST_LEVEL: Final = 9
_END: Final = 52.0
_CHUNK: Final = 16
_LOG_NEGLIGIBLE: Final = -48.0
_RISE: Final = 0.7
"""Largest rise of log |integrand| above its initial value; it multiplies rounding by e^0.7."""
_AGREEMENT: Final = 2e-17
_GOOD: Final = 2e-15
"""Results with a larger uncertainty are repeated at smaller angles."""
_MOST_EXACT_NODES: Final = 4000
_ROUNDING: Final = 4e-17
_PI: Final = np.longdouble("3.14159265358979323846264")
_STEEP: Final = 1e-3


@dataclass(frozen=True)
class Family:
    """Contours of one scale b, in order of decreasing angle ω, each bent up and down."""

    scale: float
    angles: tuple[float, ...]


FIRST: Final = Family(0.5, (0.4, 0.2, 0.1, 0.05, 0.0))
SECOND: Final = Family(0.8, (0.27, 0.13, 0.06, 0.02, 0.0))


@dataclass(frozen=True)
class _Contour:
    """The right half of one contour."""

    transform: Transform
    scale: float
    angle: float

    def nodes(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ξ(y) and dξ/dy."""
        turned = y.astype(np.longdouble) + np.clongdouble(1j) * np.longdouble(self.angle)
        b, i = np.longdouble(self.scale), np.clongdouble(1j)
        shift = i * (np.sin(np.longdouble(self.angle)) * b + np.longdouble(0.5))
        return b * np.sinh(turned) - shift, b * np.cosh(turned)

    def log_terms(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the log of the integrand over y, shape (n_nodes, n_strikes)."""
        xi, slope = self.nodes(y)
        with np.errstate(all="ignore"):
            amplitude = self.transform(xi) + np.log(slope) - np.log(xi)
            amplitude = amplitude - np.log(xi + np.clongdouble(1j))
            return np.asarray(amplitude[:, None] + np.clongdouble(1j) * xi[:, None] * x)


def covered_calls(
    transform: Transform, x: np.ndarray, contours: Family = FIRST
) -> tuple[np.ndarray, np.ndarray]:
    """Return E[min(S, K)]/K and its uncertainty, arrays of shape (n,) of 80-bit floats.

    If no contour is suitable, or the sums do not agree, the uncertainty is infinite.

    Parameters
    ----------
    transform : Transform
        Of one parameter set and maturity.
    x : ndarray of longdouble, shape (n,)
        ln(F/K).
    """
    value = np.full(x.shape, np.nan, dtype=np.longdouble)
    doubt = np.full(x.shape, np.inf, dtype=np.longdouble)
    for angle in contours.angles:
        left = np.flatnonzero(doubt > _GOOD)
        if not left.size:
            break
        pair = [_Contour(transform, contours.scale, sign * angle) for sign in (1.0, -1.0)]
        ends = np.array([_ends(contour, x[left]) for contour in pair])
        # Use the side to which the integrand decays faster.
        side = np.argmin(np.where(np.isnan(ends), np.inf, ends), axis=0)
        for k, contour in enumerate(pair):
            chosen = (side == k) & ~np.isnan(ends[k])
            if chosen.any():
                found = _integrate(contour, x[left[chosen]], float(ends[k][chosen].max()))
                _keep_better(value, doubt, left[chosen], found)
    return value, doubt


def _keep_better(
    value: np.ndarray, doubt: np.ndarray, where: np.ndarray, found: tuple[np.ndarray, np.ndarray]
) -> None:
    better = found[1] < doubt[where]
    value[where[better]], doubt[where[better]] = found[0][better], found[1][better]


def _ends(contour: _Contour, x: np.ndarray) -> np.ndarray:
    """Return y beyond which the integrand is negligible, per strike; NaN where it rises."""
    end, rising = np.zeros(x.shape), np.zeros(x.shape, dtype=bool)
    start = np.full(x.shape, -np.inf)
    for first in range(0, int(_END * _SCAN), _CHUNK):
        y = np.arange(first, first + _CHUNK) / _SCAN
        with np.errstate(over="ignore"):
            size = contour.log_terms(y, x).real.astype(float)
        if first == 0:
            start = np.maximum(size[0], 0.0)
        rising |= ~(np.all(size <= start + _RISE, axis=0))
        alive = size > _LOG_NEGLIGIBLE
        last = _CHUNK - 1 - np.argmax(alive[::-1], axis=0)
        end = np.where(alive.any(axis=0), y[last] + 1.0 / _SCAN, end)
        if np.all(rising | ~alive.any(axis=0)):
            return np.where(rising, np.nan, end)
    return np.where(rising | (end >= _END - 0.5), np.nan, end)


def _integrate(contour: _Contour, x: np.ndarray, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Halve the step until sums agree.

    Halving squares the error of an analytic integrand. The last change therefore overstates the
    error that is left by far; it is reduced by its own fall, once, and only where that is steep.
    """
    total = np.zeros(x.shape, dtype=np.longdouble)
    absolute = np.zeros_like(total)
    value, change = np.zeros_like(total), np.ones_like(total)
    error = np.full_like(total, np.inf)
    for level in range(_LAST_LEVEL):
        per_unit = _SCAN * 2**level
        count = int(np.ceil(end * per_unit)) + 1
        if count > _MOST_EXACT_NODES and not contour.transform.is_fast:
            break
        k = np.arange(count) if level == 0 else np.arange(1, count, 2)
        terms = np.exp(contour.log_terms(k / per_unit, x)).real
        if level == 0:
            terms[0] *= 0.5
        total = total + terms.sum(axis=0)
        absolute = absolute + np.abs(terms).sum(axis=0)
        previous, value = value, total / (per_unit * _PI)
        before, change = change, np.abs(value - previous)
        fall = change / np.maximum(before, _ROUNDING)
        error = np.where(fall < _STEEP, change * fall, change)
        if level >= _FIRST_LEVEL and np.all(error < _AGREEMENT):
            break
    rounding = contour.transform.error + _ROUNDING * (1.0 + absolute / (per_unit * np.pi))
    return value, np.where(np.isfinite(error), error, np.inf) + rounding

"""European options as mixtures of Black prices: no Fourier transform.

Variance Gamma and NIG are conditioned on their clock, Merton on its number of jumps. Conditional
log-forwards come from few subtractions of large numbers, and those are made with many digits.
The rules are refined until two sums agree; where they do not, there is no result.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import mpmath as mp
import numpy as np
from scipy.special import ndtr

from tests.check_prices.martingale_exponents import expm1_rest
from tests.check_prices.transforms import Transform, equal_law, family, to_long

Array = np.ndarray
Long = Mapping[str, np.longdouble]
Mixture = Callable[[int], tuple[Array, Array, Array]]
"""Weights, conditional log-forwards and conditional variances on n points."""

_REACH: Final = 60.0
"""Weights below exp(−60) of the largest are omitted."""
_FIRST_POINTS: Final = 400
_MOST_POINTS: Final = 30_000
_MOST_JUMPS: Final = 100_000
_AGREEMENT: Final = 3e-15
_COMPLETE: Final = 1e-13
_ROUNDING: Final = 1e-15
_ROUNDING_OF_DRIFT: Final = 3e-19
_SPREAD: Final = 100.0
"""Shape of a gamma clock above which it is positive with near certainty."""
_STILL: Final = 1e-17
"""Changes of the log-price below this are treated as zero."""
_DIGITS: Final = 60


def black_covered(log_forward: Array, variance: Array, strike: Array) -> Array:
    """Return E[min(S, K)] of lognormal S, shape (n_points, n_strikes)."""
    root = np.sqrt(variance.astype(float))[:, None]
    distance = (log_forward[:, None] - np.log(strike)).astype(float)
    with np.errstate(all="ignore"):
        d1 = np.where(root > 0, distance / root + 0.5 * root, np.copysign(np.inf, distance))
        share = np.exp(log_forward.astype(float))[:, None] * ndtr(-d1)
        return np.asarray(np.where(d1 > 40, 0.0, share) + strike.astype(float) * ndtr(d1 - root))


def covered_calls(transform: Transform, strike: Array) -> tuple[Array, Array] | None:
    """Return E[min(S, K)] for a forward of one, and its uncertainty; None without a mixture.

    Parameters
    ----------
    transform : Transform
        Of one parameter set and maturity.
    strike : ndarray, shape (n,)
        In units of the forward.
    """
    base, structure = family(transform.name)
    if structure in ("CIR", "Additive") or base not in _MIXTURES:
        return None
    with np.errstate(all="ignore"):
        found = _MIXTURES[base](transform, equal_law(transform), strike)
    if found is None:
        return None
    value, doubt = found
    # Conditional log-forwards are the drift plus a term of similar size and opposite sign.
    return value, doubt + _ROUNDING_OF_DRIFT * np.abs(transform.drift)


def _black_scholes(transform: Transform, p: Long, strike: Array) -> tuple[Array, Array]:
    variance = np.array([p["sigma"] ** 2 * p["t"]])
    value = black_covered(np.zeros(1), variance, strike)[0]
    return value, np.full(value.shape, 3e-16)


def _variance_gamma(transform: Transform, p: Long, strike: Array) -> tuple[Array, Array] | None:
    """The clock is gamma with shape t/ν and mean t; y = log(clock/t)."""
    shape = p["t"] / p["nu"]
    with mp.workdps(_DIGITS):
        a = mp.mpf(float(shape)) + mp.mpf(float(shape - np.longdouble(float(shape))))
        constant = to_long(a * mp.log(a) - a - mp.loggamma(a))
    pull = p["theta"] + 0.5 * p["sigma"] ** 2
    still = np.exp(transform.drift)
    moved = max(float(p["sigma"] ** 2 * p["t"]) / _STILL**2, float(abs(pull) * p["t"]) / _STILL)
    low = max(
        _end(lambda y: shape * expm1_rest(np.longdouble(y)), -1.0), -np.log(max(moved, 1.0)) - 1.0
    )
    high = _end(lambda y: shape * expm1_rest(np.longdouble(y)), 1.0)

    def points(n: int) -> tuple[Array, Array, Array]:
        y, step = np.linspace(low, high, n, retstep=True, dtype=np.longdouble)
        clock = p["t"] * np.exp(y)
        weight = np.exp(constant - shape * expm1_rest(y)) * step
        return weight, transform.drift + pull * clock, p["sigma"] ** 2 * clock

    return _refined(points, strike, np.minimum(still, strike), all_counted=bool(shape < _SPREAD))


def _nig(transform: Transform, p: Long, strike: Array) -> tuple[Array, Array] | None:
    """The clock is inverse Gaussian; y = log(clock/mean)."""
    root = np.sqrt((p["alpha"] - p["beta"]) * (p["alpha"] + p["beta"]))
    scale = p["delta"] * p["t"]
    peak, mean = scale * root, scale / root
    # The weight is exp(−peak·(cosh y − 1) − y/2), which decreases with y.
    width = 0.0
    for _ in range(3):
        width = 2.0 * np.arcsinh(np.sqrt((_REACH + 0.5 * width) / (2.0 * peak)))

    def points(n: int) -> tuple[Array, Array, Array]:
        y, step = np.linspace(-width, width, n, retstep=True, dtype=np.longdouble)
        exponent = -2.0 * peak * np.sinh(0.5 * y) ** 2 - 0.5 * y
        weight = np.sqrt(peak / (2.0 * np.pi)) * np.exp(exponent) * step
        clock = mean * np.exp(y)
        return weight, transform.drift + (p["beta"] + 0.5) * clock, clock

    return _refined(points, strike, np.zeros(strike.shape))


def _end(exponent: Callable[[float], Any], sign: float) -> float:
    """Return the point at which an increasing exponent reaches the end of the weights."""
    near, far = 0.0, 1e-12
    while exponent(sign * far) < _REACH and far < 1e8:
        near, far = far, 2.0 * far
    for _ in range(60):
        middle = 0.5 * (near + far)
        near, far = (near, middle) if exponent(sign * middle) > _REACH else (middle, far)
    return sign * far


def _refined(
    points: Mixture, strike: Array, still: Array, *, all_counted: bool = False
) -> tuple[Array, Array] | None:
    """Halve the step until two sums agree.

    `still` is the value where the clock stands, which is subtracted; weights sum to one unless
    `all_counted` says that the rest of them has that value.
    """
    n, value = _FIRST_POINTS, np.full(strike.shape, np.inf)
    while n <= _MOST_POINTS:
        weight, log_forward, variance = points(n)
        given = black_covered(log_forward, variance, strike)
        previous, value = (
            value,
            still.astype(float) + weight.astype(float) @ (given - still.astype(float)),
        )
        change = np.abs(value - previous)
        complete = all_counted or abs(float(weight.sum()) - 1.0) < _COMPLETE
        if complete and np.all(change < _AGREEMENT):
            return value, change + _ROUNDING
        n = 2 * n - 1
    return None


def _merton(transform: Transform, p: Long, strike: Array) -> tuple[Array, Array] | None:
    rate = p["lam"] * p["t"]
    reach = 12.0 * np.sqrt(float(rate)) + 80.0
    if not reach < _MOST_JUMPS:
        return None
    mode = int(rate)
    first, last = max(0, int(mode - reach)), int(mode + reach)
    number = np.arange(first, last + 1)
    # log of the ratio of successive weights, summed from the mode in both directions.
    ratio = np.log(rate / np.maximum(number, 1).astype(np.longdouble))
    log_weight = np.cumsum(np.where(number > 0, ratio, 0.0))
    log_weight -= log_weight[mode - first]
    weight = np.exp(log_weight)
    weight /= weight.sum()
    with mp.workdps(_DIGITS):
        q = {key: mp.mpf(value) for key, value in transform.parameters.items()}
        growth = q["mu_j"] + q["sigma_j"] ** 2 / 2
        at_mode = mode * growth - q["lam"] * mp.mpf(transform.years) * mp.expm1(growth)
        log_forward = to_long(at_mode) + (number - mode) * to_long(growth)
    variance = p["sigma"] ** 2 * p["t"] + number * p["sigma_j"] ** 2
    value = weight.astype(float) @ black_covered(log_forward, variance, strike)
    return value, np.full(value.shape, _ROUNDING)


_MIXTURES: Final[dict[str, Callable[..., tuple[Array, Array] | None]]] = {
    "BlackScholes": _black_scholes,
    "VarianceGamma": _variance_gamma,
    "NIG": _nig,
    "Merton": _merton,
}

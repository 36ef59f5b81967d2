"""ψ(ξ) − iξψ(−i) for arrays of 80-bit complex numbers, arranged to avoid cancellation.

The terms of ψ that are linear in ξ belong to the drift and cancel exactly: they never appear. What
is left of log(1 + z), (1 + z)^Y and exp(z) starts at z², and comes from a series where z is small.
`Transform` uses these where they agree with the textbook exponents in many digits.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import mpmath as mp
import numpy as np

Long = Mapping[str, np.longdouble]
Array = Any
"""ndarray of clongdouble, which NumPy's annotations cannot express."""

_I: Final = np.clongdouble(1j)
_TERMS: Final = 34
_SMALL: Final = 0.25


def martingale_exponent(base: str, p: Long, xi: Array) -> Array:
    """Return ψ(ξ) − iξψ(−i) of a Lévy model with parameters `p`."""
    return np.asarray(EXPONENTS[base](p, _I * xi))


def _black_scholes(p: Long, v: Array) -> Array:
    return 0.5 * p["sigma"] ** 2 * v * (v - 1.0)


def _variance_gamma(p: Long, v: Array) -> Array:
    def argument(v: Array) -> Array:
        return -p["nu"] * v * (p["theta"] + 0.5 * p["sigma"] ** 2 * v)

    # If the forward is barely finite, 1 + z at ξ = −i is a difference of nearly equal numbers.
    with mp.workdps(60):
        numbers = [mp.mpf(float(p[name])) for name in ("nu", "theta", "sigma")]
        remainder = 1 - numbers[0] * (numbers[1] + numbers[2] ** 2 / 2)
        near_one = np.longdouble(mp.nstr(remainder, 25))
    z = argument(v)
    rest = log1p_rest(z) - v * log1p_rest(argument(_ONE), near_one)
    near = _black_scholes(p, v) - rest / p["nu"]
    # For large |ξ| the quadratic terms would cancel instead.
    far = (v * np.log(near_one) - np.log(1.0 + z)) / p["nu"]
    return np.where(np.abs(z) < 1.0, near, far)


def _bilateral_gamma(p: Long, v: Array) -> Array:
    low, high = p["lambda_p"], p["lambda_m"]
    up = log1p_rest(-v / low, (low - v) / low) - v * log1p_rest(-_ONE / low, (low - 1.0) / low)
    down = log1p_rest(v / high) - v * log1p_rest(_ONE / high)
    return -p["alpha_p"] * up - p["alpha_m"] * down


def _kou(p: Long, v: Array) -> Array:
    up = p["p"] / ((p["eta1"] - v) * (p["eta1"] - 1.0))
    down = (1.0 - p["p"]) / ((p["eta2"] + v) * (p["eta2"] + 1.0))
    return v * (v - 1.0) * (0.5 * p["sigma"] ** 2 + p["lam"] * (up + down))


def _merton(p: Long, v: Array) -> Array:
    def jump(v: Array) -> Array:
        return v * (p["mu_j"] + 0.5 * p["sigma_j"] ** 2 * v)

    rest = expm1_rest(jump(v)) - v * expm1_rest(jump(_ONE))
    variance = p["sigma"] ** 2 + p["lam"] * p["sigma_j"] ** 2
    return 0.5 * variance * v * (v - 1.0) + p["lam"] * rest


def _nig(p: Long, v: Array) -> Array:
    low, high, beta = p["alpha"] - p["beta"], p["alpha"] + p["beta"], p["beta"]
    g = np.sqrt(low * high)
    s = np.sqrt(low - v) * np.sqrt(high + v)
    s1 = np.sqrt(low - 1.0) * np.sqrt(high + 1.0)
    twice = 2.0 * beta + 1.0
    bracket = g + s1 + twice * (twice + v) / (s1 + s)
    return p["delta"] * v * (v - 1.0) * bracket / ((g + s) * (g + s1))


def _cgmy(p: Long, v: Array) -> Array:
    y, low, high = p["Y"], p["M"], p["G"]
    up = _power_rest(-v / low, y) - v * _power_rest(-_ONE / low, y, (low - 1.0) / low)
    down = _power_rest(v / high, y) - v * _power_rest(_ONE / high, y)
    with mp.workdps(30):
        level = p["C"] * np.longdouble(str(mp.gamma(2 - mp.mpf(float(y)))))
    return level * (low**y * up + high**y * down)


def _meixner(p: Long, v: Array) -> Array:
    """Return −2d·log(cosh w − it·sinh w) with w = aξ/2, t = tan(b/2), Re w ≥ 0."""
    half = 0.5 * p["b"]
    # b may be close to ±π, where the cosine is a small difference.
    with mp.workdps(60):
        exact = mp.mpf(float(p["b"])) / 2
        t, cos = (np.longdouble(mp.nstr(f(exact), 25)) for f in (mp.tan, mp.cos))

    def rest(v: Array) -> Array:
        """Return the logarithm of the bracket minus its linear part −itw."""
        w = -0.5 * _I * p["a"] * v
        change = 2.0 * np.sinh(0.5 * w) ** 2
        z = change - _I * t * np.sinh(w)
        near = log1p_rest(z) + change - _I * t * _sinh_rest(w)
        decay = np.exp(-2.0 * w + 2.0 * _I * half)
        far = w - _I * half - np.log(2.0 * cos) + np.log1p(decay) + _I * t * w
        return np.where(np.abs(z) < 2.0 * _SMALL, near, far)

    return -2.0 * p["d"] * (rest(v) - v * rest(_ONE))


def log1p_rest(z: Array, near: Array | np.longdouble | None = None) -> Array:
    """Return log(1 + z) − z; `near` is 1 + z if the caller has it with more digits."""
    series = np.zeros_like(z)
    for k in range(_TERMS, 1, -1):
        series = (1.0 if k % 2 else -1.0) / np.longdouble(k) + z * series
    return np.where(
        np.abs(z) < _SMALL, z**2 * series, np.log(1.0 + z if near is None else near) - z
    )


def expm1_rest(z: Array) -> Array:
    """Return exp(z) − 1 − z."""
    series = np.ones_like(z)
    for k in range(_TERMS, 2, -1):
        series = 1.0 + z / np.longdouble(k) * series
    return np.where(np.abs(z) < 2.0 * _SMALL, 0.5 * z**2 * series, np.exp(z) - 1.0 - z)


def _sinh_rest(w: Array) -> Array:
    """Return sinh(w) − w."""
    return 0.5 * (expm1_rest(w) - expm1_rest(-w))


def _power_rest(z: Array, y: np.longdouble, near: np.longdouble | None = None) -> Array:
    """Return ((1 + z)^Y − 1 − Yz)/(Y(Y − 1)), with its limits at Y = 0 and Y = 1."""
    series = np.ones_like(z)
    for k in range(_TERMS, 2, -1):
        series = 1.0 + z * (y - (k - 1)) / np.longdouble(k) * series
    whole = 1.0 + z if near is None else near + 0j
    log = np.log(whole)
    if y < 0.5:
        direct = (log * _expm1_ratio(y * log) - z) / (y - 1.0)
    else:
        direct = (whole * log * _expm1_ratio((y - 1.0) * log) - z) / y
    return np.where(np.abs(z) < _SMALL, 0.5 * z**2 * series, direct)


def _expm1_ratio(z: Array) -> Array:
    """Return (exp(z) − 1)/z."""
    safe = np.where(z == 0, 1.0, z)
    rest = np.where(z == 0, 0.0, expm1_rest(safe) / safe)
    return 1.0 + rest


_ONE: Final = np.array(1.0, dtype=np.clongdouble)
EXPONENTS: Final[dict[str, Callable[[Long, Array], Array]]] = {
    "BlackScholes": _black_scholes,
    "VarianceGamma": _variance_gamma,
    "BilateralGamma": _bilateral_gamma,
    "Kou": _kou,
    "Merton": _merton,
    "NIG": _nig,
    "CGMY": _cgmy,
    "Meixner": _meixner,
}

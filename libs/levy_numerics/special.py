"""Special functions that the array API standard lacks, for NumPy, JAX and Numba.

Numba compiles most of them from their source. Those that inspect their arrays have a second
implementation, which Numba uses; these are at the end of the file.
"""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import numpy as np
from scipy import special as scipy_special

# Taylor coefficients, from the constant on.
EXP_DERIVATIVE_SERIES: Final = tuple(k / math.factorial(k + 1) for k in range(1, 9))
_LOG_DERIVATIVE_SERIES: Final = tuple((-1.0) ** k * k / (k + 1) for k in range(1, 14))
_LOG_COMPLEMENT_SERIES: Final = tuple((-1.0) ** k / (k + 2) for k in range(13))
_EXP_SECOND_SERIES: Final = tuple((-1.0) ** k / math.factorial(k + 2) for k in range(15))
_EXP_SERIES_RADIUS: Final = 0.5
# Inside, the Taylor series of degree 7 is exact to 1e-16; outside, the quotient loses no digits.
SERIES_RADIUS: Final = 0.05
# |z| below which (e^z − 1)/z is 1 + z/2 to rounding. Complex division by a number whose square
# underflows, such as 1e-200, returns a wrong ratio without warning.
LINEAR_BELOW: Final = 1e-8
# |1 + z|² − 1 below which log |1 + z| is computed from |1 + z|² itself.
NEAR_MINUS_ONE: Final = -0.5

_INVERSE_HALF_PI: Final = 2.0 / math.pi
# π/2 in parts; the first two have 33 bits, so their products with integers up to 10⁶ are exact.
_HALF_PI, _HALF_PI_TAIL, _HALF_PI_END = (
    1.57079632673412561417,
    6.07710050630396597660e-11,
    2.02226624871116645580e-21,
)
# Minimax polynomials on [−π/4, π/4], in even powers beyond the terms of first and second order.
_SINE: Final = (
    -1.66666666666666324348e-01,
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)
_COSINE: Final = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)


def array_namespace(*arrays: Any) -> ModuleType:
    """Return the module (`numpy` or `jax.numpy`) whose functions apply to these arrays.

    JAX is not imported here: its arrays provide their namespace.
    """
    for array in arrays:
        namespace = getattr(array, "__array_namespace__", None)
        if namespace is not None and not isinstance(array, np.ndarray | np.generic):
            return namespace()  # type: ignore[no-any-return]
    return np


def pair(first: Any, second: Any, like: Any) -> Any:
    """Return two values as rows that broadcast against `like`.

    Parameters
    ----------
    first, second : float, or array of shape (…, 1)
        Broadcast against each other.
    like : array, shape (n,)

    Returns
    -------
    array, shape (2, …, 1)
    """
    xp = array_namespace(first, second, like)
    both = xp.stack(xp.broadcast_arrays(first, second))
    added = (1,) * max(np.ndim(like) + 1 - both.ndim, 0)
    return both.reshape(both.shape[:1] + added + both.shape[1:])


def scipy_namespace(xp: ModuleType) -> ModuleType:
    """Return `scipy.special`, or the module of JAX with the same functions."""
    if xp is np:
        return scipy_special
    from jax.scipy import special as jax_special

    return jax_special


def gamma(x: Any) -> Any:
    """Return the gamma function of a real argument."""
    return scipy_namespace(array_namespace(x)).gamma(x)


def digamma(x: Any) -> Any:
    """Return the logarithmic derivative of the gamma function, of a real argument."""
    return scipy_namespace(array_namespace(x)).digamma(x)


def expm1(z: Any) -> Any:
    """Return e^z − 1 for real or complex z, both parts exact to rounding of |z|."""
    return array_namespace(z).expm1(z)


def log1p(z: Any) -> Any:
    """Return the principal log(1 + z) for complex z, both parts exact to rounding of |z|.

    `numpy.log1p` computes the real part from |1 + z|, which loses all its digits for small z, and
    takes six times as long.

    Examples
    --------
    >>> bool(abs(log1p(1e-12 + 1e-9j) - (1e-12 + 1e-9j)) < 1e-17)
    True
    """
    xp = array_namespace(z)
    x, y = xp.real(z), xp.imag(z)
    excess = x * (2.0 + x) + y * y  # |1 + z|² − 1
    log_square = xp.log1p(xp.maximum(excess, NEAR_MINUS_ONE))
    if xp is not np or np.min(excess, initial=0.0) < NEAR_MINUS_ONE:
        # Near z = −1 the excess cancels, and 1 + z does not.
        near = excess < NEAR_MINUS_ONE
        square = xp.where(near, (1.0 + x) ** 2 + y * y, 1.0)
        log_square = xp.where(near, xp.log(square), log_square)
    return 0.5 * log_square + 1j * xp.arctan2(y, 1.0 + x)


def cos_and_sin(angle: Any, rint: Callable[[Any], Any] = np.rint) -> tuple[Any, Any]:
    """Return cosine and sine, to an absolute error of 3e-16 up to 10⁶ radians.

    They use arithmetic only, so that compilers vectorise loops over them; the C library's functions
    are called for one number at a time. Beyond 10⁶ radians the error grows with the angle.

    Parameters
    ----------
    angle : float or array
        Radians.
    rint : callable
        Rounds to integers, in the namespace of `angle`.

    Returns
    -------
    tuple of float or array
        Of the shape of `angle`; NaN where it is not finite.

    References
    ----------
    Cody and Waite (1980), Software Manual for the Elementary Functions, chapter 8: the reduction by
    parts of π/2. Polynomials and parts are those of Sun's fdlibm 5.3, k_sin.c, k_cos.c and
    e_rem_pio2.c.
    """
    n_quarters = rint(angle * _INVERSE_HALF_PI)
    rest = (angle - n_quarters * _HALF_PI) - n_quarters * _HALF_PI_TAIL
    rest = rest - n_quarters * _HALF_PI_END
    square = rest * rest
    s1, s2, s3, s4, s5, s6 = _SINE
    c1, c2, c3, c4, c5, c6 = _COSINE
    tail = s1 + square * (s2 + square * (s3 + square * (s4 + square * (s5 + square * s6))))
    sine = rest + rest * square * tail
    tail = c1 + square * (c2 + square * (c3 + square * (c4 + square * (c5 + square * c6))))
    cosine = 1.0 - 0.5 * square + square * square * tail
    # The quadrant, from −2 to 2. Its cosine and sine, 0, 1 or −1, are polynomials: branches would
    # prevent vector code.
    quadrant = n_quarters - 4.0 * rint(0.25 * n_quarters)
    is_odd = quadrant * quadrant * (4.0 - quadrant * quadrant) / 3.0
    by_cosine = (1.0 - is_odd) * (1.0 - 0.5 * quadrant * quadrant)
    by_sine = is_odd * quadrant
    return by_cosine * cosine - by_sine * sine, by_cosine * sine + by_sine * cosine


def expm1_ratio(z: Any) -> Any:
    """Return (exp(z) − 1)/z for complex z, exact to rounding through z = 0.

    Examples
    --------
    >>> float(expm1_ratio(0.0))
    1.0
    """
    xp = array_namespace(z)
    z = xp.asarray(z)
    linear = xp.abs(z) < LINEAR_BELOW
    # Both branches of `where` are evaluated, and under JAX differentiated: no division by zero.
    safe = xp.where(linear, 1.0, z)
    return xp.where(linear, 1.0 + 0.5 * z, xp.expm1(safe) / safe)


def expm1_ratio_with_derivative(z: Any) -> tuple[Any, Any]:
    """Return `expm1_ratio` and its derivative, both exact to rounding through z = 0."""
    xp = array_namespace(z)
    z = xp.asarray(z)
    size = xp.abs(z)
    linear, small = size < LINEAR_BELOW, size < SERIES_RADIUS
    safe = xp.where(linear, 1.0, z)
    ratio = xp.where(linear, 1.0 + 0.5 * z, xp.expm1(safe) / safe)
    closed = ratio + (1.0 - ratio) / safe
    return ratio, xp.where(small, _polynomial(z, EXP_DERIVATIVE_SERIES), closed)


def log1p_ratio(z: Any) -> Any:
    """Return log(1 + z)/z for complex z, exact to rounding through z = 0."""
    xp = array_namespace(z)
    z = xp.asarray(z)
    linear = xp.abs(z) < LINEAR_BELOW
    safe = xp.where(linear, 1.0, z)
    return xp.where(linear, 1.0 - 0.5 * z, log1p(safe) / safe)


def log1p_ratio_derivative(z: Any) -> Any:
    """Return the derivative of `log1p_ratio`, exact to rounding through z = 0."""
    xp = array_namespace(z)
    z = xp.asarray(z)
    small = xp.abs(z) < SERIES_RADIUS
    safe = xp.where(small, 1.0, z)
    closed = (1.0 / (1.0 + safe) - log1p(safe) / safe) / safe
    return xp.where(small, _polynomial(z, _LOG_DERIVATIVE_SERIES), closed)


def log1p_ratio_complement(z: Any) -> Any:
    """Return 1 − log(1 + z)/z for complex z, to about 20 roundings near z = 0."""
    xp = array_namespace(z)
    z = xp.asarray(z)
    small = xp.abs(z) < SERIES_RADIUS
    safe = xp.where(small, 1.0, z)
    return xp.where(small, z * _polynomial(z, _LOG_COMPLEMENT_SERIES), 1.0 - log1p(safe) / safe)


def exp_second_difference(z: Any) -> Any:
    """Return (z − 1 + e⁻ᶻ)/z² for complex z, through 1/2 at z = 0, to about 10 roundings."""
    xp = array_namespace(z)
    z = xp.asarray(z)
    small = xp.abs(z) < _EXP_SERIES_RADIUS
    safe = xp.where(small, 1.0, z)
    return xp.where(small, _polynomial(z, _EXP_SECOND_SERIES), (safe + xp.expm1(-safe)) / safe**2)


def _polynomial(z: Any, coefficients: tuple[float, ...]) -> Any:
    """Evaluate a polynomial, coefficients from the constant on, by Horner's rule."""
    total = z * 0.0 + coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * z + c
    return total

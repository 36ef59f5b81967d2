"""Functions the array standard lacks, for NumPy and JAX alike."""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import numpy as np
from scipy import special as scipy_special

EXP_DERIVATIVE_SERIES: Final = tuple(k / math.factorial(k + 1) for k in range(1, 9))
_LOG_DERIVATIVE_SERIES: Final = tuple((-1.0) ** k * k / (k + 1) for k in range(1, 14))
_LOG_COMPLEMENT_SERIES: Final = tuple((-1.0) ** k / (k + 2) for k in range(13))
_EXP_SECOND_SERIES: Final = tuple((-1.0) ** k / math.factorial(k + 2) for k in range(15))
_EXP_SERIES_RADIUS: Final = 0.5
SERIES_RADIUS: Final = 0.05
"""Below it the Taylor series of degree 7 is exact to 1e-16; above, division loses no digits."""

LINEAR_BELOW: Final = 1e-8
"""|z| below which (e^z − 1)/z is 1 + z/2 to rounding. Complex division by a number whose square
underflows, such as 1e-200, would return a wrong ratio without warning."""

ABOUT_MINUS_ONE: Final = -0.5
"""|1 + z|² − 1 below which log |1 + z| is taken from |1 + z|² itself."""


_QUARTERS: Final = 2.0 / math.pi
_QUARTER, _QUARTER_TAIL, _QUARTER_END = (
    1.57079632673412561417,
    6.07710050630396597660e-11,
    2.02226624871116645580e-21,
)
"""π/2 in parts, the first two of 33 bits: their products with a million are exact."""
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

_LOWEST_EXPONENT: Final = -700.0
_LOWEST: Final = math.exp(_LOWEST_EXPONENT)


def array_namespace(*arrays: Any) -> ModuleType:
    """Module (`numpy` or `jax.numpy`) whose functions act on these arrays.

    JAX is never imported here: an array that comes from it brings its own namespace.
    """
    for array in arrays:
        namespace = getattr(array, "__array_namespace__", None)
        if namespace is not None and not isinstance(array, np.ndarray | np.generic):
            return namespace()  # type: ignore[no-any-return]
    return np


def pair(first: Any, second: Any, beside: Any) -> Any:
    """Two values as rows, to be broadcast against `beside`.

    Parameters
    ----------
    first, second : float, or array of shape (…, 1)
        Broadcast against each other.
    beside : array, shape (n,)

    Returns
    -------
    array, shape (2, …, 1)
        With an axis of length one, at least, for that of `beside`.
    """
    xp = array_namespace(first, second, beside)
    both = xp.stack(xp.broadcast_arrays(first, second))
    added = (1,) * max(np.ndim(beside) + 1 - both.ndim, 0)
    return both.reshape(both.shape[:1] + added + both.shape[1:])


def scipy_namespace(xp: ModuleType) -> ModuleType:
    """`scipy.special` or its twin in JAX."""
    if xp is np:
        return scipy_special
    from jax.scipy import special as jax_special

    return jax_special


def gamma(x: Any) -> Any:
    """Gamma function of a real argument."""
    return scipy_namespace(array_namespace(x)).gamma(x)


def digamma(x: Any) -> Any:
    """Logarithmic derivative of the gamma function, of a real argument."""
    return scipy_namespace(array_namespace(x)).digamma(x)


def expm1(z: Any) -> Any:
    """e^z − 1, both parts exact to rounding of |z|, real or complex."""
    return array_namespace(z).expm1(z)


def log1p(z: Any) -> Any:
    """Principal log(1 + z) for complex z, both parts exact to rounding of |z|.

    NumPy's own takes the real part from |1 + z|, which keeps no digit of it for small z, and
    takes six times as long.

    Examples
    --------
    >>> bool(abs(log1p(1e-12 + 1e-9j) - (1e-12 + 1e-9j)) < 1e-17)
    True
    """
    xp = array_namespace(z)
    x, y = xp.real(z), xp.imag(z)
    excess = x * (2.0 + x) + y * y  # |1 + z|² − 1
    log_square = xp.log1p(xp.maximum(excess, ABOUT_MINUS_ONE))
    if xp is not np or np.min(excess, initial=0.0) < ABOUT_MINUS_ONE:
        # About z = −1 it is 1 + z that holds the digits.
        near = excess < ABOUT_MINUS_ONE
        square = xp.where(near, (1.0 + x) ** 2 + y * y, 1.0)
        log_square = xp.where(near, xp.log(square), log_square)
    return 0.5 * log_square + 1j * xp.arctan2(y, 1.0 + x)


def cos_and_sin(angle: Any, rint: Callable[[Any], Any] = np.rint) -> tuple[Any, Any]:
    """Cosine and sine, to an absolute error of 3e-16 up to a million radians.

    Arithmetic alone, so that compilers turn loops over it into vector code, for which a library's
    functions would be called number by number. Beyond a million radians it is as uncertain as an
    angle of that size.

    Parameters
    ----------
    angle : float or array
        Radians.
    rint : callable
        Rounds to whole numbers, in the namespace of `angle`.

    Returns
    -------
    tuple of float or array
        Of the shape of `angle`; NaN where it is not finite.

    References
    ----------
    Cody and Waite (1980), Software Manual for the Elementary Functions, chapter 8, for the
    reduction by parts of π/2; polynomials and parts are those of Sun's fdlibm 5.3, k_sin.c, k_cos.c
    and e_rem_pio2.c.
    """
    n_quarters = rint(angle * _QUARTERS)
    rest = (angle - n_quarters * _QUARTER) - n_quarters * _QUARTER_TAIL
    rest = rest - n_quarters * _QUARTER_END
    square = rest * rest
    s1, s2, s3, s4, s5, s6 = _SINE
    c1, c2, c3, c4, c5, c6 = _COSINE
    tail = s1 + square * (s2 + square * (s3 + square * (s4 + square * (s5 + square * s6))))
    sine = rest + rest * square * tail
    tail = c1 + square * (c2 + square * (c3 + square * (c4 + square * (c5 + square * c6))))
    cosine = 1.0 - 0.5 * square + square * square * tail
    # What is left of whole turns, −2 to 2 quarters; its own cosine and sine are 0, 1 or −1.
    turned = n_quarters - 4.0 * rint(0.25 * n_quarters)
    is_odd = turned * turned * (4.0 - turned * turned) / 3.0
    by_cosine, by_sine = (1.0 - is_odd) * (1.0 - 0.5 * turned * turned), is_odd * turned
    return by_cosine * cosine - by_sine * sine, by_cosine * sine + by_sine * cosine


def bounded_exp(z: Any, largest: float) -> Any:
    """exp(z) for complex z, with the exponent's real part cut at `largest`; zero below e⁻⁷⁰⁰.

    NumPy's own takes twice as long: there is vector code for the tangent of half the phase, and
    none for a complex exponential, sine and cosine. Subnormal results would take fifty times
    as long.
    """
    xp = array_namespace(z)
    if xp is not np:
        return xp.exp(xp.minimum(xp.real(z), largest) + 1j * xp.imag(z))
    tangent = np.tan(0.5 * z.imag)
    square = tangent * tangent
    size = bounded_size(z.real, largest) / (1.0 + square)
    found = np.empty(z.shape, dtype=complex)
    np.multiply(size, 1.0 - square, out=found.real)
    np.multiply(2.0 * size, tangent, out=found.imag)
    return found


def bounded_size(exponent: Any, largest: float) -> Any:
    """exp of a real exponent cut at `largest`; zero below e⁻⁷⁰⁰."""
    xp = array_namespace(exponent)
    return xp.exp(xp.clip(exponent, _LOWEST_EXPONENT, largest)) - _LOWEST


def expm1_ratio(z: Any) -> Any:
    """(exp(z) − 1)/z for complex z, exact to rounding through z = 0.

    Examples
    --------
    >>> float(expm1_ratio(0.0))
    1.0
    """
    xp = array_namespace(z)
    z = xp.asarray(z)
    linear = xp.abs(z) < LINEAR_BELOW
    safe = xp.where(linear, 1.0, z)
    return xp.where(linear, 1.0 + 0.5 * z, xp.expm1(safe) / safe)


def expm1_ratio_derivative(z: Any) -> Any:
    """Derivative of `expm1_ratio`, exact to rounding through z = 0."""
    return expm1_ratio_with_derivative(z)[1]


def expm1_ratio_with_derivative(z: Any) -> tuple[Any, Any]:
    """`expm1_ratio` and its derivative for the price of one."""
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
    """Derivative of `log1p_ratio`, exact to rounding through z = 0."""
    xp = array_namespace(z)
    z = xp.asarray(z)
    small = xp.abs(z) < SERIES_RADIUS
    safe = xp.where(small, 1.0, z)
    closed = (1.0 / (1.0 + safe) - log1p(safe) / safe) / safe
    return xp.where(small, _polynomial(z, _LOG_DERIVATIVE_SERIES), closed)


def log1p_ratio_complement(z: Any) -> Any:
    """Return 1 − log(1 + z)/z for complex z, to about 20 roundings of itself near z = 0."""
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
    """Horner's rule, from the constant up."""
    total = z * 0.0 + coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * z + c
    return total


def either(condition: Any, when_true: Callable[[], Any], when_false: Callable[[], Any]) -> Any:
    """`where`, but what no entry needs is not computed, unless the condition is being traced."""
    if array_namespace(condition) is np:
        if np.all(condition):
            return when_true()
        if not np.any(condition):
            return when_false()
    return array_namespace(condition).where(condition, when_true(), when_false())

"""Functions the array standard lacks, for NumPy and JAX alike."""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import numpy as np
from scipy import special as scipy_special

_EXP_DERIVATIVE_SERIES: Final = tuple(k / math.factorial(k + 1) for k in range(1, 9))
_LOG_DERIVATIVE_SERIES: Final = tuple((-1.0) ** k * k / (k + 1) for k in range(1, 14))
_SERIES_RADIUS: Final = 0.05
"""Below it the Taylor series of degree 7 is exact to 1e-16; above, division loses no digits."""

_ABOUT_MINUS_ONE: Final = -0.5
"""|1 + z|² − 1 below which log |1 + z| is taken from |1 + z|² itself."""


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
    log_square = xp.log1p(xp.maximum(excess, _ABOUT_MINUS_ONE))
    if xp is not np or np.min(excess, initial=0.0) < _ABOUT_MINUS_ONE:
        # About z = −1 it is 1 + z that holds the digits.
        near = excess < _ABOUT_MINUS_ONE
        square = xp.where(near, (1.0 + x) ** 2 + y * y, 1.0)
        log_square = xp.where(near, xp.log(square), log_square)
    return 0.5 * log_square + 1j * xp.arctan2(y, 1.0 + x)


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
    zero = z == 0
    safe = xp.where(zero, 1.0, z)
    return xp.where(zero, 1.0, xp.expm1(safe) / safe)


def expm1_ratio_derivative(z: Any) -> Any:
    """Derivative of `expm1_ratio`, exact to rounding through z = 0."""
    return expm1_ratio_with_derivative(z)[1]


def expm1_ratio_with_derivative(z: Any) -> tuple[Any, Any]:
    """`expm1_ratio` and its derivative for the price of one."""
    xp = array_namespace(z)
    z = xp.asarray(z)
    small = xp.abs(z) < _SERIES_RADIUS
    safe = xp.where(z == 0, 1.0, z)
    ratio = xp.where(z == 0, 1.0, xp.expm1(safe) / safe)
    closed = ratio + (1.0 - ratio) / safe
    return ratio, xp.where(small, _polynomial(z, _EXP_DERIVATIVE_SERIES), closed)


def log1p_ratio(z: Any) -> Any:
    """log(1 + z)/z for complex z, exact to rounding through z = 0."""
    xp = array_namespace(z)
    z = xp.asarray(z)
    zero = z == 0
    safe = xp.where(zero, 1.0, z)
    return xp.where(zero, 1.0, log1p(safe) / safe)


def log1p_ratio_derivative(z: Any) -> Any:
    """Derivative of `log1p_ratio`, exact to rounding through z = 0."""
    xp = array_namespace(z)
    z = xp.asarray(z)
    small = xp.abs(z) < _SERIES_RADIUS
    safe = xp.where(small, 1.0, z)
    closed = (1.0 / (1.0 + safe) - log1p(safe) / safe) / safe
    return xp.where(small, _polynomial(z, _LOG_DERIVATIVE_SERIES), closed)


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

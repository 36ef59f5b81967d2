"""What Numba takes for the functions of `special`; to import this is to tell it.

Most compile as they are written. The others look at their arrays first, and are said here number by
number.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from levy_numerics import special

_ABOUT_MINUS_ONE: Final = special.ABOUT_MINUS_ONE
_LINEAR_BELOW: Final = special.LINEAR_BELOW
_SERIES_RADIUS: Final = special.SERIES_RADIUS
_EXP_DERIVATIVE_SERIES: Final = special.EXP_DERIVATIVE_SERIES[::-1]
_ASYMPTOTIC_FROM: Final = 10.0
_DIGAMMA_SERIES: Final = (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12)
"""B₂ₖ/2k, from k = 7 down: at 10 the eighth term is below rounding."""


def _array_namespace(*_arrays: Any) -> Callable[..., Any]:
    def found(*_arrays: Any) -> Any:
        return np

    return found


def _pair(first: Any, second: Any, beside: Any) -> Callable[..., Any]:
    """Of numbers, beside one row."""

    def of_numbers(first: Any, second: Any, beside: Any) -> Any:
        return np.array([[first], [second]])

    return of_numbers


def _log1p_of_one(z: Any) -> Any:
    """As `special.log1p`, which says why."""
    x, y = z.real, z.imag
    excess = x * (2.0 + x) + y * y
    if excess < _ABOUT_MINUS_ONE:
        log_square = math.log((1.0 + x) ** 2 + y * y)
    else:
        log_square = math.log1p(excess)
    return complex(0.5 * log_square, math.atan2(y, 1.0 + x))


def _gamma_of_one(z: Any) -> Any:
    """Γ to first order about the real part: formulas step no farther into the complex plane."""
    value = math.gamma(z.real)
    return complex(value, value * _digamma_of_real(z.real) * z.imag)


def _gamma_of_real(z: Any) -> Any:
    return math.gamma(z)


def _digamma_of_real(z: Any) -> Any:
    """Γ′/Γ for z > 0, by recurrence to where its asymptotic series is exact."""
    x, below = z, 0.0
    while x < _ASYMPTOTIC_FROM:
        below += 1.0 / x
        x += 1.0
    inverse = 1.0 / (x * x)
    series = 0.0
    for coefficient in _DIGAMMA_SERIES:
        series = inverse * (coefficient + series)
    return math.log(x) - 0.5 / x - series - below


def _digamma(z: Any) -> Callable[..., Any]:
    return _digamma_of_real


def _expm1_of_one(z: Any) -> Any:
    """e^z − 1, both parts exact to rounding of |z|."""
    grown, half = math.expm1(z.real), math.sin(0.5 * z.imag)
    turned = 2.0 * (1.0 + grown) * half
    return complex(grown - turned * half, turned * math.cos(0.5 * z.imag))


def _ratio_with_derivative_of_one(z: Any) -> Any:
    """As `special.expm1_ratio_with_derivative`."""
    ratio = _expm1_of_one(z) / z if abs(z) >= _LINEAR_BELOW else 1.0 + 0.5 * z
    if abs(z) >= _SERIES_RADIUS:
        return ratio, ratio + (1.0 - ratio) / z
    derivative = complex(0.0, 0.0)
    for coefficient in _EXP_DERIVATIVE_SERIES:
        derivative = derivative * z + coefficient
    return ratio, derivative


def _ratio_with_derivative_of_real(z: Any) -> Any:
    ratio, derivative = _ratio_with_derivative_of_one(complex(z, 0.0))
    return ratio.real, derivative.real


def _ratios_with_derivatives(z: Any) -> Any:
    each = z.ravel()
    ratio, derivative = np.empty_like(each), np.empty_like(each)
    for k in range(len(each)):
        ratio[k], derivative[k] = _ratio_with_derivative_of_one(each[k])
    return ratio.reshape(z.shape), derivative.reshape(z.shape)


def _for_each(of_one: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function of complex numbers, or of arrays of them."""

    def of_array(z: Any) -> Any:
        each = z.ravel()
        found = np.empty_like(each)
        for k in range(len(each)):
            found[k] = of_one(each[k])
        return found.reshape(z.shape)

    def chosen(z: Any) -> Callable[..., Any]:
        return of_array if isinstance(z, types.Array) else of_one

    return chosen


_complex_gamma: Final = _for_each(_gamma_of_one)


def _gamma(z: Any) -> Callable[..., Any]:
    return _gamma_of_real if isinstance(z, types.Float) else _complex_gamma(z)


def _ratio_with_derivative(z: Any) -> Callable[..., Any]:
    if isinstance(z, types.Array):
        return _ratios_with_derivatives
    if isinstance(z, types.Float):
        return _ratio_with_derivative_of_real
    return _ratio_with_derivative_of_one


for _function in (
    *(_log1p_of_one, _gamma_of_one, _digamma_of_real, _expm1_of_one),
    _ratio_with_derivative_of_one,
):
    register_jitable(_function)
overload(special.array_namespace)(_array_namespace)
overload(special.pair)(_pair)
overload(special.log1p)(_for_each(_log1p_of_one))
overload(special.expm1)(_for_each(_expm1_of_one))
overload(special.gamma)(_gamma)
overload(special.digamma)(_digamma)
overload(special.expm1_ratio_with_derivative)(_ratio_with_derivative)

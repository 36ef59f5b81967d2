"""Numba's implementations of the functions in `special`; importing this module registers them.

Most functions of `special` compile as they are written. These examine their arrays first, which
Numba cannot compile; here they are loops over single numbers. A module of their own, so that models
can be imported without Numba.
"""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from levy_numerics import special

_EXP_DERIVATIVE_SERIES: Final = special.EXP_DERIVATIVE_SERIES
_SERIES_RADIUS: Final = special.SERIES_RADIUS
_LINEAR_BELOW: Final = special.LINEAR_BELOW
_NEAR_MINUS_ONE: Final = special.NEAR_MINUS_ONE
_EXP_DERIVATIVE_FALLING: Final = _EXP_DERIVATIVE_SERIES[::-1]
# Bernoulli numbers B₂ₖ/2k, from k = 7 down: at 10 the eighth term is below rounding.
_ASYMPTOTIC_FROM: Final = 10.0
_DIGAMMA_SERIES: Final = (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12)


def _array_namespace(*_arrays: Any) -> Callable[..., Any]:
    def implementation(*_arrays: Any) -> Any:
        return np

    return implementation


def _pair(first: Any, second: Any, like: Any) -> Callable[..., Any]:
    """Implement `pair` for two numbers and an array of one axis."""

    def implementation(first: Any, second: Any, like: Any) -> Any:
        return np.array([[first], [second]])

    return implementation


def _log1p_of_number(z: Any) -> Any:
    """Return log(1 + z) by the formula of `log1p`."""
    x, y = z.real, z.imag
    excess = x * (2.0 + x) + y * y
    if excess < _NEAR_MINUS_ONE:
        log_square = math.log((1.0 + x) ** 2 + y * y)
    else:
        log_square = math.log1p(excess)
    return complex(0.5 * log_square, math.atan2(y, 1.0 + x))


def _gamma_of_number(z: Any) -> Any:
    """Return Γ(z) to first order about the real part, which is exact for complex steps."""
    value = math.gamma(z.real)
    return complex(value, value * _digamma_of_real(z.real) * z.imag)


def _gamma_of_real(z: Any) -> Any:
    return math.gamma(z)


def _digamma_of_real(z: Any) -> Any:
    """Return Γ′/Γ for z > 0, by recurrence to where its asymptotic series is exact."""
    x, subtracted = z, 0.0
    while x < _ASYMPTOTIC_FROM:
        subtracted += 1.0 / x
        x += 1.0
    inverse = 1.0 / (x * x)
    series = 0.0
    for coefficient in _DIGAMMA_SERIES:
        series = inverse * (coefficient + series)
    return math.log(x) - 0.5 / x - series - subtracted


def _digamma(z: Any) -> Callable[..., Any]:
    return _digamma_of_real


def _expm1_of_number(z: Any) -> Any:
    """Return e^z − 1, both parts exact to rounding of |z|."""
    real, sine = math.expm1(z.real), math.sin(0.5 * z.imag)
    # cos y − 1 = −2 sin²(y/2) does not cancel near y = 0.
    factor = 2.0 * (1.0 + real) * sine
    return complex(real - factor * sine, factor * math.cos(0.5 * z.imag))


def _ratio_with_derivative_of_number(z: Any) -> Any:
    """Return the value of `expm1_ratio_with_derivative`."""
    ratio = _expm1_of_number(z) / z if abs(z) >= _LINEAR_BELOW else 1.0 + 0.5 * z
    if abs(z) >= _SERIES_RADIUS:
        return ratio, ratio + (1.0 - ratio) / z
    derivative = complex(0.0, 0.0)
    for coefficient in _EXP_DERIVATIVE_FALLING:
        derivative = derivative * z + coefficient
    return ratio, derivative


def _ratio_with_derivative_of_real(z: Any) -> Any:
    ratio, derivative = _ratio_with_derivative_of_number(complex(z, 0.0))
    return ratio.real, derivative.real


def _ratio_with_derivative_of_array(z: Any) -> Any:
    numbers = z.ravel()
    ratio, derivative = np.empty_like(numbers), np.empty_like(numbers)
    for k in range(len(numbers)):
        ratio[k], derivative[k] = _ratio_with_derivative_of_number(numbers[k])
    return ratio.reshape(z.shape), derivative.reshape(z.shape)


def _elementwise(of_number: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return an overload for complex numbers and for arrays of them."""

    def of_array(z: Any) -> Any:
        numbers = z.ravel()
        result = np.empty_like(numbers)
        for k in range(len(numbers)):
            result[k] = of_number(numbers[k])
        return result.reshape(z.shape)

    def implementation(z: Any) -> Callable[..., Any]:
        return of_array if isinstance(z, types.Array) else of_number

    return implementation


def _gamma(z: Any) -> Callable[..., Any]:
    return _gamma_of_real if isinstance(z, types.Float) else _elementwise(_gamma_of_number)(z)


def _ratio_with_derivative(z: Any) -> Callable[..., Any]:
    if isinstance(z, types.Array):
        return _ratio_with_derivative_of_array
    if isinstance(z, types.Float):
        return _ratio_with_derivative_of_real
    return _ratio_with_derivative_of_number


# Numba resolves calls between implementations only if they are registered.
for _function in (
    *(_log1p_of_number, _gamma_of_number, _digamma_of_real, _expm1_of_number),
    _ratio_with_derivative_of_number,
):
    register_jitable(_function)
overload(special.array_namespace)(_array_namespace)
overload(special.pair)(_pair)
overload(special.log1p)(_elementwise(_log1p_of_number))
overload(special.expm1)(_elementwise(_expm1_of_number))
overload(special.gamma)(_gamma)
overload(special.digamma)(_digamma)
overload(special.expm1_ratio_with_derivative)(_ratio_with_derivative)

"""Special functions of one number, compiled by Numba for use in loops.

`exp` uses arithmetic only, so that compilers vectorise loops over it. The C library's function is
called for one number at a time and takes twice as long.

References
----------
Exponential function: Sun's fdlibm 5.3, e_exp.c (parts of ln 2, polynomial, reconstruction). Scaled
complementary error function: Cody (1969), Rational Chebyshev approximations for the error function,
Mathematics of Computation 23, 631-637, with the coefficients of CALERF in SPECFUN. Normal quantile:
Wichura (1988), Algorithm AS 241: the percentage points of the normal distribution, Applied
Statistics 37(3), 477-484, routine PPND7.
"""

import math
from typing import Final

import numpy as np

from levy_numerics.jit import compiled, compiled_in_order

_INVERSE_LOG_TWO: Final = 1.0 / math.log(2.0)
# ln 2 in two parts. The first has 32 bits, so its products with integers up to 1000 are exact.
_LOG_TWO, _LOG_TWO_TAIL = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Coefficients of r·(exp(r) + 1)/(exp(r) − 1) − 2, in even powers of r from the second on.
_SERIES: Final = (
    1.66666666666666019037e-01,
    -2.77777777770155933842e-03,
    6.61375632143793436117e-05,
    -1.65339022054652515390e-06,
    4.13813679705723846039e-08,
)
# Adding it rounds a number to an integer, which is then in the last bits of the sum.
_ROUNDER: Final = 1.5 * 2.0**52
_MANTISSA_BITS: Final = 52
_EXPONENT_BIAS: Final = 1023
# exp overflows at 709.8: the margin allows a product with a moderate factor.
LARGEST_EXPONENT: Final = 680.0
# Below it results would be subnormal, and arithmetic with these takes fifty times as long.
_LOWEST_EXPONENT: Final = -700.0

# Bounds of Cody's three ranges; numerators and denominators follow, highest power first.
_NEAR, _FAR = 0.46875, 4.0
_NEAR_NUMERATOR: Final = (
    *(1.85777706184603153e-1, 3.16112374387056560e00, 1.13864154151050156e02),
    *(3.77485237685302021e02, 3.20937758913846947e03),
)
_NEAR_DENOMINATOR: Final = (
    *(1.0, 2.36012909523441209e01, 2.44024637934444173e02),
    *(1.28261652607737228e03, 2.84423683343917062e03),
)
_NUMERATOR: Final = (
    *(2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e00),
    *(6.61191906371416295e01, 2.98635138197400131e02, 8.81952221241769090e02),
    *(1.71204761263407058e03, 2.05107837782607147e03, 1.23033935479799725e03),
)
_DENOMINATOR: Final = (
    *(1.0, 1.57449261107098347e01, 1.17693950891312499e02),
    *(5.37181101862009858e02, 1.62138957456669019e03, 3.29079923573345963e03),
    *(4.36261909014324716e03, 3.43936767414372164e03, 1.23033935480374942e03),
)
_FAR_NUMERATOR: Final = (
    *(1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1),
    *(1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
)
_FAR_DENOMINATOR: Final = (
    *(1.0, 2.56852019228982242e00, 1.87295284992346047e00),
    *(5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
)
# Dekker's constant 2²⁷ + 1: it splits a double into two halves whose products are exact.
_SPLITTER: Final = 134217729.0
_ROOT_PI: Final = math.sqrt(math.pi)


@compiled_in_order
def exp(x: float) -> float:
    """Return e^x to one rounding for |x| ≤ 700, NaN for NaN; undefined for larger |x|."""
    shifted = x * _INVERSE_LOG_TWO + _ROUNDER
    n = shifted - _ROUNDER
    high, low = x - n * _LOG_TWO, n * _LOG_TWO_TAIL
    rest = high - low
    square = rest * rest
    c1, c2, c3, c4, c5 = _SERIES
    even = rest - square * (c1 + square * (c2 + square * (c3 + square * (c4 + square * c5))))
    reduced = 1.0 - ((low - rest * even / (2.0 - even)) - high)
    # 2ⁿ, from its bits; the shift drops those of the rounder.
    scale = (np.float64(shifted).view(np.int64) + _EXPONENT_BIAS) << _MANTISSA_BITS
    return reduced * np.int64(scale).view(np.float64)


@compiled
def bounded_exp(exponent: float) -> float:
    """Return exp(exponent) with the exponent cut at `LARGEST_EXPONENT`; zero below −700."""
    result = exp(min(exponent, LARGEST_EXPONENT))
    return 0.0 if exponent < _LOWEST_EXPONENT else result


@compiled
def erfcx(x: float) -> float:
    """Return exp(x²)·erfc(x), to a few roundings."""
    size = abs(x)
    if size <= _NEAR:
        square = size * size
        erf = size * _ratio(square, _NEAR_NUMERATOR, _NEAR_DENOMINATOR)
        scaled = _exp_of_square(size) * (1.0 - erf)
    elif size <= _FAR:
        scaled = _ratio(size, _NUMERATOR, _DENOMINATOR)
    else:
        inverse = 1.0 / (size * size)
        correction = inverse * _ratio(inverse, _FAR_NUMERATOR, _FAR_DENOMINATOR)
        scaled = (1.0 / _ROOT_PI - correction) / size
    return scaled if x >= 0.0 else 2.0 * _exp_of_square(size) - scaled


@compiled
def _ratio(x: float, top: tuple[float, ...], bottom: tuple[float, ...]) -> float:
    """Return the ratio of two polynomials of equal degree, highest power first."""
    numerator, denominator = top[0], bottom[0]
    for k in range(1, len(top)):
        numerator = numerator * x + top[k]
        denominator = denominator * x + bottom[k]
    return numerator / denominator


@compiled_in_order  # reassociation would destroy the exact square
def _exp_of_square(x: float) -> float:
    """Return exp(x²), corrected for the rounding of the square."""
    square = x * x
    high = _SPLITTER * x - (_SPLITTER * x - x)
    low = x - high
    return math.exp(square) * (1.0 + (high * high - square + 2.0 * high * low + low * low))


@compiled
def normal_quantile(p: float) -> float:
    """Return z with Φ(z) = p for 0 < p ≤ 1/2, to seven digits: enough for an initial guess."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        top = ((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
        return q * top / (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0)
    r = math.sqrt(-math.log(p))
    if r <= 5.0:
        r -= 1.6
        top = ((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777
        return -top / ((0.12021132975 * r + 0.73700164250) * r + 1.0)
    r -= 5.0
    top = ((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150
    return -top / ((0.012258202635 * r + 0.24197894225) * r + 1.0)

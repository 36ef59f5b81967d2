"""Exponential function by arithmetic only, so that compilers vectorise loops over it.

The C library's function is called for one number at a time and takes twice as long.

References
----------
Sun's fdlibm 5.3, e_exp.c: the parts of ln 2, the polynomial and the reconstruction.
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

"""exp() in arithmetic alone, so that compilers turn loops over it into vector code.

A library's is called number by number, and takes twice as long.

References
----------
Sun's fdlibm 5.3, e_exp.c, for the parts of ln 2, the polynomial, and what is made of it.
"""

import math
from typing import Final

import numpy as np

from levy_numerics.jit import compiled, compiled_in_order

_PER_DOUBLING: Final = 1.0 / math.log(2.0)
_DOUBLING, _DOUBLING_TAIL = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""ln 2 in parts, the first of 32 bits: its products with whole numbers to a thousand are exact."""
_SERIES: Final = (
    1.66666666666666019037e-01,
    -2.77777777770155933842e-03,
    6.61375632143793436117e-05,
    -1.65339022054652515390e-06,
    4.13813679705723846039e-08,
)
"""Of r·(exp(r) + 1)/(exp(r) − 1) about 2, in even powers of r from the second on."""
_TO_WHOLE: Final = 1.5 * 2.0**52
"""Added, it leaves a whole number in the last bits."""
_MANTISSA_BITS: Final = 52
_EXPONENT_OF_ONE: Final = 1023
LARGEST_EXPONENT: Final = 680.0
_LOWEST_EXPONENT: Final = -700.0


@compiled_in_order
def exp(x: float) -> float:
    """e^x to one rounding, for |x| ≤ 700; NaN stays so, and beyond is anything."""
    shifted = x * _PER_DOUBLING + _TO_WHOLE
    doublings = shifted - _TO_WHOLE
    high, low = x - doublings * _DOUBLING, doublings * _DOUBLING_TAIL
    rest = high - low
    square = rest * rest
    c1, c2, c3, c4, c5 = _SERIES
    even = rest - square * (c1 + square * (c2 + square * (c3 + square * (c4 + square * c5))))
    reduced = 1.0 - ((low - rest * even / (2.0 - even)) - high)
    scale = (np.float64(shifted).view(np.int64) + _EXPONENT_OF_ONE) << _MANTISSA_BITS
    return reduced * np.int64(scale).view(np.float64)


@compiled
def bounded_exp(exponent: float) -> float:
    """Return exp of an exponent, at most that of the largest; zero below the lowest."""
    result = exp(min(exponent, LARGEST_EXPONENT))
    return 0.0 if exponent < _LOWEST_EXPONENT else result

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


def _array_namespace(*_arrays: Any) -> Callable[..., Any]:
    def found(*_arrays: Any) -> Any:
        return np

    return found


def _log1p_of_one(z: complex) -> complex:
    """As `special.log1p`, which says why."""
    x, y = z.real, z.imag
    excess = x * (2.0 + x) + y * y
    if excess < _ABOUT_MINUS_ONE:
        log_square = math.log((1.0 + x) ** 2 + y * y)
    else:
        log_square = math.log1p(excess)
    return complex(0.5 * log_square, math.atan2(y, 1.0 + x))


def _log1p(z: Any) -> Callable[..., Any]:
    if not isinstance(z, types.Array):
        return _log1p_of_one

    def of_each(z: Any) -> Any:
        found = np.empty(z.shape, dtype=np.complex128)
        for k in range(len(z)):
            found[k] = _log1p_of_one(z[k])
        return found

    return of_each


register_jitable(_log1p_of_one)
overload(special.array_namespace)(_array_namespace)
overload(special.log1p)(_log1p)

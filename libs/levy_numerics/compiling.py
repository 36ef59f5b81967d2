"""How loops are compiled: by Numba, kept on disk for the next process, without Python's lock.

What is kept counts as old once the loop's own file has changed. Of a constant or a function that it
takes from another file Numba knows nothing: who changes one in place touches the loop's file too.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Loop = TypeVar("_Loop", bound=Callable[..., Any])


def compiled(loop: _Loop) -> _Loop:
    """Compile; sums may be taken in any order, what is no number or infinite stays so."""
    fast = {"reassoc", "contract", "nsz"}
    return cast(_Loop, njit(cache=True, nogil=True, error_model="numpy", fastmath=fast)(loop))


def compiled_in_order(loop: _Loop) -> _Loop:
    """Compile to just the operations that are written, in their order, whoever calls.

    Unless it is told so, Numba gives a callee the liberties of the caller that it compiles it for.
    """
    return cast(_Loop, njit(cache=True, nogil=True, error_model="numpy", fastmath=False)(loop))

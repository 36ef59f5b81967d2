"""Numba settings: compiled loops, cached on disk under a hash of the package's sources.

Numba's own cache is invalidated only by changes of the file that contains the function. Compiled
code also contains constants and helpers of other files, whose changes would leave old machine code
in use. Here each state of the package's sources has its own cache folder.

The folder is created in `NUMBA_CACHE_DIR` if that is set, otherwise in this file's `__pycache__`,
or in the user's cache if the package is read-only.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar, cast

from numba import config, njit

_Function = TypeVar("_Function", bound=Callable[..., Any])
_PREFIX: Final = "levy-"
# LLVM flags that permit vector code for sums. "nnan" and "ninf" are missing on purpose: NaN marks
# prices that do not exist, and infinity marks errors that are not bounded.
_REORDERED: Final = {"reassoc", "contract", "nsz"}
_PACKAGE: Final = Path(__file__).parent
_SETTING: Final = Lock()


def compiled(function: _Function) -> _Function:
    """Compile a function; sums may be reordered, NaN and infinity are preserved."""
    return _compile(function, _REORDERED)


def compiled_without_lock(function: _Function) -> _Function:
    """Compile as `compiled`, and release the interpreter lock while the function runs.

    Use it for functions of tens of microseconds or more: acquiring the lock again costs more than
    shorter ones take.
    """
    return _compile(function, _REORDERED, nogil=True)


def compiled_in_order_without_lock(function: _Function, *, cache: bool) -> _Function:
    """Compile as `compiled_in_order`, and release the interpreter lock while the function runs."""
    return _compile(function, False, nogil=True, cache=cache)


def compiled_in_order(function: _Function) -> _Function:
    """Compile a function to exactly the operations in its source, whatever calls it.

    Without this setting Numba compiles a callee with the fast-math flags of its caller.
    """
    return _compile(function, False)


@cache
def cache_folder() -> Path:
    """Return the folder in which machine code of the current sources is cached."""
    if config.CACHE_DIR:
        base = Path(config.CACHE_DIR)
    elif os.access(_PACKAGE, os.W_OK):
        base = _PACKAGE / "__pycache__"
    else:
        base = Path.home() / ".cache" / "levy_numerics"
    return base / f"{_PREFIX}{sources_hash(_PACKAGE)}"


def sources_hash(package: Path) -> str:
    """Return a hash of the names and contents of all Python files below a folder."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(package.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def remove_outdated() -> None:
    """Delete machine code of other states of the sources."""
    current = cache_folder()
    for folder in current.parent.glob(f"{_PREFIX}*"):
        if folder != current:
            shutil.rmtree(folder, ignore_errors=True)


def _compile(
    function: _Function, fastmath: Any, *, nogil: bool = False, cache: bool = True
) -> _Function:
    options = {"cache": cache, "nogil": nogil, "error_model": "numpy", "fastmath": fastmath}
    # Numba reads the folder when the decorator is applied; other packages keep their setting. The
    # setting belongs to the process, and models are compiled in whatever thread fits them first.
    with _SETTING:
        configured = config.CACHE_DIR
        config.CACHE_DIR = str(cache_folder())
        try:
            return cast(_Function, njit(**options)(function))
        finally:
            config.CACHE_DIR = configured

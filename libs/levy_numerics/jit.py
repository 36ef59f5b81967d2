"""Numba settings: compiled loops, cached on disk under a hash of the package's sources.

Numba's own cache compares a function's file only. A compiled function also contains the constants
and helpers it took from other files, so a change there would leave old machine code in use. Here
each state of the package's sources has its own cache folder.

The folder lies below `NUMBA_CACHE_DIR` where that is set, otherwise beside this file, or in the
user's cache where the package cannot be written to.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from numba import config, njit

_Function = TypeVar("_Function", bound=Callable[..., Any])
_PREFIX: Final = "levy-"
_REORDERED: Final = {"reassoc", "contract", "nsz"}
_PACKAGE: Final = Path(__file__).parent


def compiled(function: _Function) -> _Function:
    """Compile; sums may be reordered, NaN and infinity are preserved."""
    return _compile(function, _REORDERED)


def compiled_without_lock(function: _Function) -> _Function:
    """Compile as `compiled`, and release the interpreter lock while it runs.

    For functions that take tens of microseconds and more. Shorter ones would lose that time: taking
    the lock back from another thread costs more than they do.
    """
    return _compile(function, _REORDERED, nogil=True)


def compiled_in_order_without_lock(function: _Function, *, cache: bool) -> _Function:
    """Compile as `compiled_in_order`, and release the interpreter lock; cached on disk if asked."""
    return _compile(function, False, nogil=True, cache=cache)


def compiled_in_order(function: _Function) -> _Function:
    """Compile to exactly the operations that are written, for any caller.

    Without this setting Numba compiles a callee with the liberties of its caller.
    """
    return _compile(function, False)


@cache
def cache_folder() -> Path:
    """Return the folder in which machine code of the present sources is cached."""
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
    """Delete machine code that belongs to other states of the sources."""
    current = cache_folder()
    for folder in current.parent.glob(f"{_PREFIX}*"):
        if folder != current:
            shutil.rmtree(folder, ignore_errors=True)


def _compile(
    function: _Function, fastmath: Any, *, nogil: bool = False, cache: bool = True
) -> _Function:
    configured = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())
    try:
        options = {"cache": cache, "nogil": nogil, "error_model": "numpy", "fastmath": fastmath}
        return cast(_Function, njit(**options)(function))
    finally:
        config.CACHE_DIR = configured

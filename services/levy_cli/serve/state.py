"""The folder of data that outlive a run of `levy serve`."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LOCK_SECONDS: Final = 15.0
"""Time that the processes of a supervisor that was killed have to end."""
_POLL_SECONDS: Final = 0.05


class StateInUseError(Exception):
    """Another `levy serve` uses the folder."""


def default_state_dir(port: int) -> Path:
    """Return the folder for the system on a port, below the user's state folder (XDG)."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "levy" / f"serve-{port}"


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Create the folder if necessary, lock it, and yield the descriptor of the lock.

    The lock is held until every process that has the descriptor has ended: two servers must never
    append to the same file, and the port of the gateway must be free.

    Raises
    ------
    StateInUseError
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise StateInUseError(f"{folder} is not a folder; choose another --state-dir") from None
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                message = f"{folder} is in use by another levy serve; choose another --state-dir"
                raise StateInUseError(message)
            time.sleep(_POLL_SECONDS)
        yield lock
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

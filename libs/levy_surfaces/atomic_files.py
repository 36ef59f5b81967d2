"""Write a file completely or not at all."""

import os
import shutil
from pathlib import Path


def write_atomically(path: str | Path, content: bytes) -> None:
    """Replace a file by new content in one step.

    The content is written and synchronised to a file beside the target, which is then renamed.
    A full disk or an interrupt therefore leaves the previous file as it was. A symbolic link is
    followed, and the permissions of an existing file are kept. Devices and pipes, which cannot be
    renamed over, are written to directly.

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk is full; the error names the file.
    """
    try:
        _replace(Path(os.path.realpath(path)), content)
    except OSError as error:
        # The error of a write does not name the file.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(target: Path, content: bytes) -> None:
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)

"""Append-only records: JSON lines, each with the hash of the line before."""

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from levy_numerics.errors import InvalidInputError

_PREVIOUS: Final = "previous"
_START: Final = hashlib.sha256(b"").hexdigest()
"""Stands for the line before the first."""


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Append a record, written to disk before the function returns.

    Processes that append to one file wait for each other.

    Raises
    ------
    InvalidInputError
        A line of the file was changed or removed.
    OSError
        The file cannot be written.
    """
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        records = _parsed(path, file.read())
        previous = _hash(records[-1][0]) if records else _START
        line = json.dumps({**record, _PREVIOUS: previous}, ensure_ascii=False, allow_nan=False)
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file in their order; none if it does not exist.

    Raises
    ------
    InvalidInputError
        A line was changed or removed, other than at the end.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    return [record for _, record in _parsed(path, content)]


def _parsed(path: Path, content: bytes) -> list[tuple[bytes, dict[str, Any]]]:
    """Return each line and its record, after comparing the hashes."""
    records: list[tuple[bytes, dict[str, Any]]] = []
    expected = _START
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            record = json.loads(line)
            is_next = record[_PREVIOUS] == expected
        except (ValueError, KeyError, TypeError):
            is_next = False
        if not is_next:
            raise InvalidInputError(
                f"{path}, line {number}: this line or the one before was changed since it was "
                "written; restore the file from a backup"
            )
        records.append((line, record))
        expected = _hash(line)
    return records


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()

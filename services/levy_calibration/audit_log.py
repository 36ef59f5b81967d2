"""Append-only log of calibrations, from which each answer can be computed again."""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final

import orjson
import structlog

from levy_numerics.calibration.hybrid import Fit
from levy_numerics.errors import InvalidInputError
from levy_schemas.calibration import CalibrationRequest, CalibrationResult
from levy_service import caller, engine_version, request_id

PATTERN: Final = "calibrations-*.jsonl"
_log: Final = structlog.get_logger()


@dataclass
class AuditLog:
    """Files of JSON lines in a folder, one line for each calibrated surface.

    Each process writes files that no other process writes, and begins another one when a file has
    `file_bytes` or a line could not be written whole. Files are never renamed or changed. Lines
    are passed to the operating system before the response is sent, and survive a crash of the
    process, not a loss of power.

    Attributes
    ----------
    folder : Path
    with_requests : bool
        Whether the request is stored; otherwise only its hash.
    file_bytes : int
    n_starts : int, optional
        Of least squares, as in `calibrate`.
    """

    folder: Path
    with_requests: bool = True
    file_bytes: int = 100_000_000
    n_starts: int | None = None
    _engine_version: str = field(default_factory=engine_version, repr=False)
    _descriptor: int = field(default=-1, repr=False)
    _size: int = field(default=0, repr=False)
    _n_files: int = field(default=0, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(
        self,
        request: CalibrationRequest,
        fit: Fit,
        result: CalibrationResult,
        *,
        networks: Sequence[str] = (),
        is_shared: bool = False,
    ) -> None:
        """Append a calibration; a failure is logged, and does not affect the response.

        Parameters
        ----------
        request : CalibrationRequest
        fit : Fit
        result : CalibrationResult
        networks : sequence of str
            Versions of the networks that the fit could use, in order.
        is_shared : bool
            Whether tables of the pricer were shared with other surfaces of a batch, which may
            change the last digits.
        """
        content = canonical(request)
        outcomes = {attempt.version: attempt.outcome for attempt in fit.attempts}
        head = {
            "id": request_id.current(),
            "when": datetime.now(UTC).isoformat(),
            "who": caller.current(),
            "model_type": result.model_type,
            "request_sha256": hashlib.sha256(content).hexdigest(),
            "engine_version": self._engine_version,
            "networks": [
                {"version": version, "outcome": outcomes.get(version, "not_tried")}
                for version in networks
            ],
            "n_starts": self.n_starts,
            "shared_tables": is_shared,
        }
        parts = [orjson.dumps(head)[:-1], b',"answer":', result.model_dump_json().encode()]
        if self.with_requests:
            parts += [b',"request":', content]
        parts.append(b"}\n")
        try:
            with self._lock:
                self._append(b"".join(parts))
        except OSError as error:
            _log.error("audit_log.failed", reason=str(error))

    def _append(self, line: bytes) -> None:
        if self._descriptor < 0 or self._size >= self.file_bytes:
            self._begin_file()
        written = os.write(self._descriptor, line)
        self._size += written
        if written < len(line):
            self._close()
            raise OSError(f"only {written} of {len(line)} bytes were written to {self.folder}")

    def _begin_file(self) -> None:
        self._close()
        now = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        name = PATTERN.replace("*", f"{now}-{os.getpid()}-{self._n_files}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._descriptor = os.open(self.folder / name, flags, 0o640)
        self._n_files += 1
        self._size = 0

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def canonical(request: CalibrationRequest) -> bytes:
    """Return a request as JSON that does not depend on the order of members or on defaults."""
    return request.model_dump_json(exclude_defaults=True).encode()


@dataclass(frozen=True)
class Entry:
    """A logged calibration.

    Attributes
    ----------
    id : str
        Request id; surfaces of a batch share it.
    when, who, model_type, request_sha256, engine_version : str
    networks : tuple of str
        Versions of the networks that the fit could use, in order.
    n_starts : int, optional
    shared_tables : bool
    answer : dict
    request : CalibrationRequest, optional
        None where the log contains only its hash.
    """

    id: str
    when: str
    who: str
    model_type: str
    request_sha256: str
    engine_version: str
    networks: tuple[str, ...]
    n_starts: int | None
    shared_tables: bool
    answer: dict[str, Any]
    request: CalibrationRequest | None

    @classmethod
    def of(cls, line: bytes) -> "Entry":
        """Parse a line.

        Raises
        ------
        ValueError, KeyError, TypeError
            The line is not an entry, or its request does not match its hash.
        """
        content = orjson.loads(line)
        request = None
        if "request" in content:
            request = CalibrationRequest.model_validate_json(orjson.dumps(content["request"]))
            if hashlib.sha256(canonical(request)).hexdigest() != content["request_sha256"]:
                raise ValueError("the request does not match its hash")
        names = ("id", "when", "who", "model_type", "request_sha256", "engine_version", "n_starts")
        return cls(
            **{name: content[name] for name in names},
            networks=tuple(network["version"] for network in content["networks"]),
            shared_tables=content["shared_tables"],
            answer=content["answer"],
            request=request,
        )


def read_entries(path: str | Path) -> Iterator[Entry]:
    """Yield the entries of a file or of a folder, in the order of time within each file.

    An incomplete last line, left by a full disk or a crash, is skipped.

    Raises
    ------
    InvalidInputError
        The path contains no log, or a line is not a valid entry.
    """
    for file in _files(Path(path)):
        for number, line in enumerate(file.read_bytes().splitlines(keepends=True), start=1):
            if not line.endswith(b"\n"):
                break
            try:
                yield Entry.of(line)
            except (ValueError, KeyError, TypeError) as error:
                reason = " ".join(str(error).split())
                raise InvalidInputError(
                    f"{file}, line {number}: not an entry of the log of calibrations: {reason}"
                ) from None


def _files(path: Path) -> Sequence[Path]:
    if path.is_dir():
        files = sorted(path.glob(PATTERN))
        if not files:
            raise InvalidInputError(f"{path} contains no {PATTERN}")
        return files
    if not path.is_file():
        raise InvalidInputError(f"{path} does not exist")
    return [path]

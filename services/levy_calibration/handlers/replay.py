"""Compute logged calibrations again, and compare the answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from levy_calibration.audit_log import Entry
from levy_calibration.handlers.calibrate import calibrate
from levy_calibration.registry import Registry
from levy_numerics.calibration.hybrid import Proposer
from levy_numerics.errors import LevyError

_NOT_COMPARED: Final = ("calibration_time_ms", "request_id")
_SHARED: Final = (
    "the surface was fitted in a batch whose surfaces shared tables of the pricer; last digits may "
    "differ"
)


@dataclass(frozen=True)
class Difference:
    """A member of an answer that is not equal.

    Attributes
    ----------
    member : str
        JSON pointer.
    logged, replayed : JSON value
    """

    member: str
    logged: Any
    replayed: Any


@dataclass(frozen=True)
class Replay:
    """A calibration that was computed again.

    Attributes
    ----------
    entry : Entry
    differences : tuple of Difference
        Empty where the answers are equal to the last digit.
    reasons : tuple of str
        What differs between then and now.
    problem : str
        Why the calibration could not be computed; empty if it was.
    """

    entry: Entry
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()
    problem: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether every digit of the answer is equal."""
        return not (self.differences or self.problem)


def replay(entry: Entry, registry: Registry, engine_version: str) -> Replay:
    """Calibrate a logged request again, with the networks of then.

    Parameters
    ----------
    entry : Entry
    registry : Registry
        Contains the networks of then; aliases are not used.
    engine_version : str
        Of this engine.
    """
    reasons = tuple(_reasons(entry, engine_version))
    if entry.request is None:
        problem = (
            "the log contains only the hash of the request; LEVY_CALIBRATION_AUDIT_REQUESTS=true "
            "stores it"
        )
        return Replay(entry, (), reasons, problem)
    try:
        networks: Sequence[Proposer] = [
            registry.artifact(entry.model_type, version).load() for version in entry.networks
        ]
        result = calibrate(
            entry.request,
            engine_version=engine_version,
            choose=lambda _: networks,
            n_starts=entry.n_starts,
        )
    except LevyError as error:
        return Replay(entry, (), reasons, error.message)
    logged = {k: v for k, v in entry.answer.items() if k not in _NOT_COMPARED}
    replayed = result.model_dump(mode="json", exclude=set(_NOT_COMPARED))
    return Replay(entry, tuple(_differences(logged, replayed, "")), reasons)


def _reasons(entry: Entry, engine_version: str) -> Iterator[str]:
    if entry.engine_version != engine_version:
        yield f"the engine was {entry.engine_version}, and is {engine_version}"
    if entry.shared_tables:
        yield _SHARED


def _differences(logged: Any, replayed: Any, member: str) -> Iterator[Difference]:
    """Yield the values that differ, by their pointers."""
    if isinstance(logged, Mapping) and isinstance(replayed, Mapping):
        for name in dict.fromkeys([*logged, *replayed]):
            yield from _differences(logged.get(name), replayed.get(name), f"{member}/{name}")
    elif isinstance(logged, list) and isinstance(replayed, list) and len(logged) == len(replayed):
        for k, (first, second) in enumerate(zip(logged, replayed, strict=True)):
            yield from _differences(first, second, f"{member}/{k}")
    elif logged != replayed:
        yield Difference(member, logged, replayed)

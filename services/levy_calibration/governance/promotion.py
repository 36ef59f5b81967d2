"""Promotions and rollbacks: judged by the gate, and recorded with who, when and why."""

import getpass
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from levy_calibration.governance.gate import Gate, Verdict
from levy_calibration.registry import Registry
from levy_calibration.registry.aliases import Alias, Aliases
from levy_calibration.registry.chained_records import append_record, read_records
from levy_numerics.errors import InvalidInputError

RECORDS: Final = "promotions.jsonl"
"""File of the records, in a model's folder."""
Action = Literal["promoted", "refused", "overridden", "rolled back"]


class GateRefusedError(InvalidInputError):
    """A network does not meet the thresholds."""

    def __init__(self, version: str, verdict: Verdict) -> None:
        super().__init__(
            f"{version} was not promoted: {'; '.join(verdict.failures)}. Train it again, or "
            "promote it with --override REASON, which is recorded"
        )
        self.verdict = verdict


def promote(
    registry: Registry,
    model: str,
    version: str,
    *,
    gate: Gate,
    alias: Alias = "champion",
    override: str | None = None,
    who: str | None = None,
) -> tuple[Aliases, Verdict]:
    """Give a network an alias if it passes the gate.

    The decision is recorded before the alias changes, a refusal as well.

    Parameters
    ----------
    registry : Registry
    model, version : str
    gate : Gate
    alias : {"champion", "challenger"}
    override : str, optional
        Reason to promote a network that fails.
    who : str, optional
        By default the user of the process.

    Raises
    ------
    GateRefusedError
        The network fails, and `override` is None.
    InvalidInputError
        The network cannot be loaded, or the reason is blank.
    """
    if override is not None and not override.strip():
        raise InvalidInputError("--override requires a reason")
    artifact = registry.artifact(model, version)
    verdict = gate.judge(artifact.load())
    action: Action = "promoted"
    if not verdict.is_passed:
        action = "refused" if override is None else "overridden"
    details: dict[str, Any] = {
        "version": artifact.version,
        "alias": alias,
        "sha256": dict(artifact.manifest["sha256"]),
        **verdict.as_mapping(),
    }
    if action == "overridden":
        details["reason"] = override
    _record(registry, model, action, who, details)
    if action == "refused":
        raise GateRefusedError(artifact.version, verdict)
    return registry.promote(model, artifact.version, alias), verdict


def roll_back(
    registry: Registry, model: str, *, alias: Alias = "champion", who: str | None = None
) -> Aliases:
    """Give an alias back to the previous network, and record it.

    Raises
    ------
    InvalidInputError
        The alias has no previous network, or that cannot be loaded.
    """
    before = registry.aliases(model).version(alias)
    changed = registry.rollback(model, alias)
    details = {"version": changed.version(alias), "from": before, "alias": alias}
    _record(registry, model, "rolled back", who, details)
    return changed


def records(registry: Registry, model: str) -> list[dict[str, Any]]:
    """Return the records of a model's promotions and rollbacks, the earliest first.

    Raises
    ------
    InvalidInputError
        The file was changed.
    """
    return read_records(_path(registry, model))


def current_user() -> str:
    """Return the name of the process's user, or its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _record(
    registry: Registry, model: str, action: Action, who: str | None, details: Mapping[str, Any]
) -> None:
    head = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": who or current_user(),
        "action": action,
    }
    append_record(_path(registry, model), head | dict(details))


def _path(registry: Registry, model: str) -> Path:
    return registry.root / model / RECORDS

"""Promotions are judged, recorded and reversible."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from levy_calibration.governance.gate import Gate
from levy_calibration.governance.promotion import (
    RECORDS,
    GateRefusedError,
    promote,
    records,
    roll_back,
)
from levy_calibration.registry import Registry
from levy_calibration.registry.artifact import MANIFEST, TRAINABLE, Artifact
from levy_numerics.errors import InvalidInputError
from tests.calibration_service.governance.conftest import MODEL, small_gate


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return small_gate(tmp_path)


@pytest.fixture
def strict(tmp_path: Path) -> Gate:
    """Return a gate that no network passes."""
    return small_gate(tmp_path, vol_bp="{ max = 0.1 }")


def test_what_fails_is_refused_with_its_figures_and_recorded(
    registry: Registry, strict: Gate
) -> None:
    with pytest.raises(GateRefusedError, match=r"vol_bp = 2\.\d+ must be ≤ 0\.1"):
        promote(registry, MODEL, "mlp", gate=strict)
    assert registry.aliases(MODEL).champion is None
    (record,) = records(registry, MODEL)
    assert record["action"] == "refused"
    assert record["figures"]["vol_bp"] > 0.1


def test_an_override_is_recorded_with_who_when_and_why(registry: Registry, strict: Gate) -> None:
    changed, verdict = promote(
        registry, MODEL, "mlp", gate=strict, override="outage of set, ticket 7", who="desk"
    )
    assert changed.champion == registry.artifact(MODEL, "mlp").version
    (record,) = records(registry, MODEL)
    assert (record["action"], record["who"]) == ("overridden", "desk")
    assert record["reason"] == "outage of set, ticket 7"
    assert record["failures"] == list(verdict.failures)
    assert record["gate"] == strict.digest
    age = datetime.now(UTC) - datetime.fromisoformat(record["when"])
    assert timedelta(0) <= age < timedelta(minutes=5)


def test_an_override_requires_a_reason(registry: Registry, strict: Gate) -> None:
    with pytest.raises(InvalidInputError, match="requires a reason"):
        promote(registry, MODEL, "mlp", gate=strict, override=" ")
    assert registry.aliases(MODEL).champion is None


def test_promotions_and_rollbacks_are_recorded_in_order(registry: Registry, gate: Gate) -> None:
    for name in ("mlp", "cnn"):
        promote(registry, MODEL, name, gate=gate)
    roll_back(registry, MODEL)
    found = records(registry, MODEL)
    assert [record["action"] for record in found] == ["promoted", "promoted", "rolled back"]
    mlp, cnn = (registry.artifact(MODEL, name).version for name in ("mlp", "cnn"))
    assert [record["version"] for record in found] == [mlp, cnn, mlp]
    assert found[-1]["from"] == cnn
    assert registry.aliases(MODEL).champion == mlp


@pytest.mark.parametrize("number", [0, 1])
def test_a_record_that_was_changed_or_removed_is_detected(
    registry: Registry, gate: Gate, number: int
) -> None:
    for name in ("mlp", "cnn", "set"):
        promote(registry, MODEL, name, gate=gate)
    path = registry.root / MODEL / RECORDS
    lines = path.read_text().splitlines()
    changed = [line.replace('"champion"', '"challenger"') for line in lines]
    for damaged in (
        [*lines[:number], changed[number], *lines[number + 1 :]],
        [*lines[:number], *lines[number + 1 :]],
    ):
        path.write_text("\n".join(damaged) + "\n")
        with pytest.raises(InvalidInputError, match="was changed since it was written"):
            records(registry, MODEL)
        with pytest.raises(InvalidInputError, match="was changed since it was written"):
            promote(registry, MODEL, "mlp", gate=gate)


def edited(artifact: Artifact, **changes: object) -> None:
    path = artifact.folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_an_edited_metric_is_detected(registry: Registry, gate: Gate) -> None:
    artifact = registry.artifact(MODEL, "mlp")
    metrics = json.loads(json.dumps(artifact.manifest["metrics"]))
    metrics["errors"]["nu"]["r2"] = 0.99999
    edited(artifact, metrics=metrics)
    with pytest.raises(InvalidInputError, match="changed since training"):
        promote(registry, MODEL, "mlp", gate=gate)
    with pytest.raises(InvalidInputError, match="changed since training"):
        registry.artifact(MODEL, "mlp").verify()
    metrics["errors"]["nu"]["r2"] = float("nan")
    edited(artifact, metrics=metrics)
    with pytest.raises(InvalidInputError, match="changed since training"):
        registry.artifact(MODEL, "mlp").verify()


def test_an_artifact_of_the_first_format_is_served_without_that_check(registry: Registry) -> None:
    artifact = registry.artifact(MODEL, "mlp")
    edited(artifact, format=1)
    former = registry.artifact(MODEL, "mlp")
    assert not former.covers_metrics
    assert former.load().version == artifact.version
    (former.folder / TRAINABLE).write_bytes(b"")
    with pytest.raises(InvalidInputError, match=TRAINABLE):
        former.verify()

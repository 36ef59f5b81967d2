"""A model card states what a network is for, how accurate it is, and its limits."""

import hashlib
import json
from pathlib import Path

import pytest

from levy_calibration.governance.card import CARD, ValidationReport, write_card
from levy_calibration.registry import Registry
from levy_calibration.registry.artifact import MANIFEST, SERVED
from levy_numerics.errors import InvalidInputError
from tests.calibration_service.governance.conftest import MODEL, small_gate

SECTIONS = (
    *("Intended use", "Data", "Accuracy on the holdout", "Gate", "Limits", "Validation"),
    "Provenance",
)


def report(version: str, path: Path) -> Path:
    analyses = [{"findings": ["The score is a weak detector."]}, {}]
    document = {"model_type": MODEL, "network": f"mlp {version}", "suite": "quick"}
    path.write_text(json.dumps(document | {"analyses": analyses}))
    return path


def test_a_card_has_every_section_and_the_figures_of_the_manifest(
    registry: Registry, tmp_path: Path
) -> None:
    artifact = registry.artifact(MODEL, "mlp")
    path = report(artifact.version, tmp_path / "validation.json")
    write_card(artifact, small_gate(tmp_path), ValidationReport.read(path, artifact))
    text = (artifact.folder / CARD).read_text()
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(SECTIONS)
    metrics = artifact.manifest["metrics"]
    assert f"| nu | {metrics['errors']['nu']['r2']:.5f} |" in text
    assert artifact.manifest["data_hash"]["grid"] in text
    assert hashlib.sha256((artifact.folder / MANIFEST).read_bytes()).hexdigest() in text
    assert hashlib.sha256(path.read_bytes()).hexdigest() in text
    assert "- The score is a weak detector." in text
    registry.artifact(MODEL, "mlp").verify()


def test_a_card_without_a_report_states_so(registry: Registry, tmp_path: Path) -> None:
    artifact = registry.artifact(MODEL, "set")
    text = write_card(artifact, small_gate(tmp_path)).read_text()
    assert "No validation report is attached" in text
    assert "layout `scattered`" in text


def test_a_report_on_another_network_or_of_another_kind_is_refused(
    registry: Registry, tmp_path: Path
) -> None:
    artifact = registry.artifact(MODEL, "mlp")
    other = report("mlp-0000000000", tmp_path / "other.json")
    with pytest.raises(InvalidInputError, match="validates mlp mlp-0000000000"):
        ValidationReport.read(other, artifact)
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(InvalidInputError, match="not the document of levy validate"):
        ValidationReport.read(tmp_path / "list.json", artifact)


def test_no_card_is_written_for_files_that_were_changed(registry: Registry, tmp_path: Path) -> None:
    artifact = registry.artifact(MODEL, "mlp")
    (artifact.folder / CARD).unlink(missing_ok=True)
    (artifact.folder / SERVED).write_bytes(b"changed")
    with pytest.raises(InvalidInputError, match="does not match its manifest"):
        write_card(artifact, small_gate(tmp_path))
    assert not (artifact.folder / CARD).exists()


def test_every_bundled_network_has_a_card_of_its_manifest() -> None:
    for artifact in Registry.open().artifacts():
        text = (artifact.folder / CARD).read_text()
        assert text.startswith(f"# {artifact.model}: {artifact.version}\n")
        assert hashlib.sha256((artifact.folder / MANIFEST).read_bytes()).hexdigest() in text

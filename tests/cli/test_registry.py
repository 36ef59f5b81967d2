"""`levy registry` judges, promotes and lists networks."""

import json
import shutil
from pathlib import Path

import pytest

from levy_calibration.governance.gate import PACKAGED as GATE
from levy_calibration.registry import PACKAGED, Registry
from levy_calibration.registry.artifact import MANIFEST
from levy_cli.main import main

MODEL = "VarianceGamma"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copy a network without an alias."""
    for source in (PACKAGED / MODEL).glob("mlp-*"):
        shutil.copytree(source, tmp_path / "registry" / MODEL / source.name)
    return tmp_path / "registry"


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    """Write a gate that no network passes."""
    path = tmp_path / "strict.toml"
    path.write_text(GATE.read_text().replace("{ max = 15.0 }", "{ max = 0.1 }"))
    return path


def run(folder: Path, *words: str) -> int:
    return main(["registry", *words, "--registry", str(folder)])


def test_a_refusal_states_the_figures_and_an_override_is_shown(
    folder: Path, strict: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ("mlp", "--model", "VG", "--gate", str(strict))
    assert run(folder, "gate", *named) == 1
    assert "Vol_bp = 2" in capsys.readouterr().out
    assert run(folder, "promote", *named) == 2
    message = capsys.readouterr().err
    assert "vol_bp = 2" in message
    assert "--override" in message
    assert Registry.open(folder).aliases(MODEL).champion is None
    assert run(folder, "promote", *named, "--override", "a drill") == 0
    assert "champion mlp-" in capsys.readouterr().out
    assert run(folder, "show", "mlp", "--model", "VG", "--json") == 0
    promotions = json.loads(capsys.readouterr().out)["promotions"]
    assert [record["action"] for record in promotions] == ["refused", "overridden"]
    assert promotions[1]["reason"] == "a drill"


def test_the_gate_prints_a_verdict_without_a_promotion(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "gate", "mlp", "--model", "VG", "--json") == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["failures"] == []
    assert verdict["figures"]["worst_r2"] > 0.99
    assert Registry.open(folder).aliases(MODEL).champion is None


def test_an_edited_metric_is_listed_as_changed_since_training(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def integrity() -> str:
        assert run(folder, "list", "--json") == 0
        (network,) = json.loads(capsys.readouterr().out)["networks"]
        return str(network["integrity"])

    assert integrity() == "as trained"
    (path,) = folder.glob(f"{MODEL}/*/{MANIFEST}")
    manifest = json.loads(path.read_text())
    manifest["metrics"]["errors"]["nu"]["r2"] = 0.99999
    path.write_text(json.dumps(manifest))
    assert integrity() == "changed since training"
    assert run(folder, "show", "mlp", "--model", "VG") == 2
    assert "changed since training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("list", "--override", "no reason"), "list does not use --override"),
        (("gate", "mlp", "--model", "VG", "--override", "no reason"), "gate does not use"),
        (("promote", "mlp", "--model", "VG", "--gate", "absent.toml"), "absent.toml"),
    ],
)
def test_options_without_an_effect_are_refused(
    words: tuple[str, ...], reason: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, *words) in (1, 2)
    assert reason in capsys.readouterr().err

"""Fixtures: copies of the bundled networks of Variance Gamma."""

import shutil
from pathlib import Path

import pytest

from levy_calibration.governance.gate import PACKAGED as THRESHOLDS
from levy_calibration.governance.gate import Gate
from levy_calibration.registry import PACKAGED, Registry

MODEL = "VarianceGamma"


def small_gate(folder: Path, **replaced: str) -> Gate:
    """Return the gate with a small sample, and with other text for some limits."""
    text = THRESHOLDS.read_text().replace("surfaces = 1024", "surfaces = 128")
    text = text.replace("fits = 24", "fits = 2")
    for old, new in replaced.items():
        assert old in text
        text = text.replace(f"\n{old} = ", f"\n{old} = {new} #")
    (folder / "gate.toml").write_text(text)
    return Gate.read(folder / "gate.toml")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Copy three networks, none of which has an alias."""
    for folder in (PACKAGED / MODEL).iterdir():
        if folder.name.startswith(("mlp-", "cnn-", "set-")):
            shutil.copytree(folder, tmp_path / "registry" / MODEL / folder.name)
    return Registry.open(tmp_path / "registry")

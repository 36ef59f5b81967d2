"""Fixtures: training with little data and recipes that take seconds."""

from pathlib import Path

import pytest

from levy_calibration.training.publish import Workshop
from levy_surfaces.synthetic.generation import generate
from levy_surfaces.synthetic.layouts import Layout
from levy_surfaces.synthetic.manifest import Plan

MODEL = "VarianceGamma"
SIZES: dict[Layout, int] = {"grid": 600, "scattered": 256}
COMMON = "epochs: 2\nbatch_size: 64\nrounds: 1\n"
RECIPES = {
    "mlp": "network: mlp\noptions: {widths: [16]}\nseed: 1\n",
    "cnn": "network: cnn\noptions: {channels: [4], widths: [16]}\nseed: 2\n",
    "resnet": "network: resnet\noptions: {width: 16, bottleneck: 8, blocks: 1}\nseed: 3\n",
    "set": "network: set\noptions: {n_basis: 6, basis_width: 8, widths: [16]}\nseed: 4\n",
    "ensemble": "network: ensemble\noptions: {members: [mlp, resnet]}\n",
}


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate surfaces of Variance Gamma in both layouts."""
    folder = tmp_path_factory.mktemp("data")
    for layout, size in SIZES.items():
        generate(Plan(MODEL, size, layout=layout), folder)
    return folder


@pytest.fixture(scope="session")
def recipes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one recipe per network."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, text in RECIPES.items():
        (folder / f"{name}.yaml").write_text(text + (COMMON if name != "ensemble" else ""))
    return folder


@pytest.fixture
def shop(data_folder: Path, recipes_folder: Path, tmp_path: Path) -> Workshop:
    """Return a training context with a temporary registry and checkpoints."""
    return Workshop(data_folder, recipes_folder, tmp_path / "runs", tmp_path / "registry")

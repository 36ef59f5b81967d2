"""The gate accepts trained networks and rejects untrained ones."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from levy_calibration.governance.gate import MEASURES, PACKAGED, Gate
from levy_calibration.networks.trained import TrainedNetwork
from levy_calibration.registry import Registry
from levy_calibration.registry.aliases import ALIASES
from levy_calibration.registry.artifact import TRAINABLE, Artifact
from levy_calibration.training.examples import Source, TrainingData, make_examples
from levy_calibration.training.export import files_of, load_trainable
from levy_calibration.training.recipe import Recipe
from levy_calibration.training.trainer import train
from levy_numerics.errors import InvalidInputError
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box, sobol_targets
from tests.calibration_service.governance.conftest import MODEL

N_SURFACES = 1_024
GATE = Gate.read()
IN_USE = [
    (model, version)
    for model in Registry.open().models()
    for alias in ALIASES
    if (version := Registry.open().aliases(model).version(alias))
]


def fine_tuned(artifact: Artifact, folder: Path, *, shuffled: bool) -> TrainedNetwork:
    """Train a network further, on true targets or on those of other surfaces."""
    recipe = Recipe.of(
        {**artifact.manifest["recipe"], "epochs": 6, "batch_size": 64, "learning_rate": 1e-3}
    )
    box = Box.of(MODEL)
    targets = sobol_targets(len(box.axes), N_SURFACES, seed=5)
    price = SinhPricer(grid.grid_contracts(), 1e-8).price(box.model(targets)).value
    surfaces = PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price)
    if shuffled:
        targets = np.random.default_rng(0).permutation(targets)
    source = Source(surfaces, targets.astype(np.float32))
    data = TrainingData(box, (source,), {"grid": "in memory"})
    start: keras.Model = load_trainable(artifact.folder / TRAINABLE)
    network = train(recipe, data, start=start).network
    features = make_examples(source, "grid", np.random.default_rng(1)).features
    description: dict[str, Any] = {"model": MODEL, "network": "mlp", "reads": "grid"}
    return Artifact.write(folder, description, files_of(network, [features])).load()


@pytest.mark.slow
def test_a_network_with_shuffled_targets_fails_and_one_with_true_targets_passes(
    registry: Registry, tmp_path: Path
) -> None:
    shipped = registry.artifact(MODEL, "mlp")
    passing = GATE.judge(fine_tuned(shipped, tmp_path / "true", shuffled=False))
    assert passing.is_passed, passing.failures
    failing = GATE.judge(fine_tuned(shipped, tmp_path / "shuffled", shuffled=True))
    assert failing.figures["worst_r2"] < 0.5
    assert any(failure.startswith("worst_r2 = ") for failure in failing.failures)


@pytest.mark.parametrize(("model", "version"), IN_USE)
def test_the_bundled_networks_in_use_pass(model: str, version: str) -> None:
    verdict = GATE.judge(Registry.open().artifact(model, version).load())
    assert set(verdict.figures) == set(MEASURES)
    assert verdict.is_passed, verdict.failures


def test_each_limit_is_compared_with_its_figure(registry: Registry) -> None:
    network = registry.artifact(MODEL, "mlp").load()
    figures = GATE.judge(network).figures
    for name in MEASURES:
        limit = 1.0 + 2.0 * abs(figures[name])
        for side, value in (("min", limit), ("max", -limit)):
            thresholds = GATE.model_dump()["thresholds"] | {name: {side: value}}
            gate = GATE.model_validate({**GATE.model_dump(), "thresholds": thresholds})
            (failure,) = gate._failures(figures)
            assert failure.startswith(f"{name} = ")
            assert f"{value:g}" in failure


def test_a_figure_that_is_not_a_number_fails() -> None:
    gate = Gate.read()
    figures = dict.fromkeys(MEASURES, float("nan"))
    assert len(list(gate._failures(figures))) >= len(MEASURES)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("vol_bp = { max = 15.0 }", "", "vol_bp"),
        ("vol_bp = { max = 15.0 }", "vol_bp = { }", "vol_bp"),
        ("vol_bp = { max = 15.0 }", 'vol_bp = { max = "15" }', "thresholds.vol_bp.max"),
        ("[thresholds]", "[thresholds]\nsharpness = { min = 1.0 }", "sharpness"),
        ("fits = 24", "", "sample.fits"),
        ("[sample]", "[sample", "not valid TOML"),
    ],
)
def test_an_incomplete_gate_is_rejected(old: str, new: str, reason: str, tmp_path: Path) -> None:
    text = PACKAGED.read_text()
    assert old in text
    path = tmp_path / "gate.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(InvalidInputError, match=reason):
        Gate.read(path)

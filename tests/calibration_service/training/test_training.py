"""Training reduces errors, and an interrupted run has the same result as an uninterrupted one."""

from pathlib import Path

import numpy as np
import pytest

from levy_calibration.drift.statistics import ks
from levy_calibration.networks.architecture import UNIT_PARAMETERS
from levy_calibration.training.examples import Source, TrainingData, make_examples
from levy_calibration.training.publish import reference_distribution
from levy_calibration.training.recipe import PACKAGED, Recipe
from levy_calibration.training.trainer import train
from levy_numerics.errors import InvalidInputError
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box, sobol_targets

RECIPES = sorted(PACKAGED.rglob("*.yaml"))
SMALL = Recipe(
    network="mlp", options={"widths": [32]}, epochs=6, batch_size=64, rounds=2, patience=6
)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """Return 640 exact Variance Gamma surfaces on the grid."""
    box = Box.of("VarianceGamma")
    targets = sobol_targets(len(box.axes), 640, seed=5)
    contracts = grid.grid_contracts()
    price = SinhPricer(contracts, 1e-7).price(box.model(targets)).value
    surfaces = PricedSurfaces(
        np.log(contracts.strike)[None],
        contracts.maturity_years[None],
        price,
        np.zeros_like(price),
        np.ones(price.shape, dtype=bool),
    )
    return TrainingData(box, (Source(surfaces, targets.astype(np.float32)),), {"grid": "none"})


def test_a_network_learns(data: TrainingData) -> None:
    run = train(SMALL, data)
    scores = [epoch["holdout_score"] for epoch in run.history]
    assert scores[-1] == min(scores)
    held = make_examples(run.held[0], "grid", np.random.default_rng(0), exact=True)
    errors = np.asarray(run.network(held.features)[UNIT_PARAMETERS]) - held.targets
    # σ alone is half of what is to be learned; guessing the middle errs by 0.29.
    assert np.sqrt(np.mean(errors**2)) < 0.2


def test_an_interrupted_run_ends_with_the_same_weights(data: TrainingData, tmp_path: Path) -> None:
    whole = train(SMALL, data)
    train(SMALL, data, folder=tmp_path, stop_after=3)
    rest = train(SMALL, data, folder=tmp_path, resume=True)
    assert len(rest.history) == len(whole.history)
    for a, b in zip(whole.network.get_weights(), rest.network.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_checkpoint_of_another_recipe_is_rejected(data: TrainingData, tmp_path: Path) -> None:
    train(SMALL, data, folder=tmp_path, stop_after=1)
    other = Recipe.of(SMALL.as_mapping() | {"learning_rate": 1e-3})
    with pytest.raises(InvalidInputError, match="another recipe"):
        train(other, data, folder=tmp_path, resume=True)


@pytest.mark.parametrize("reads", ["mlp", "set"])
def test_the_distribution_of_training_is_that_of_what_is_shown(
    data: TrainingData, reads: str
) -> None:
    reference = reference_distribution(data, Recipe(network=reads))
    known, ours = reference.quantiles, data.box.model(data.sources[0].targets).as_mapping()
    for name, values in ours.items():
        assert ks(np.asarray(values), known[name]) < 0.005
    assert ("n_quotes" in known) == (reads == "set")
    if reads == "set":
        assert known["n_quotes"][0] >= 10
        assert known["n_quotes"][-1] == 200  # the whole grid


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_recipes_are_admissible_and_named_by_their_network(path: Path) -> None:
    assert Recipe.read(path).network == path.stem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("network: mlp\nepoch: 3\n", "epoch"),
        ("network: mlp\nepochs: 0\n", "epochs"),
        ("network: mlp\nloss: hinge\n", "loss"),
        ("epochs: 3\n", "network"),
        ("- mlp\n", "mapping"),
        ("network: [", "YAML"),
    ],
)
def test_an_invalid_recipe_is_rejected_with_the_reason(
    text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=said):
        Recipe.read(path)

"""Every architecture builds, stays inside the box, learns, and survives a round trip to disk."""

from pathlib import Path

import keras
import numpy as np
import pytest

from levy_calibration.networks import registry
from levy_calibration.networks.architecture import (
    LOG_DEVIATIONS,
    N_CHANNELS,
    N_GRID,
    UNIT_PARAMETERS,
)
from levy_numerics.errors import InvalidInputError
from levy_surfaces.synthetic.scaling import StandardScaler

N_TARGETS = 3
every_network = pytest.mark.parametrize("name", registry.names())


def features(name: str, n: int, seed: int = 0, width: int = 40) -> np.ndarray:
    """Return features of realistic size; the last channel of points is a weight in [0, 1)."""
    rng = np.random.default_rng(seed)
    if registry.get(name).reads == "grid":
        return rng.normal(-1.5, 0.4, (n, N_GRID)).astype(np.float32)
    points = rng.normal(0.0, 0.5, (n, width, N_CHANNELS))
    points[..., -1] = rng.uniform(0.1, 0.9, (n, width))
    return points.astype(np.float32)


def network(name: str) -> keras.Model:
    seen = features(name, 64)
    return registry.get(name)().build(N_TARGETS, StandardScaler.fit(seen), seed=3)


@every_network
@pytest.mark.parametrize("n", [1, 5])
def test_outputs_lie_in_the_box_for_any_batch(name: str, n: int) -> None:
    built = network(name)
    for scale in (1.0, 10.0):
        answers = built(scale * features(name, n))
        places = np.asarray(answers[UNIT_PARAMETERS])
        assert places.shape == (n, N_TARGETS)
        assert np.all((places >= 0.0) & (places <= 1.0))
        assert np.asarray(answers[LOG_DEVIATIONS]).shape == (n, N_TARGETS)


@every_network
def test_it_is_read_back_as_it_was(name: str, tmp_path: Path) -> None:
    built, seen = network(name), features(name, 4)
    built.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    for key, answer in built(seen).items():
        np.testing.assert_allclose(np.asarray(again(seen)[key]), np.asarray(answer), atol=1e-6)


@every_network
def test_the_same_seed_gives_the_same_weights(name: str) -> None:
    one, other = network(name), network(name)
    assert all(
        np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


def test_the_order_of_quotes_has_no_influence() -> None:
    built, seen = network("set"), features("set", 4)
    shuffled = seen[:, np.random.default_rng(1).permutation(seen.shape[1])]
    np.testing.assert_allclose(
        np.asarray(built(shuffled)[UNIT_PARAMETERS]),
        np.asarray(built(seen)[UNIT_PARAMETERS]),
        atol=1e-4,
    )


def test_quotes_without_weight_have_no_influence() -> None:
    built, seen = network("set"), features("set", 4)
    padded = np.concatenate([seen, np.zeros_like(seen[:, :7])], axis=1)
    np.testing.assert_allclose(
        np.asarray(built(padded)[UNIT_PARAMETERS]),
        np.asarray(built(seen)[UNIT_PARAMETERS]),
        atol=1e-4,
    )


@pytest.mark.parametrize("options", [{"depth": 3}, {"dropout": 1.0}, {"l2": -1.0}])
def test_options_that_no_network_has_are_rejected(options: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError):
        registry.get("mlp").of(options)


def test_an_unknown_network_is_rejected_by_name() -> None:
    with pytest.raises(InvalidInputError, match="resnet"):
        registry.get("transformer")

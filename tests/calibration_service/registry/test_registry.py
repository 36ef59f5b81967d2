"""Networks are served unchanged or rejected."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from levy_calibration.drift import Reference
from levy_calibration.networks.architecture import LOG_DEVIATIONS, SUMMARY, UNIT_PARAMETERS
from levy_calibration.registry import Registry
from levy_calibration.registry.artifact import FILES, REFERENCE, SERVED, TRAINABLE, Artifact
from levy_calibration.training.export import load_trainable
from levy_numerics.errors import InvalidInputError
from levy_surfaces.synthetic.priced import PricedSurfaces

MODEL = "VarianceGamma"
NETWORKS = ("mlp", "cnn", "set")


@pytest.fixture
def registry(root: Path, tmp_path: Path) -> Registry:
    """Copy a registry that a test may damage."""
    shutil.copytree(root, tmp_path / "registry")
    return Registry.open(tmp_path / "registry")


def spoil(artifact: Artifact, name: str) -> None:
    path = artifact.folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("n", [1, 3, 70])
def test_what_is_served_is_what_was_trained(
    name: str, n: int, root: Path, surfaces: PricedSurfaces
) -> None:
    artifact = Registry.open(root).artifact(MODEL, name)
    loaded, trained = artifact.load(), load_trainable(artifact.folder / TRAINABLE)
    some = surfaces.select(slice(n))
    served = loaded.output(some)
    expected = trained(loaded.features(some), training=False)
    for values, name_of_output in (
        (served.unit_parameters, UNIT_PARAMETERS),
        (served.log_deviations, LOG_DEVIATIONS),
        (served.summary, SUMMARY),
    ):
        wanted = keras.ops.convert_to_numpy(expected[name_of_output])
        # Float32, and coefficients of a ridge regression in another order of operations.
        np.testing.assert_allclose(values, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_changed_is_rejected(name: str, registry: Registry) -> None:
    artifact = registry.artifact(MODEL, "mlp")
    spoil(artifact, name)
    with pytest.raises(InvalidInputError, match=name):
        artifact.load()
    with pytest.raises(InvalidInputError, match=name):
        registry.promote(MODEL, "mlp")
    assert registry.champion(MODEL) is None


def test_a_network_keeps_its_name_whatever_reference_it_is_given(registry: Registry) -> None:
    before = registry.artifact(MODEL, "mlp")
    assert before.load().reference is None
    after = before.with_reference(Reference.of({"sigma": np.linspace(0.1, 0.9, 1_001)}))
    again = registry.artifact(MODEL, before.version)
    assert again.manifest == after.manifest
    assert again.size_bytes > before.size_bytes
    reference = again.load().reference
    assert reference is not None
    assert reference.cdf("sigma", np.array([0.5]))[0] == pytest.approx(0.5, abs=2e-3)


def test_a_reference_that_was_changed_is_rejected(registry: Registry) -> None:
    artifact = registry.artifact(MODEL, "mlp").with_reference(
        Reference.of({"sigma": np.linspace(0.1, 0.9, 1_001)})
    )
    spoil(artifact, REFERENCE)
    with pytest.raises(InvalidInputError, match=REFERENCE):
        artifact.load()


def test_a_rejected_champion_leaves_the_previous_one_in_place(registry: Registry) -> None:
    registry.promote(MODEL, "mlp")
    former = registry.champion(MODEL)
    assert former is not None
    registry.promote(MODEL, "cnn")
    spoil(registry.artifact(MODEL, "cnn"), SERVED)
    assert registry.champion(MODEL) is former
    assert "does not match its manifest" in registry.rejected[MODEL, "champion"]


def test_a_rejected_network_is_checked_again_after_a_while(registry: Registry) -> None:
    now = 0.0
    serving = Registry(registry.root, clock=lambda: now)
    registry.promote(MODEL, "mlp")
    path = registry.artifact(MODEL, "mlp").folder / SERVED
    whole = path.read_bytes()
    spoil(registry.artifact(MODEL, "mlp"), SERVED)
    for now in (0.0, 5.0):
        path.write_bytes(whole if now else path.read_bytes())
        with pytest.raises(InvalidInputError, match="does not match its manifest"):
            serving.champion(MODEL)
    now = 20.0
    assert serving.champion(MODEL) is not None
    assert serving.rejected == {}


def test_a_promotion_takes_effect_without_a_restart_and_can_be_undone(registry: Registry) -> None:
    serving = Registry.open(registry.root)
    assert serving.champion(MODEL) is None
    for name in ("mlp", "set"):
        registry.promote(MODEL, name)
        champion = serving.champion(MODEL)
        assert champion is not None
        assert champion.network == name
    registry.promote(MODEL, "cnn", alias="challenger")
    registry.rollback(MODEL)
    champion, challenger = serving.champion(MODEL), serving.challenger(MODEL)
    assert champion is not None
    assert challenger is not None
    assert (champion.network, challenger.network) == ("mlp", "cnn")
    registry.rollback(MODEL, alias="challenger")
    assert serving.challenger(MODEL) is None
    with pytest.raises(InvalidInputError, match="no earlier champion"):
        registry.rollback(MODEL)


def test_a_network_for_other_ranges_is_rejected(registry: Registry) -> None:
    path = registry.artifact(MODEL, "mlp").folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["box"]["axes"][0]["high"] += 1.0
    path.write_text(json.dumps(manifest))
    with pytest.raises(InvalidInputError, match="another range"):
        registry.artifact(MODEL, "mlp").load()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}'])
def test_an_invalid_manifest_is_rejected(text: str, registry: Registry) -> None:
    path = registry.artifact(MODEL, "mlp").folder / "manifest.json"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match="manifest"):
        Artifact.read(path.parent)


def test_names_that_nothing_or_several_have_are_rejected(registry: Registry) -> None:
    with pytest.raises(InvalidInputError, match="no network matches"):
        registry.artifact(MODEL, "transformer")
    with pytest.raises(InvalidInputError, match="not a folder"):
        Registry.open(registry.root / "elsewhere")

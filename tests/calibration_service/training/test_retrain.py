"""Networks learn from logged surfaces, whose fitted parameters are the targets."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from levy_calibration.governance.promotion import promote, records
from levy_calibration.registry import PACKAGED, Registry
from levy_calibration.training.retrain import Plan, retrain
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Quotes
from levy_numerics.models import VarianceGamma
from levy_numerics.models.base import Model
from levy_numerics.pricing import price
from levy_surfaces.synthetic.layouts import listing
from tests.calibration_service.governance.conftest import small_gate

MODEL = "VarianceGamma"
N_LOGGED = 30
OUTSIDE = VarianceGamma(sigma=1.5, nu=0.2, theta=-0.15)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Copy the bundled networks `set` and `mlp`."""
    for name in ("set-*", "mlp-*"):
        (folder,) = (PACKAGED / MODEL).glob(name)
        shutil.copytree(folder, tmp_path / "registry" / MODEL / folder.name)
    return Registry.open(tmp_path / "registry")


@pytest.fixture(scope="module")
def logged() -> list[tuple[Quotes, Model]]:
    """Return surfaces of similar markets, and one outside of the training range."""
    rng = np.random.default_rng(2)
    models = [
        VarianceGamma(
            sigma=0.2 * np.exp(0.1 * rng.standard_normal()),
            nu=0.4 * np.exp(0.1 * rng.standard_normal()),
            theta=-0.15 + 0.02 * rng.standard_normal(),
        )
        for _ in range(N_LOGGED)
    ]
    surfaces = []
    for k, model in enumerate([*models, OUTSIDE]):
        contracts = listing(11, k)
        surfaces.append((Quotes.of(contracts, price(model, contracts).value), model))
    return surfaces


@pytest.mark.long
def test_a_network_is_trained_further_judged_and_promoted(
    registry: Registry, logged: list[tuple[Quotes, Model]], tmp_path: Path
) -> None:
    champion = registry.artifact(MODEL, "set")
    plan = Plan(epochs=1, rehearsal=512)
    retrained = retrain(champion, logged, tmp_path / "data", plan)
    artifact = retrained.artifact
    assert (retrained.n_logged, retrained.n_outside) == (N_LOGGED, 1)
    assert artifact.version != champion.version
    assert artifact.manifest["started_from"] == champion.version
    assert set(artifact.manifest["data_hash"]) == {"grid", "scattered", "log"}
    artifact.verify()
    gate = small_gate(tmp_path)
    changed, verdict = promote(registry, MODEL, artifact.version, gate=gate, alias="challenger")
    assert verdict.is_passed
    assert changed.challenger == artifact.version
    (record,) = records(registry, MODEL)
    assert record["action"] == "promoted"


def test_too_few_surfaces_and_networks_on_the_grid_are_refused(
    registry: Registry, logged: list[tuple[Quotes, Model]], tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match="9 of 9 logged surfaces"):
        retrain(registry.artifact(MODEL, "set"), logged[:9], tmp_path, Plan())
    with pytest.raises(InvalidInputError, match="reads the standard grid"):
        retrain(registry.artifact(MODEL, "mlp"), logged, tmp_path, Plan())

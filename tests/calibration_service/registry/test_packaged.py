"""The bundled networks propose the parameters of a surface."""

import subprocess
import sys

import numpy as np
import pytest

from levy_calibration.drift import INPUTS, inputs
from levy_calibration.drift.statistics import ks, psi
from levy_calibration.registry import Registry
from levy_calibration.training.metrics import parameter_errors
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box, sobol_targets

EXPECTED = {
    "VarianceGamma": {"cnn", "ensemble", "mlp", "resnet", "set"},
    "CGMY": {"cnn", "ensemble", "mlp", "resnet", "set"},
    "NIG": {"ensemble", "set"},
    "Merton": {"ensemble", "set"},
}
REGISTRY = Registry.open()
EVERY = [
    pytest.param(artifact.model, artifact.version, id=f"{artifact.model}-{artifact.network}")
    for artifact in REGISTRY.artifacts()
]


def fresh(model: str, n: int = 64) -> tuple[Model, np.ndarray]:
    """Return parameters of a seed not used in training, and exact prices on the grid."""
    box = Box.of(model)
    true = box.model(sobol_targets(len(box.axes), n, seed=20_261_124))
    return true, SinhPricer(grid.grid_contracts(), 1e-8).price(true).value


def test_all_that_are_promised_are_there() -> None:
    found = {
        model: {artifact.network for artifact in REGISTRY.artifacts(model)}
        for model in REGISTRY.models()
    }
    assert found == EXPECTED


@pytest.mark.parametrize(("model", "version"), EVERY)
def test_proposals_are_close_to_the_truth(model: str, version: str) -> None:
    network = REGISTRY.artifact(model, version).load()
    true, price = fresh(model)
    surfaces = PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price)
    answers = network.output(surfaces)
    errors = parameter_errors(network.box.model(answers.unit_parameters), true)
    assert errors["variance"].median_relative < 0.03
    assert errors["skewness"].median_relative < 0.1
    assert np.mean(network.detector.score(answers.summary) <= 1.0) > 0.95


@pytest.mark.parametrize(("model", "version"), EVERY)
def test_each_network_contains_its_training_distribution(model: str, version: str) -> None:
    network = REGISTRY.artifact(model, version).load()
    true, price = fresh(model, 1_024)
    surfaces = PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price)
    described = dict(zip(INPUTS, inputs(surfaces).T, strict=True))
    assert network.reference is not None
    known = network.reference.quantiles
    for name, values in true.as_mapping().items():
        assert psi(np.asarray(values), known[name]) < 0.05, name
        assert ks(np.asarray(values), known[name]) < 0.05, name
    listing = set() if network.reads == "grid" else set(INPUTS[4:])
    assert set(known) == {*INPUTS[:4], *listing, *true.as_mapping()}
    # Training adds noise and gaps, which blur all quantities except the level.
    assert ks(described["atm_vol"], known["atm_vol"]) < 0.1


@pytest.mark.parametrize("model", sorted(EXPECTED))
def test_the_champion_reads_quotes_in_currency(model: str) -> None:
    champion = REGISTRY.champion(model)
    assert champion is not None
    true, _ = fresh(model, 4)
    contracts = Contracts.grid(
        spot=50.0,
        rate=0.03,
        dividend_yield=0.01,
        strikes=np.linspace(35.0, 65.0, 13),
        maturities=[0.1, 0.4, 1.0],
        is_call=True,
    )
    prices = SinhPricer(contracts, 1e-10).price(true).value
    proposals = champion.propose_many([Quotes.of(contracts, row) for row in prices])
    for k, proposal in enumerate(proposals):
        one = true.select(k)
        proposal.model.check()
        assert proposal.spread is not None
        assert np.all(proposal.spread > 0.0)
        ratio = proposal.model.cumulants(1.0)[1] / one.cumulants(1.0)[1]
        assert abs(np.log(ratio)) < 0.3


def test_a_surface_unlike_all_others_is_out_of_distribution() -> None:
    champion = REGISTRY.champion("VarianceGamma")
    assert champion is not None
    contracts = grid.grid_contracts()
    _, prices = fresh("VarianceGamma", 8)
    noise = np.random.default_rng(0).lognormal(0.0, 1.0, prices.shape)
    wild = np.minimum(prices * noise, 0.9 * np.minimum(1.0, contracts.strike))
    usual = [one.score for one in champion.propose_many([Quotes.of(contracts, p) for p in prices])]
    odd = [one.score for one in champion.propose_many([Quotes.of(contracts, p) for p in wild])]
    assert max(usual) < 1.0
    assert min(odd) > 1.0


def test_reading_a_surface_prints_nothing_to_stdout() -> None:
    code = (
        "import os\n"
        "import numpy as np\n"
        "from levy_calibration.networks import runtime\n"
        "from levy_calibration.registry import Registry\n"
        "Registry.open().champion('CGMY').runtime(np.zeros((1, 9, 5)))\n"
        "with runtime._banner_suppressed():\n"
        "    os.write(2, b'a line of another thread\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "a line of another thread\n")

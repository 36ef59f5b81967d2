"""The compiled sums for one parameter set after another are those that serve many."""

import numpy as np
import pytest

from levy_numerics import pricing
from levy_numerics.errors import OutsideStripError
from levy_numerics.market import Contracts
from levy_numerics.models import Merton, Model, VarianceGamma
from levy_numerics.pricing.contour import sinh_contour
from levy_numerics.pricing.factors import BY_PARAMETER
from levy_numerics.pricing.single_sums import ARRAYS
from levy_numerics.pricing.sinh import SinhPricer
from levy_numerics.pricing.sinh_single import LOOPS, LazyTable
from levy_numerics.pricing.sinh_sums import SinhTable, covered
from tests.numerics.models.members import every_model
from tests.numerics.pricing.domain import members
from tests.numerics.pricing.test_batches import ragged, surface


@every_model
def test_on_one_contour_sums_errors_and_derivatives_agree(cls):
    pricer, layout = SinhPricer(surface(), 1e-10), surface().by_maturity
    for model in members(cls, 6, "compiled sums"):
        whole = pricer.shared_table(_batch_of(model))
        lazy = LazyTable.of(whole.contour, layout, whole.origin)
        expected, found = covered(whole, model, BY_PARAMETER), lazy.covered(model, BY_PARAMETER)
        np.testing.assert_allclose(found.value, expected.value, atol=1e-13)
        np.testing.assert_allclose(found.error, expected.error, rtol=1e-5)
        largest = np.abs(expected.terms).max(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(found.terms / largest, expected.terms / largest, atol=1e-11)


@every_model
@pytest.mark.parametrize("order", [0, 2])
def test_scans_ask_for_as_many_nodes(cls, order):
    layout = ragged(60).by_maturity
    for model in members(cls, 6, "scans", longest_years=2.0):
        asked = {"tolerance": 1e-9, "step": 0.14, "tilt": np.pi / 8, "order": order}
        with np.errstate(over="ignore", invalid="ignore"):
            drift, n_nodes = LOOPS.scan(model, layout, **asked)
            expected_drift, expected = ARRAYS.scan(model, layout, **asked)
        assert n_nodes == expected
        np.testing.assert_allclose(drift, expected_drift, rtol=1e-12, atol=1e-14)


@every_model
@pytest.mark.parametrize("count", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_prices_agree_over_the_domain_to_their_own_errors(cls, count):
    strike, years = np.geomspace(0.5, 2.0, 15), np.array([1.0 / 365.0, 0.02, 0.1, 0.5, 2.0, 5.0])
    contracts = Contracts.of(
        maturity_years=np.repeat(years, strike.size),
        strike=np.tile(strike, years.size),
        forward=1.0,
        is_call=np.tile(strike > 1.0, years.size),
    )
    for model in members(cls, count, "loops domain", longest_years=5.0):
        arrays = SinhPricer(contracts, 1e-10).price(model)
        loops = SinhPricer(contracts, 1e-10, LOOPS).price(model)
        assert np.all(np.abs(loops.value - arrays.value) <= loops.error + arrays.error)
        assert np.all(loops.error <= 1e-10)


@every_model
def test_a_table_serves_neighbours_as_a_fresh_one_does(cls):
    contracts = surface()
    kept = SinhPricer(contracts, 1e-10, LOOPS)
    for model in members(cls, 4, "neighbours"):
        fresh = SinhPricer(contracts, 1e-10).price(model)
        found = kept.price(model)
        assert np.all(np.abs(found.value - fresh.value) <= found.error + fresh.error)


def test_a_contract_that_changes_wings_gets_the_waves_of_the_other():
    layout, contour = surface().by_maturity, sinh_contour(np.pi / 8, 0.14, 40)
    drifts = np.zeros(layout.maturity_years.size)
    table = LazyTable.of(contour, layout, drifts)
    whole = SinhTable.of_layout(contour, layout, drifts)
    wings = set()
    for theta in (-0.6, 0.6, -0.6):
        model = VarianceGamma(sigma=0.2, nu=0.1, theta=theta)
        with np.errstate(over="ignore"):  # as the pricer does: on the other wing waves grow
            found = table.covered(model, BY_PARAMETER)
            expected = covered(whole, model, BY_PARAMETER)
        np.testing.assert_allclose(found.value, expected.value, atol=1e-13)
        np.testing.assert_allclose(found.terms, expected.terms, atol=1e-12)
        wings.add(tuple(table.known[..., 0].ravel()))
    assert len(wings) == 2


def test_an_amplitude_that_underflows_is_not_raised_again_by_its_wave():
    # Nearly Gaussian: on the wing that K/F = 1.1 is on, the last nodes are worth exp(−2000 + 1980).
    contracts = Contracts.of(
        maturity_years=[1.0 / 365.0, 0.5], strike=[1.0, 1.1041], forward=1.0, is_call=True
    )
    model = VarianceGamma(sigma=0.1895, nu=0.006277, theta=-0.2798)
    true = pricing.price(model, contracts, method="lewis")
    found = SinhPricer(contracts, 1e-10, LOOPS).price(model)
    assert np.all(np.abs(found.value - true.value) <= found.error + true.error)


def test_a_table_that_does_not_reach_says_so_by_its_errors():
    layout, contour = surface().by_maturity, sinh_contour(np.pi / 8, 0.14, 160)
    table = LazyTable.of(contour, layout, np.full(layout.maturity_years.size, 50.0))
    assert np.all(np.isinf(table.covered(VarianceGamma.example()).error))


def test_revivals_between_nodes_are_part_of_the_error():
    layout, contour = surface().by_maturity, sinh_contour(np.pi / 32, 0.5, 16)
    drifts = np.zeros(layout.maturity_years.size)
    model = Merton(sigma=0.05, lam=3.0, mu_j=-0.2, sigma_j=1e-4)
    with np.errstate(over="ignore"):
        single = LazyTable.of(contour, layout, drifts).covered(model)
        sums = covered(SinhTable.of_layout(contour, layout, drifts), model)
    assert single.error.max() > 1e-3
    np.testing.assert_allclose(single.error, sums.error, rtol=1e-5)


def test_a_model_without_a_forward_is_refused():
    heavy = VarianceGamma(sigma=0.2, nu=2.0, theta=1.0)
    with pytest.raises(OutsideStripError):
        SinhPricer(surface(), 1e-10, LOOPS).price(heavy)


def _batch_of(model: Model) -> Model:
    return type(model)(**{name: np.array([value]) for name, value in model.as_mapping().items()})

"""Batches of surfaces have the same fits as single surfaces."""

from dataclasses import fields

import numpy as np
import pytest

from levy_numerics import models, pricing
from levy_numerics.calibration import calibrate
from levy_numerics.calibration.batch import calibrate_batch, pricers_with_shared_tables
from levy_numerics.calibration.local_fit import fit_from
from levy_numerics.errors import InvalidInputError, OutsideStripError
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing import sinh_rule
from levy_numerics.pricing.sinh_contour import phase_factors
from tests.numerics.calibration.surfaces import CONTRACTS


def around(name: str, n: int, spread: float, seed: int) -> Model:
    """Return n parameter sets around a model's example."""
    centre = np.asarray(models.get(name).example().to_coordinates(), dtype=float)[:, None]
    moved = centre + spread * np.random.default_rng(seed).standard_normal((centre.size, n))
    return models.get(name).from_coordinates(moved)


def quotes_of(batch: Model, noise: float = 0.0) -> list[Quotes]:
    prices = pricing.price(batch, CONTRACTS).value
    errors = noise * np.random.default_rng(9).standard_normal(prices.shape)
    return [Quotes.of(CONTRACTS, np.maximum(row, 0.0)) for row in prices + errors]


def beside(batch: Model) -> Model:
    z = np.asarray(batch.to_coordinates(), dtype=float)
    return type(batch).from_coordinates(
        z + 0.02 * np.random.default_rng(1).standard_normal(z.shape)
    )


@pytest.mark.parametrize("name", ["VarianceGamma", "CGMY", "NIG", "Merton"])
def test_exact_surfaces_give_their_parameters_back(name: str) -> None:
    truth = around(name, 40, 0.1, seed=0)
    found = calibrate_batch(quotes_of(truth), beside(truth), threads=2)
    assert found.converged.all()
    assert found.start_accepted.all()
    assert found.n_evaluations.max() <= 8
    for field in fields(truth):  # type: ignore[arg-type]
        value = getattr(truth, field.name)
        np.testing.assert_allclose(getattr(found.model, field.name), value, rtol=1e-4, atol=1e-6)


# By volatility, two of these stop in valleys that decrease by less than 0.03% in 30 steps.
@pytest.mark.parametrize(("weights", "rel"), [("price", 1e-6), ("vega", 3e-4)])
def test_noisy_surfaces_are_fitted_as_they_would_be_alone(weights: str, rel: float) -> None:
    truth = around("VarianceGamma", 6, 0.1, seed=2)
    surfaces = quotes_of(truth, noise=0.02)
    found = calibrate_batch(surfaces, beside(truth), weights=weights)
    for k, quotes in enumerate(surfaces):
        alone = calibrate(models.VarianceGamma, quotes, weights=weights)
        assert found.cost[k] == pytest.approx(alone.cost, rel=rel)


def test_calls_and_puts_of_other_markets_share_a_listing() -> None:
    truth = around("VarianceGamma", 2, 0.1, seed=3)
    c = CONTRACTS
    puts = Contracts(
        c.maturity_years, 7.0 * c.strike, 7.0 * c.forward, 0.9 * c.discount, ~c.is_call
    )
    surfaces = [
        Quotes.of(listed, pricing.price(truth.select(k), listed).value)
        for k, listed in enumerate((c, puts))
    ]
    found = calibrate_batch(surfaces, beside(truth))
    np.testing.assert_allclose(found.model.sigma, truth.sigma, rtol=1e-5)


def test_surfaces_of_other_listings_are_fitted_beside() -> None:
    truth = around("VarianceGamma", 3, 0.1, seed=4)
    surfaces = quotes_of(truth)
    surfaces[2] = surfaces[2].select(slice(0, 120))
    found = calibrate_batch(surfaces, beside(truth))
    assert found.converged.all()
    np.testing.assert_allclose(found.model.sigma, truth.sigma, rtol=1e-4)


def test_surfaces_and_starts_go_together() -> None:
    truth = around("VarianceGamma", 3, 0.1, seed=5)
    with pytest.raises(InvalidInputError, match="one guess per surface"):
        calibrate_batch(quotes_of(truth)[:2], truth)
    with pytest.raises(InvalidInputError, match="0 surfaces"):
        calibrate_batch([], truth)


def test_noisy_surfaces_stop_where_one_alone_would() -> None:
    truth = around("CGMY", 12, 0.1, seed=6)
    surfaces, starts = quotes_of(truth, noise=0.005), beside(truth)
    found = calibrate_batch(surfaces, starts, weights="price")
    assert found.n_evaluations.max() <= 12
    for k, quotes in enumerate(surfaces):
        alone = fit_from(quotes, starts.select(k), weights="price").result
        assert found.cost[k] == pytest.approx(alone.cost, rel=1e-8)
        # 1% of a standard error.
        for name, error in alone.standard_errors.items():
            assert abs(getattr(found.model, name)[k] - alone.parameters[name]) <= 0.01 * error


def test_an_initial_guess_without_a_forward_leaves_the_pricers_usable() -> None:
    truth = models.VarianceGamma.example()
    starts = models.VarianceGamma(
        sigma=np.array([0.2, truth.sigma]),
        nu=np.array([30.0, truth.nu]),
        theta=np.array([0.9, truth.theta]),
    )
    with pytest.raises(OutsideStripError):
        pricing.price(starts.select(0), CONTRACTS)
    quotes = Quotes.of(CONTRACTS, pricing.price(truth, CONTRACTS).value)
    for pricer in pricers_with_shared_tables([quotes, quotes], starts):
        np.testing.assert_allclose(pricer.price(truth).value, quotes.price, atol=1e-6)


def test_surfaces_of_one_listing_share_phase_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []

    def counted(*arguments: np.ndarray) -> np.ndarray:
        computed.append(1)
        return np.asarray(phase_factors(*arguments))

    monkeypatch.setattr(sinh_rule, "phase_factors", counted)
    truth = around("VarianceGamma", 40, 0.1, seed=0)
    calibrate_batch(quotes_of(truth), beside(truth))
    assert 1 <= len(computed) <= 10

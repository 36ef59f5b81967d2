"""Local fits from an initial guess."""

import math
from dataclasses import replace

import numpy as np
import pytest

from levy_numerics import models, pricing
from levy_numerics.calibration import calibrate
from levy_numerics.calibration.local_fit import evaluate_at, fit_from
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Quotes
from levy_numerics.models import CGMY, Kou, Merton, VarianceGamma
from levy_numerics.models.base import Model
from tests.numerics.calibration.surfaces import CONTRACTS


def quotes_of(model: Model, noise: float = 0.0) -> Quotes:
    exact = pricing.price(model, CONTRACTS)
    errors = noise * np.random.default_rng(3).standard_normal(CONTRACTS.size)
    return Quotes.of(CONTRACTS, np.maximum(exact.value + errors, 0.0))


def near(model: Model, by: float = 0.02) -> Model:
    return type(model).from_coordinates(np.asarray(model.to_coordinates()) + by)


@pytest.mark.parametrize("name", ["VarianceGamma", "CGMY", "NIG", "Merton"])
def test_a_good_start_costs_a_handful_of_evaluations(name: str) -> None:
    truth = models.get(name).example()
    found = fit_from(quotes_of(truth), near(truth))
    assert found.start_accepted
    assert found.result.n_evaluations <= 8
    for key, value in truth.as_mapping().items():
        assert found.result.parameters[key] == pytest.approx(value, rel=1e-4)


def test_restarts_replace_a_fit_from_a_poor_start() -> None:
    truth = Merton.example()
    quotes = quotes_of(truth)
    # Large upward jumps: least squares ends in another local minimum.
    astray = replace(truth, mu_j=1.5, sigma_j=0.05, lam=0.05)
    alone = calibrate(Merton, quotes, weights="price", start=astray.as_mapping())
    assert alone.fit.implied_vol_rmse > 1e-3
    found = fit_from(quotes, astray, weights="price")
    assert not found.start_accepted
    assert found.result.fit.implied_vol_rmse < 1e-6


@pytest.mark.parametrize("name", ["VarianceGamma", "NIG", "CGMY"])
def test_noise_causes_no_restart_where_second_minima_are_rare(name: str) -> None:
    example = models.get(name).example()
    noisy = quotes_of(example, noise=0.05)
    found = fit_from(noisy, near(example, by=0.1), weights="price")
    assert found.start_accepted
    assert found.result.fit.implied_vol_rmse > 1e-3
    alone = calibrate(
        type(example), noisy, start=near(example, by=0.1).as_mapping(), weights="price"
    )
    assert found.result.n_evaluations == alone.n_evaluations
    best = calibrate(type(example), noisy, n_starts=10, weights="price")
    assert found.result.cost <= best.cost * (1.0 + 1e-5)


def test_a_fit_that_is_not_close_is_confirmed_by_restarts_where_minima_are_many() -> None:
    noisy = quotes_of(Kou.example(), noise=0.2)
    found = fit_from(noisy, Kou.example())
    alone = calibrate(Kou, noisy, start=Kou.example().as_mapping())
    assert found.result.n_evaluations > alone.n_evaluations
    assert found.result.cost == pytest.approx(calibrate(Kou, noisy).cost, rel=1e-3)


def test_a_fit_that_wandered_is_confirmed_by_a_restart() -> None:
    noisy = quotes_of(VarianceGamma.example(), noise=0.2)
    far = replace(VarianceGamma.example(), sigma=0.9, nu=0.001, theta=1.5)
    alone = calibrate(VarianceGamma, noisy, weights="price", start=far.as_mapping())
    assert alone.n_evaluations > 10
    found = fit_from(noisy, far, weights="price")
    assert found.result.n_evaluations > alone.n_evaluations
    multistart = calibrate(VarianceGamma, noisy, weights="price")
    assert found.result.cost == pytest.approx(multistart.cost, rel=1e-6)


def test_a_fit_that_is_stopped_returns_the_best_so_far() -> None:
    noisy = quotes_of(CGMY.example(), noise=0.2)
    stopped = fit_from(noisy, CGMY.example(), should_stop=lambda: True).result
    assert stopped.status == "max_evaluations"
    assert stopped.n_evaluations < fit_from(noisy, CGMY.example()).result.n_evaluations


def test_evaluate_at_keeps_the_parameters() -> None:
    truth = CGMY.example()
    guess = near(truth)
    found = evaluate_at(quotes_of(truth), guess)
    for key, value in guess.as_mapping().items():
        assert found.parameters[key] == pytest.approx(value, rel=1e-12)
    errors = pricing.price(guess, CONTRACTS).value - pricing.price(truth, CONTRACTS).value
    assert found.fit.rmse == pytest.approx(math.sqrt(np.mean(errors**2)), rel=1e-6)


def test_too_few_quotes_are_rejected() -> None:
    truth = VarianceGamma.example()
    with pytest.raises(InvalidInputError, match="cannot determine"):
        fit_from(quotes_of(truth).select(slice(0, 2)), truth)

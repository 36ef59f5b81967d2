"""The misfit of a posterior mean: errors correlated along the smile, and not independent ones."""

from dataclasses import replace

import numpy as np
import pytest

from levy_bayesian.misfit import misfit_of, misfit_warnings
from levy_numerics import pricing
from levy_numerics.implied_volatility import black_prices
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes

CONTRACTS = Contracts.grid(
    spot=100.0,
    rate=0.0,
    dividend_yield=0.0,
    strikes=np.linspace(80.0, 120.0, 21),
    maturities=[0.5, 1.0],
)
MODEL = pricing.price(BlackScholes(sigma=0.2), CONTRACTS).value


def posterior(vol_errors: np.ndarray) -> Posterior:
    """Return the posterior given quotes of 20% volatility and errors."""
    price = black_prices(0.2 + vol_errors, CONTRACTS)
    return Posterior.of(Quotes.of(CONTRACTS, price), Priors.default(BlackScholes), weights="vega")


def test_a_smile_that_the_model_does_not_have_is_a_misfit() -> None:
    x = np.log(CONTRACTS.strike / 100.0)
    skewed = posterior(-0.1 * x)
    price = skewed.quotes.price
    quotes = Quotes.of(CONTRACTS, price, bid=price - 0.05, ask=price + 0.05)
    found = misfit_of(replace(skewed, quotes=quotes), MODEL)
    assert found.detected
    assert found.rmse_vol_points == pytest.approx(10.0 * np.sqrt(np.mean(x**2)), rel=1e-6)
    assert found.within_spread == pytest.approx(np.mean(np.abs(MODEL - price) <= 0.05))
    assert found.adjacent_correlation == pytest.approx(1.0, abs=0.1)
    (sentence,) = misfit_warnings(found, is_independent=True)
    assert f"{found.rmse_vol_points:.2f} volatility points" in sentence
    assert "likelihood = discrepancy" in sentence
    (sentence,) = misfit_warnings(found, is_independent=False)
    assert "discrepancy" not in sentence


@pytest.mark.parametrize("size", [0.02, 1e-7])
def test_independent_errors_are_none_whatever_their_size(size: float) -> None:
    errors = size * np.random.default_rng(0).standard_normal(CONTRACTS.size)
    found = misfit_of(posterior(errors), MODEL)
    assert not found.detected
    assert found.within_spread is None
    assert found.adjacent_correlation == pytest.approx(0.0, abs=0.35)
    assert misfit_warnings(found, is_independent=True) == []


def test_a_smooth_error_below_a_tenth_of_a_point_is_not_reported() -> None:
    found = misfit_of(posterior(np.full(CONTRACTS.size, 5e-4)), MODEL)
    assert found.adjacent_correlation == pytest.approx(1.0, abs=1e-3)
    assert not found.detected


def test_one_quote_an_expiry_has_no_adjacent_strikes() -> None:
    whole = posterior(np.zeros(CONTRACTS.size))
    alone = np.array([0, CONTRACTS.size - 1])
    quotes = whole.quotes.select(alone)
    found = misfit_of(replace(whole, quotes=quotes, scale=whole.scale[alone]), MODEL[alone])
    assert found.adjacent_correlation is None
    assert not found.detected

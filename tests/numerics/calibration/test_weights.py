"""Weights: the unit of residuals, and their derivatives in the price."""

import numpy as np
import pytest

from levy_numerics.calibration.weights import WEIGHTS, weighting
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import VarianceGamma
from levy_numerics.pricing import price

SHARES = (1.0, 0.5, 1e-2, 1e-4, 1e-7)


@pytest.fixture(scope="module")
def quotes() -> Quotes:
    """Return out-of-the-money quotes from a week to five years, far wings included."""
    years = np.array([0.02, 0.25, 1.0, 5.0])
    strikes = np.array([20.0, 60.0, 90.0, 100.0, 110.0, 150.0])
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
        strikes=strikes,
        maturities=years,
        is_call=strikes >= 100.0,
    )
    value = price(VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15), contracts).value
    kept = value > 1e-6
    value = value[kept]
    return Quotes.of(contracts.select(kept), value, bid=0.95 * value, ask=1.05 * value)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("share", SHARES)
def test_residual_derivatives_are_exact_for_any_price(
    quotes: Quotes, weights: str, share: float
) -> None:
    errors = weighting(quotes, weights)
    # Steps that differ by more than rounding, also where volatility is extended.
    prices, h = share * quotes.price, max(1e-5 * share, 1e-9) * quotes.price
    measured = (errors.residuals(prices + h) - errors.residuals(prices - h)) / (2.0 * h)
    assert measured == pytest.approx(errors.residual_derivative(prices), rel=2e-3)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_markets_own_prices_have_no_error(quotes: Quotes, weights: str) -> None:
    assert weighting(quotes, weights).residuals(quotes.price) == pytest.approx(0.0, abs=1e-15)


def test_vega_errors_are_those_of_volatility_where_prices_have_one(quotes: Quotes) -> None:
    errors = weighting(quotes, "vega")
    small = 1e-6 * quotes.price
    assert errors.residuals(quotes.price + small) == pytest.approx(
        small * errors.residual_derivative(quotes.price), rel=1e-3
    )


def test_a_price_without_volatility_is_farther_off_than_any_that_has_one(quotes: Quotes) -> None:
    errors = weighting(quotes, "vega")
    nearly, none, negative = (
        errors.residuals(share * quotes.price) for share in (1e-9, 0.0, -1e-3)
    )
    assert np.all(nearly < 0.0)
    assert np.all(none < nearly)
    assert np.all(negative < none)
    assert np.all(np.isfinite(negative))


def test_bid_and_ask_are_one_unit_below_and_above_their_middle(quotes: Quotes) -> None:
    # Narrower spreads are widened: a locked market must not weigh infinitely.
    quoted = quotes.select(quotes.price > 0.1)
    assert quoted.bid is not None
    assert quoted.ask is not None
    errors = weighting(quoted, "bid_ask")
    assert errors.residuals(quoted.ask) == pytest.approx(1.0)
    assert errors.residuals(quoted.bid) == pytest.approx(-1.0)


def test_price_errors_are_fractions_of_the_present_value_of_the_forward(quotes: Quotes) -> None:
    errors = weighting(quotes, "price")
    value = float(np.mean(quotes.contracts.discount * quotes.contracts.forward))
    assert errors.residuals(quotes.price + 0.01 * value) == pytest.approx(0.01)

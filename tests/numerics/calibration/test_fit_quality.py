"""Errors of implied volatility include only quotes whose prices determine a volatility."""

import numpy as np
import pytest

from levy_numerics import models, pricing
from levy_numerics.black import black_price
from levy_numerics.calibration import FitQuality, calibrate
from levy_numerics.calibration.fit_quality import (
    PricingErrors,
    fit_by_maturity,
    in_spread_share,
)
from levy_numerics.market import Contracts, Quotes


def contracts_of(strikes: list[float], *, is_call: list[bool]) -> Contracts:
    return Contracts.of(maturity_years=0.02, strike=strikes, forward=100.0, is_call=is_call)


def prices_of(contracts: Contracts, vol: float) -> np.ndarray:
    return black_price(
        forward=contracts.forward,
        strike=contracts.strike,
        maturity_years=contracts.maturity_years,
        discount=contracts.discount,
        vol=vol,
        is_call=contracts.is_call,
    )


def test_the_error_in_volatility_is_that_of_the_determined_quotes() -> None:
    # At 20% and 0.02 years a put at 50 is 24 deviations away: the model's price is rounding.
    contracts = contracts_of([50.0, 98.0, 102.0], is_call=[False, False, True])
    market = prices_of(contracts, 0.21)
    market[0] = 0.05
    model = prices_of(contracts, 0.20)
    model[0] = 3e-14
    quality = FitQuality.of(Quotes.of(contracts, market), model)
    assert quality.n_quotes == 3
    assert quality.n_implied_vols == 2
    assert quality.implied_vol_rmse == pytest.approx(0.01, rel=1e-9)


def test_a_quote_at_intrinsic_value_is_not_counted_and_its_price_error_is() -> None:
    contracts = contracts_of([60.0, 100.0], is_call=[True, True])
    market = prices_of(contracts, 0.2)
    market[0] = 40.0 + 7e-15
    model = prices_of(contracts, 0.2) + np.array([0.02, 0.0])
    quality = FitQuality.of(Quotes.of(contracts, market), model)
    assert quality.n_implied_vols == 1
    assert quality.implied_vol_rmse == pytest.approx(0.0, abs=1e-12)
    assert quality.rmse == pytest.approx(0.02 / np.sqrt(2.0), rel=1e-9)


def test_without_any_determined_volatility_the_error_is_not_a_number() -> None:
    contracts = contracts_of([50.0, 200.0], is_call=[False, True])
    quality = FitQuality.of(Quotes.of(contracts, np.array([0.01, 0.01])), np.zeros(2))
    assert quality.n_implied_vols == 0
    assert np.isnan(quality.implied_vol_rmse)


def test_a_fit_reports_how_many_volatilities_it_counted() -> None:
    truth = models.get("BlackScholes").example()
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
        strikes=[60.0, 90.0, 100.0, 110.0],
        maturities=[0.02, 0.5],
        is_call=[[False, False, True, True]] * 2,
    )
    quotes = Quotes.of(contracts, pricing.price(truth, contracts).value)
    fit = calibrate(type(truth), quotes).fit
    # The put at 60 is worth 1e-75 at 0.02 years and 2.7e-4 at half a year.
    assert (fit.n_quotes, fit.n_implied_vols) == (8, 7)
    assert fit.implied_vol_rmse < 1e-6


def test_the_mean_error_of_an_expiry_is_positive_where_the_model_is_above_the_market() -> None:
    contracts = contracts_of([98.0, 100.0, 102.0], is_call=[False, True, True])
    quotes = Quotes.of(contracts, prices_of(contracts, 0.20))
    (expiry,) = fit_by_maturity(contracts, PricingErrors.of(quotes, prices_of(contracts, 0.21)))
    assert expiry.mean_vol_error == pytest.approx(0.01, rel=1e-9)


def test_the_share_in_the_spread_counts_prices_from_bid_to_ask() -> None:
    contracts = contracts_of([98.0, 99.0, 100.0, 102.0], is_call=[False, False, True, True])
    price = prices_of(contracts, 0.2)
    quotes = Quotes.of(contracts, price, bid=0.9 * price, ask=1.1 * price)
    assert in_spread_share(quotes, price * [0.8, 0.95, 1.05, 1.2]) == 0.5

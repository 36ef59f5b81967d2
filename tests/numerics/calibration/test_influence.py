"""Influence of quotes against refits."""

from dataclasses import replace

import numpy as np
import pytest

from levy_numerics import models, pricing
from levy_numerics.calibration import Influence, calibrate
from levy_numerics.market import Contracts, Quotes

TRUTH = models.from_mapping("VarianceGamma", {"sigma": 0.2, "nu": 0.4, "theta": -0.15})


def noisy(scale: float) -> Quotes:
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.02,
        dividend_yield=0.0,
        strikes=np.arange(70.0, 135.0, 5.0),
        maturities=[0.25, 0.5, 1.0, 2.0],
    )
    exact = pricing.price(TRUTH, contracts).value
    error = scale * np.random.default_rng(3).standard_normal(exact.size)
    price = np.maximum(exact + error, contracts.lower_bound + 1e-3)
    return Quotes.of(contracts, price, bid=np.maximum(price - 0.05, 0.0), ask=price + 0.05)


@pytest.mark.parametrize("weights", ["price", "vega", "bid_ask"])
def test_a_small_change_of_a_quote_moves_the_fit_as_stated(weights: str) -> None:
    quotes = noisy(1e-3)
    fit = calibrate(type(TRUTH), quotes, weights=weights)
    influence = Influence.of(fit, quotes)
    assert influence.parameters == ("sigma", "nu", "theta")
    for k in (2, 18, 30, 45):
        step = 1e-3
        moved = []
        for sign in (1.0, -1.0):
            price = quotes.price.copy()
            price[k] += sign * step
            again = calibrate(
                type(TRUTH),
                replace(quotes, price=price),
                weights=weights,
                start=fit.parameters,
            )
            moved.append(np.array(list(again.parameters.values())))
        expected = (moved[0] - moved[1]) / (2.0 * step)
        # Gauss-Newton: exact up to the residuals, which are small here.
        np.testing.assert_allclose(influence.by_price[:, k], expected, rtol=0.02, atol=2e-4)


def test_leaving_out_a_quote_agrees_with_a_refit() -> None:
    quotes = noisy(0.02)
    fit = calibrate(type(TRUTH), quotes)
    influence = Influence.of(fit, quotes)
    assert influence.leverage.sum() == pytest.approx(3.0)
    most = np.argsort(-influence.cook)[:5]
    for k in most:
        rest = quotes.select(np.arange(quotes.size) != k)
        again = calibrate(type(TRUTH), rest, start=fit.parameters)
        change = np.array(list(again.parameters.values())) - list(fit.parameters.values())
        scale = np.array(list(fit.standard_errors.values()))
        np.testing.assert_allclose(influence.without[:, k] / scale, change / scale, atol=0.02)


def test_a_quote_per_unit_of_volatility_is_its_vega_times_that_per_unit_of_price() -> None:
    quotes = noisy(0.0)
    influence = Influence.of(calibrate(type(TRUTH), quotes), quotes)
    # At the money, ∂price/∂vol is about D·F·√(T/2π); 100 at one year.
    k = int(
        np.argmin(
            np.abs(quotes.contracts.strike - 100.0) + (quotes.contracts.maturity_years != 1.0) * 100
        )
    )
    ratio = influence.by_vol[:, k] / influence.by_price[:, k]
    np.testing.assert_allclose(ratio, 100.0 * np.sqrt(1.0 / (2 * np.pi)), rtol=0.05)

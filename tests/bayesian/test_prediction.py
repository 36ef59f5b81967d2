"""Predictions of unquoted options against quadrature."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from levy_bayesian.handlers.sample import sample
from levy_bayesian.prediction import predictive_options
from levy_numerics.calibration import calibrate
from levy_numerics.implied_volatility import black_prices, implied_vol
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes
from levy_numerics.pricing.sinh import SinhPricer
from tests.bayesian.test_sample import request
from tests.bayesian.test_summary import NOISE, black_scholes, by_quadrature, exact_draws

jax = pytest.importorskip("jax")
samplers = pytest.importorskip("levy_bayesian.samplers")

OPTIONS = Contracts.of(
    maturity_years=[0.25, 1.0, 0.5],
    strike=[97.0, 85.0, 250.0],
    forward=[100.5, 102.0, 101.0],
    discount=[0.995, 0.98, 0.99],
    is_call=[True, False, True],
)
LEVELS = (0.025, 0.5, 0.975)


def quantiles_of_prices() -> np.ndarray:
    """Return quantiles by quadrature, shape (3, n); prices increase with σ."""
    z, _, cumulated = by_quadrature(black_scholes())
    ends = BlackScholes.from_coordinates(np.interp(LEVELS, cumulated, z)[None])
    return np.asarray(SinhPricer(OPTIONS).price(ends).value)


def test_prices_and_volatilities_are_those_of_quadrature() -> None:
    posterior = black_scholes()
    found = predictive_options(
        posterior, exact_draws(posterior).points, OPTIONS, weights="price", seed=0
    )
    expected = quantiles_of_prices()
    c = OPTIONS
    for i, one in enumerate(found[:2]):
        width = expected[2, i] - expected[0, i]
        quantiles = (one.interval[0], one.median, one.interval[1])
        assert quantiles == pytest.approx(tuple(expected[:, i]), abs=0.05 * width)
        assert one.mean == pytest.approx(expected[1, i], abs=0.05 * width)
        vols = (one.implied_vol_interval[0], one.implied_vol, one.implied_vol_interval[1])
        assert vols == pytest.approx(
            tuple(
                implied_vol(
                    quantiles,
                    forward=c.forward[i],
                    strike=c.strike[i],
                    maturity_years=c.maturity_years[i],
                    discount=c.discount[i],
                    is_call=c.is_call[i],
                )
            ),
            rel=1e-9,
        )
    assert [one.option_type for one in found] == ["call", "put", "call"]
    # Below the precision of prices: null volatility, without an error.
    assert found[2].median == pytest.approx(0.0, abs=1e-6)


def test_a_quote_s_interval_holds_its_error_too() -> None:
    posterior = black_scholes()
    points = exact_draws(posterior).points
    found = predictive_options(posterior, points, OPTIONS, weights="price", seed=0)
    low, median, high = quantiles_of_prices()
    spread = np.hypot((high - low) / (2 * 1.96), NOISE * posterior.scale[0])
    for one, middle, s in zip(found[:2], median, spread, strict=False):
        assert one.quote_interval == pytest.approx(
            (middle - 1.96 * s, middle + 1.96 * s), abs=0.1 * s
        )
    heavy = replace(posterior, degrees_of_freedom=4.0)
    wide = predictive_options(heavy, points, OPTIONS, weights="price", seed=0)
    assert wide[0].quote_interval is not None
    assert found[0].quote_interval is not None
    assert wide[0].quote_interval[1] > found[0].quote_interval[1]


def test_an_error_in_volatility_is_worth_the_option_s_own_vega() -> None:
    posterior = black_scholes()
    points = exact_draws(posterior).points
    found = predictive_options(posterior, points, OPTIONS, weights="vega", seed=0)
    for i, one in enumerate(found[:2]):
        assert one.implied_vol is not None
        assert one.quote_interval is not None
        ends = implied_vol(
            one.quote_interval,
            forward=OPTIONS.forward[i],
            strike=OPTIONS.strike[i],
            maturity_years=OPTIONS.maturity_years[i],
            discount=OPTIONS.discount[i],
            is_call=OPTIONS.is_call[i],
        )
        _, sigma, cumulated = by_quadrature(posterior)
        deviation = np.diff(np.interp((0.025, 0.975), cumulated, sigma))[0] / (2 * 1.96)
        s = math.hypot(deviation, NOISE)
        assert ends == pytest.approx(one.implied_vol + 1.96 * s * np.array([-1, 1]), abs=0.15 * s)


def test_the_spread_of_an_option_is_interpolated_from_the_quotes() -> None:
    quotes = black_scholes().quotes
    half = 0.001 * quotes.contracts.strike
    spread = Quotes.of(
        quotes.contracts, quotes.price, bid=quotes.price - half, ask=quotes.price + half
    )
    posterior = Posterior.of(spread, Priors.default(BlackScholes), weights="bid_ask", noise=0.5)
    assert quotes.contracts.strike.tolist() == [90.0, 100.0, 110.0]
    c = quotes.contracts
    options = Contracts.of(
        maturity_years=c.maturity_years[:2],
        strike=[90.0, 105.0],
        forward=c.forward[:2],
        discount=c.discount[:2],
        is_call=[True, True],
    )
    points = exact_draws(posterior).points
    same, between = predictive_options(posterior, points, options, weights="bid_ask", seed=0)
    for one, low, high in ((same, 0.089, 0.091), (between, 0.1, 0.11)):
        assert one.quote_interval is not None
        model, quote = np.diff(one.interval)[0], np.diff(one.quote_interval)[0]
        scale = math.sqrt(quote**2 - model**2) / (2 * 1.96 * 0.5)
        assert 0.95 * low < scale < 1.05 * high


def test_quotes_stay_within_their_no_arbitrage_bounds() -> None:
    """Noise of a unit makes options of half a cent worth less than nothing otherwise."""
    posterior = replace(black_scholes(), noise=1e-2)
    points = exact_draws(posterior).points
    found = predictive_options(posterior, points, OPTIONS, weights="price", seed=0)
    for one, least, most in zip(found, OPTIONS.lower_bound, OPTIONS.upper_bound, strict=True):
        assert one.quote_interval is not None
        low, high = one.quote_interval
        assert least <= low < high <= most
    assert found[2].quote_interval is not None
    assert found[2].quote_interval[0] == 0.0


@pytest.mark.long
def test_held_out_quotes_lie_in_their_intervals_under_a_smooth_discrepancy() -> None:
    """Two of three strikes of a smile with a smooth error; the third is predicted."""
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
        strikes=np.linspace(80.0, 122.0, 15),
        maturities=[0.25, 0.5, 1.0, 2.0],
    )
    x = np.log(contracts.strike / 100.0) / (0.2 * np.sqrt(contracts.maturity_years))
    times = np.log(contracts.maturity_years)
    apart = np.abs(x[:, None] - x) + np.abs(times[:, None] - times)
    root = np.linalg.cholesky(np.exp(-apart) + 1e-9 * np.eye(x.size))
    held = np.arange(x.size) % 3 == 1
    rng, inside = np.random.default_rng(0), []
    for _ in range(12):
        vols = 0.2 + 0.01 * root @ rng.standard_normal(x.size)
        vols += 0.001 * rng.standard_normal(x.size)
        quotes = Quotes.of(contracts, black_prices(vols, contracts))
        used = quotes.select(~held)
        discrepancy = calibrate(BlackScholes, used, weights="vega").discrepancy()
        posterior = Posterior.of(
            used, Priors.default(BlackScholes), weights="vega", discrepancy=discrepancy
        )
        plan = samplers.SamplingPlan(n_chains=1, n_samples=500)
        draws = samplers.get("laplace-psis").sample(posterior, plan, lambda _: None)
        predicted = predictive_options(
            posterior, draws.points, contracts.select(held), weights="vega", seed=0
        )
        for one, price in zip(predicted, quotes.price[held], strict=True):
            assert one.quote_interval is not None
            inside.append(one.quote_interval[0] <= price <= one.quote_interval[1])
    assert 0.9 <= np.mean(inside) <= 0.995


def test_predictions_have_the_order_of_the_request() -> None:
    options: list[dict[str, Any]] = [
        {"strike": 101.0, "maturity": 0.75},
        {"strike": 90.0, "maturity": 0.25, "option_type": "put"},
    ]
    with jax.enable_x64(True):
        result, _ = sample(request(predict=options), lambda _: None)
    assert [one.strike for one in result.predicted] == [101.0, 90.0]
    call, put = result.predicted
    # From the quoted call of the same strike and maturity, by put-call parity.
    (quoted,) = (one for one in result.predictive if (one.strike, one.maturity) == (90.0, 0.25))
    forward, discount = 100.0 * math.exp(0.02 * 0.25), math.exp(-0.02 * 0.25)
    assert put.mean == pytest.approx(quoted.mean - discount * (forward - 90.0), abs=2e-3)
    assert call.interval[0] < call.median < call.interval[1]
    assert sample(request(), lambda _: None)[0].predicted == ()

"""Compiled implied volatilities are those of `implied_vol`, whatever the quotes."""

import mpmath
import numpy as np
import pytest
from scipy.special import ndtri

from levy_numerics.black import black_price
from levy_numerics.implied_vol import implied_vol_or_reason
from levy_numerics.implied_vol_single import (
    _erfcx,
    _normal_quantile,
    vols_of_prices,
    vols_out_of_the_money,
)
from levy_numerics.market import Contracts

N = 20_000


def options(seed: int) -> tuple[Contracts, np.ndarray]:
    """Contracts near and very far from the money, and the volatility of each."""
    rng = np.random.default_rng(seed)
    contracts = Contracts.of(
        maturity_years=rng.uniform(0.003, 5.0, N),
        strike=100.0 * np.exp(rng.normal(0.0, 0.7, N)),
        forward=np.full(N, 100.0),
        discount=rng.uniform(0.7, 1.0, N),
        is_call=rng.random(N) < 0.5,
    )
    return contracts, np.exp(rng.uniform(np.log(0.01), np.log(3.0), N))


def terms(c: Contracts) -> dict[str, np.ndarray]:
    return {
        "forward": c.forward,
        "strike": c.strike,
        "maturity_years": c.maturity_years,
        "discount": c.discount,
        "is_call": c.is_call,
    }


def test_volatilities_agree_and_so_does_where_there_are_none() -> None:
    contracts, vol = options(0)
    price = black_price(vol=vol, **terms(contracts))
    spoiled = np.random.default_rng(1).choice(N, N // 20, replace=False)
    price[spoiled] = np.resize([0.0, -1.0, 300.0, np.nan], spoiled.size)
    expected = implied_vol_or_reason(price, **terms(contracts)).vol
    found = vols_of_prices(np.stack([price, price]), contracts)
    assert np.isnan(expected).any()
    # Where a price hardly tells its volatility, roundings are magnified alike in both.
    np.testing.assert_allclose(found, [expected, expected], rtol=1e-10)
    there = expected > 0.0
    assert np.mean(np.abs(found[0][there] / expected[there] - 1.0) < 1e-14) > 0.98


def test_out_of_the_money_options_in_forward_units() -> None:
    contracts, vol = options(2)
    log_strike = -contracts.log_moneyness
    strike = np.exp(log_strike)
    unit = Contracts.of(
        maturity_years=contracts.maturity_years,
        strike=strike,
        forward=1.0,
        is_call=log_strike >= 0.0,
    )
    price = black_price(vol=vol, **terms(unit))
    found = vols_out_of_the_money(
        price.reshape(2, -1), log_strike.reshape(2, -1), unit.maturity_years.reshape(2, -1)
    )
    expected = implied_vol_or_reason(price, **terms(unit)).vol
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-10)


@pytest.mark.parametrize(
    "x", [-25.0, -3.0, -0.1, 0.0, 1e-9, 0.3, 0.46, 0.47, 2.0, 3.9, 4.1, 9.7, 60.0]
)
def test_the_scaled_error_function_is_exact_to_rounding(x: float) -> None:
    with mpmath.workdps(40):
        true = mpmath.exp(mpmath.mpf(x) ** 2) * mpmath.erfc(x)
        assert abs(float(_erfcx(x) / true - 1)) < 1e-15


def test_quantiles_are_near_enough_to_start_from() -> None:
    p = np.concatenate([np.geomspace(1e-300, 0.5, 300)])
    found = np.array([_normal_quantile(one) for one in p])
    np.testing.assert_allclose(found, ndtri(p), rtol=1e-6, atol=1e-6)

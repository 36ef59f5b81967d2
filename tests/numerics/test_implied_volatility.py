"""Black's formula and its inverse against 60-digit arithmetic."""

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import ndtri

from levy_numerics.black import black_price, black_vega, log_moneyness, normalised_price
from levy_numerics.errors import ArbitrageError, InvalidInputError
from levy_numerics.implied_volatility import (
    implied_vol,
    implied_vol_or_reason,
    rounding_error,
    vega_at,
    vols_of_prices,
    vols_out_of_the_money,
)
from levy_numerics.market import Contracts
from levy_numerics.special_scalar import erfcx, normal_quantile

EPS = np.finfo(float).eps
CASE = {"forward": 100.0, "strike": 110.0, "maturity_years": 0.5, "discount": 0.97}


def exact(forward, strike, total_vol, *, is_call):
    """Return the undiscounted price and its derivative in the total volatility, 60 digits."""
    with mpmath.workdps(60):
        f, k, s = mpmath.mpf(forward), mpmath.mpf(strike), mpmath.mpf(total_vol)
        sign = 1 if is_call else -1
        d1 = mpmath.log(f / k) / s + s / 2
        price = sign * (f * mpmath.ncdf(sign * d1) - k * mpmath.ncdf(sign * (d1 - s)))
        return price, f * mpmath.npdf(d1)


def out_of_the_money_sample(n, seed):
    """Strike (forward one), total vol and side; log-moneyness ±3, total vol 1e-3 to 5."""
    rng = np.random.default_rng(seed)
    s = np.exp(rng.uniform(np.log(1e-3), np.log(5.0), n))
    anywhere = rng.uniform(-3.0, 3.0, n)
    near = rng.choice([-1, 1], n) * np.exp(rng.uniform(np.log(1e-8), np.log(3.0), n))
    in_deviations = np.clip(s * rng.uniform(-37.0, 37.0, n), -3.0, 3.0)
    x = np.choose(rng.integers(0, 3, n), [anywhere, near, in_deviations])
    strike = np.exp(-x)
    return strike, s, strike >= 1.0


def test_vols_are_exact_to_the_condition_of_the_price_down_to_1e_300():
    strikes, vols, calls = out_of_the_money_sample(1500, seed=1)
    checked = 0
    for strike, s, is_call in zip(strikes, vols, calls, strict=True):
        price, vega = exact(1.0, strike, s, is_call=bool(is_call))
        if price < 1e-300:
            continue
        checked += 1
        rounded = float(price)
        with mpmath.workdps(60):
            root = s + (mpmath.mpf(rounded) - price) / vega
        found = implied_vol(
            rounded, forward=1.0, strike=strike, maturity_years=1.0, discount=1.0, is_call=is_call
        )
        condition = max(1.0, float(price / (s * vega)))
        assert abs(float((float(found) - root) / root)) <= 20 * EPS * condition, (strike, s)
    assert checked > 700


def test_prices_are_exact_to_their_condition_down_to_1e_300():
    strikes, vols, calls = out_of_the_money_sample(700, seed=2)
    prices = black_price(
        forward=1.0, strike=strikes, maturity_years=1.0, discount=1.0, vol=vols, is_call=calls
    )
    for strike, s, is_call, price in zip(strikes, vols, calls, prices, strict=True):
        expected, _ = exact(1.0, strike, s, is_call=bool(is_call))
        if expected > 1e-300:
            condition = 1.0 + (np.log(strike) / s) ** 2
            assert abs(float(price / expected - 1)) <= 40 * EPS * condition, (strike, s)


def test_vega_is_the_derivative_of_the_price():
    strikes, vols, calls = out_of_the_money_sample(200, seed=3)
    found = black_vega(forward=1.0, strike=strikes, maturity_years=1.0, discount=1.0, vol=vols)
    for strike, s, is_call, vega in zip(strikes, vols, calls, found, strict=True):
        _, expected = exact(1.0, strike, s, is_call=bool(is_call))
        condition = 1.0 + (np.log(strike) / s) ** 2
        assert abs(float(vega - expected)) <= 20 * EPS * condition * float(expected) + 1e-300


@given(
    x=st.floats(-3.0, 3.0),
    total_vol=st.floats(1e-3, 5.0),
    maturity_years=st.floats(1 / 365, 5.0),
    discount=st.floats(0.5, 1.0),
    forward=st.floats(1e-3, 1e5),
    is_call=st.booleans(),
)
def test_the_vol_found_gives_back_the_price(
    x, total_vol, maturity_years, discount, forward, is_call
):
    terms = {
        "forward": forward,
        "strike": forward * np.exp(-x),
        "maturity_years": maturity_years,
        "discount": discount,
        "is_call": is_call,
    }
    price = black_price(**terms, vol=total_vol / np.sqrt(maturity_years))
    assume(price < discount * (forward if is_call else terms["strike"]))
    again = black_price(**terms, vol=implied_vol(price, **terms))
    assert abs(again - price) <= 1e-13 * discount * forward * np.exp(abs(x))


@given(x=st.floats(0.0, 30.0), low=st.floats(1e-6, 10.0), rise=st.floats(1e-3, 5.0))
def test_the_price_rises_with_the_vol_and_stays_below_its_bound(x, low, rise):
    lower, upper = normalised_price(-x, low), normalised_price(-x, low + rise)
    assert 0.0 <= lower <= upper <= np.exp(-0.5 * x) * (1 + 2 * EPS)


@given(
    x=st.floats(0.0, 600.0),
    deviations=st.floats(0.0, 36.0),
    total_vol=st.floats(1e-12, 12.0),
)
def test_two_steps_reach_the_root_from_far_outside_the_market(x, deviations, total_vol):
    strike = np.exp(min(x, deviations * total_vol))
    price = normalised_price(log_moneyness(1.0, strike), total_vol) * np.sqrt(strike)
    assume(1e-290 < price < 1.0)
    terms = {"forward": 1.0, "strike": strike, "maturity_years": 1.0, "discount": 1.0}
    vol = implied_vol(price, **terms, is_call=True)
    assume(price > 1e-5 * total_vol * black_vega(**terms, vol=total_vol))
    condition = max(1.0, float(price / (total_vol * black_vega(**terms, vol=total_vol))))
    assert abs(vol / total_vol - 1) <= 100 * EPS * condition * (1 + abs(np.log(price)))


def test_calls_and_puts_in_the_money_give_the_vol_of_the_other_side():
    strike = np.linspace(70.0, 140.0, 15)
    terms = {"forward": 100.0, "strike": strike, "maturity_years": 1.5, "discount": 0.9}
    for is_call in (True, False):
        price = black_price(**terms, vol=0.3, is_call=is_call)
        assert implied_vol(price, **terms, is_call=is_call) == pytest.approx(0.3, rel=1e-13)


def test_a_price_at_intrinsic_has_no_vol_at_all():
    terms = {"forward": 100.0, "strike": 90.0, "maturity_years": 1.0, "discount": 0.95}
    assert implied_vol(9.5, **terms, is_call=True) == 0.0
    assert implied_vol(0.0, **terms, is_call=False) == 0.0


def test_without_vol_the_price_is_intrinsic_and_with_infinite_vol_its_bound():
    for is_call, low, high in ((True, 0.0, 97.0), (False, 9.7, 106.7)):
        assert black_price(**CASE, vol=0.0, is_call=is_call) == pytest.approx(low, abs=1e-12)
        assert black_price(**CASE, vol=1e9, is_call=is_call) == pytest.approx(high, rel=1e-14)


def test_quotes_outside_their_bounds_are_named_and_do_not_sink_the_others():
    strike = [90.0, 90.0, 90.0, 90.0, 110.0]
    price = [12.0, 9.0, 101.0, np.nan, 1.0]
    terms = {"forward": 100.0, "strike": strike, "maturity_years": 1.0, "discount": 1.0}
    found = implied_vol_or_reason(price, **terms, is_call=True)
    expected = ["ok", "below_intrinsic", "above_maximum", "not_a_number", "ok"]
    assert found.status.tolist() == expected
    assert np.isnan(found.vol).tolist() == (~found.ok).tolist()
    with pytest.raises(ArbitrageError, match="3 of 5 prices") as raised:
        implied_vol(price, **terms, is_call=True)
    assert raised.value.indices == (1, 2, 3)


def test_a_price_below_intrinsic_by_rounding_alone_counts_as_intrinsic():
    terms = {"forward": 100.0, "strike": 90.0, "maturity_years": 1.0, "discount": 1.0}
    assert implied_vol(np.nextafter(10.0, 0.0), **terms, is_call=True) == 0.0


@pytest.mark.parametrize("name", ["forward", "strike", "maturity_years", "discount"])
def test_a_term_that_is_not_positive_and_finite_is_rejected(name):
    for value in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InvalidInputError, match=name):
            implied_vol(5.0, **{**CASE, name: value}, is_call=True)


def test_a_negative_vol_is_rejected():
    for vol in (-0.1, np.nan):
        with pytest.raises(InvalidInputError, match="vol"):
            black_price(**CASE, vol=vol, is_call=True)


def test_any_shape_is_kept():
    strike = np.array([[80.0, 100.0, 120.0]])
    years = np.array([[0.25], [1.0]])
    terms = {"forward": 100.0, "strike": strike, "maturity_years": years, "discount": 1.0}
    price = black_price(**terms, vol=0.25, is_call=strike > 100)
    vol = implied_vol(price, **terms, is_call=strike > 100)
    assert vol.shape == (2, 3)
    assert vol == pytest.approx(np.full((2, 3), 0.25), rel=1e-13)
    assert implied_vol(10.0, **CASE, is_call=True).shape == ()


def test_log_moneyness_keeps_its_digits_next_to_the_money():
    with mpmath.workdps(40):
        expected = mpmath.log(mpmath.mpf(1.0) / mpmath.mpf(1.0 + 3e-13))
    assert abs(float(log_moneyness(1.0, 1.0 + 3e-13) / expected - 1)) <= 2 * EPS


def options(seed, n=5000):
    """Return contracts near and very far from the money with their volatilities and prices."""
    rng = np.random.default_rng(seed)
    contracts = Contracts.of(
        maturity_years=rng.uniform(0.003, 5.0, n),
        strike=100.0 * np.exp(rng.normal(0.0, 0.7, n)),
        forward=np.full(n, 100.0),
        discount=rng.uniform(0.7, 1.0, n),
        is_call=rng.random(n) < 0.5,
    )
    vol = np.exp(rng.uniform(np.log(0.01), np.log(3.0), n))
    return contracts, vol, black_price(**terms_of(contracts), vol=vol)


def terms_of(c):
    return {
        "forward": c.forward,
        "strike": c.strike,
        "maturity_years": c.maturity_years,
        "discount": c.discount,
        "is_call": c.is_call,
    }


def test_rows_of_prices_have_the_vols_of_single_prices_and_nan_where_there_are_none():
    contracts, _, price = options(seed=4)
    price[:40] = np.resize([0.0, -1.0, 300.0, np.nan], 40)
    expected = implied_vol_or_reason(price, **terms_of(contracts)).vol
    found = vols_of_prices(np.stack([price, price]), contracts)
    assert np.isnan(expected).sum() >= 30
    np.testing.assert_array_equal(found, [expected, expected])


def test_out_of_the_money_options_in_forward_units_have_their_vols():
    contracts, vol, _ = options(seed=5)
    log_strike = -contracts.log_moneyness
    unit = Contracts.of(
        maturity_years=contracts.maturity_years,
        strike=np.exp(log_strike),
        forward=1.0,
        is_call=log_strike >= 0.0,
    )
    price = black_price(vol=vol, **terms_of(unit))
    found = vols_out_of_the_money(
        price.reshape(2, -1), log_strike.reshape(2, -1), unit.maturity_years.reshape(2, -1)
    ).ravel()
    priced = price > 1e-290
    assert priced.mean() > 0.6
    # ln(K/F) has one more rounding here, which is magnified far from the money.
    np.testing.assert_allclose(found[priced], vol[priced], rtol=1e-10)
    np.testing.assert_array_equal(found[price == 0.0], 0.0)


def test_a_vol_is_undetermined_where_the_price_is_smaller_than_its_error():
    # One day at 20%: the true price at K = 50 is 1e-1907, and 1e-14 is rounding error alone.
    terms = {"forward": 100.0, "strike": [50.0, 100.0], "maturity_years": 1 / 365, "discount": 1.0}
    price = [1e-14, float(black_price(**(terms | {"strike": 100.0}), vol=0.2, is_call=False))]
    found = implied_vol_or_reason(price, **terms, is_call=False, price_error=2e-14)
    assert found.status.tolist() == ["undetermined", "ok"]
    assert np.isnan(found.vol[0])
    assert found.vol[1] == pytest.approx(0.2, rel=1e-12)


@pytest.mark.parametrize("strike", [60.0, 90.0, 100.0, 110.0, 170.0])
@pytest.mark.parametrize("share", [1e-6, 1e-3, 0.02, 0.1, 0.3, 0.9, 1.0])
def test_a_vol_that_is_determined_is_within_a_hundredth_whatever_the_error_does(strike, share):
    is_call = strike >= 100.0
    terms = {"forward": 100.0, "strike": strike, "maturity_years": 0.1, "discount": 0.98}
    price = float(black_price(**terms, vol=0.25, is_call=is_call))
    ends = implied_vol(np.array([1.0 - share, 1.0 + share]) * price, **terms, is_call=is_call)
    moved = max(np.abs(ends / 0.25 - 1.0))
    found = implied_vol_or_reason(price, **terms, is_call=is_call, price_error=share * price)
    if found.ok:
        assert moved <= 0.0101
    else:
        assert moved > 0.005


@pytest.mark.parametrize("error", [np.nan, np.inf])
def test_a_price_without_an_error_bound_determines_no_vol(error):
    found = implied_vol_or_reason(5.0, **CASE, is_call=True, price_error=error)
    assert found.status == "undetermined"


def test_a_quote_at_intrinsic_but_for_rounding_determines_no_vol():
    # 100 − 50·exp(−0.05/365) as a market's file would hold it: what is left of time value is the
    # rounding of the subtraction, 1.4e-14, while the out-of-the-money put keeps all its digits.
    contracts = Contracts.of(
        maturity_years=1 / 365, strike=50.0, forward=100.0, is_call=[True, False]
    )
    price = np.array([50.0 + 1.4e-14, 1e-14])
    assert np.all(vols_of_prices(price, contracts) > 0.0)
    vols = vols_of_prices(price, contracts, rounding_error(price, contracts))
    assert np.isnan(vols).tolist() == [True, False]


@pytest.mark.parametrize(
    "x", [-25.0, -3.0, -0.1, 0.0, 1e-9, 0.3, 0.46, 0.47, 2.0, 3.9, 4.1, 9.7, 60.0]
)
def test_the_scaled_error_function_is_exact_to_rounding(x):
    with mpmath.workdps(40):
        true = mpmath.exp(mpmath.mpf(x) ** 2) * mpmath.erfc(x)
        assert abs(float(erfcx(x) / true - 1)) < 1e-15


def test_normal_quantiles_are_accurate_enough_for_an_initial_guess():
    p = np.geomspace(1e-300, 0.5, 300)
    found = np.array([normal_quantile(probability) for probability in p])
    np.testing.assert_allclose(found, ndtri(p), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("strike", [1.0, 60.0, 100.0, 100.001, 170.0, 5000.0])
@pytest.mark.parametrize("vol", [0.0, 1e-3, 0.2, 3.0])
def test_the_vega_of_compiled_callers_is_that_of_black(strike: float, vol: float) -> None:
    terms = {"forward": 100.0, "strike": strike, "maturity_years": 0.7, "discount": 0.97}
    expected = float(black_vega(vol=vol, **terms))
    assert vega_at(vol, *terms.values()) == pytest.approx(expected, rel=1e-12, abs=1e-300)

"""Cleaning of requests, with the same checks as for files."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from levy_numerics import pricing
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts
from levy_numerics.models import VarianceGamma
from levy_numerics.surface import Surface
from levy_schemas.calibration import CalibrationRequest
from levy_schemas.surface import DropReason
from levy_surfaces.cleaning import CleaningRules, clean
from levy_surfaces.reading import read_quotes
from levy_surfaces.reasons import Reason
from levy_surfaces.requested import reported, surface_of

MODEL = VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15)
STRIKES = (80.0, 85.0, 90.0, 95.0, 100.0, 105.0, 110.0, 115.0, 120.0)
YEARS = (0.25, 0.5, 1.0)
RATE = 0.03


def listed(*, both_sides: bool = False, half_spread: float = 0.02) -> dict[str, Any]:
    """Exact prices within two-sided quotes: puts below the spot and calls above, or both."""
    quotes = []
    for years in YEARS:
        for strike in STRIKES:
            for side in ("put", "call"):
                if both_sides or (side == "call") == (strike >= 100.0):
                    contracts = Contracts.grid(
                        spot=100.0,
                        rate=RATE,
                        dividend_yield=0.0,
                        strikes=[strike],
                        maturities=[years],
                        is_call=side == "call",
                    )
                    price = float(pricing.price(MODEL, contracts).value[0])
                    bid, ask = max(price - half_spread, 0.1 * price), price + half_spread
                    quote = {"strike": strike, "maturity": years, "option_type": side}
                    quotes.append(quote | {"bid": bid, "ask": ask})
    return {
        "model_type": "VarianceGamma",
        "spot_price": 100.0,
        "risk_free_rate": RATE,
        "quotes": quotes,
    }


def grid(**changes: Any) -> dict[str, Any]:
    """Exact prices of calls on a grid."""
    contracts = Contracts.grid(
        spot=100.0, rate=RATE, dividend_yield=0.0, strikes=STRIKES, maturities=YEARS
    )
    prices = pricing.price(MODEL, contracts).value.reshape(len(YEARS), len(STRIKES))
    return {
        "model_type": "VarianceGamma",
        "spot_price": 100.0,
        "risk_free_rate": RATE,
        "strikes": list(STRIKES),
        "maturities": list(YEARS),
        "prices": prices.tolist(),
    } | changes


def cleaned(body: dict[str, Any], **options: Any) -> Surface:
    request = CalibrationRequest.model_validate(body)
    return surface_of(request, n_parameters=3, model_type="VarianceGamma", **options)


def reasons(surface: Surface) -> dict[str, str]:
    return {quote.pointer: quote.reason for quote in surface.dropped}


def position(body: dict[str, Any], strike: float, years: float, side: str) -> int:
    wanted = (strike, years, side)
    return next(
        i
        for i, q in enumerate(body["quotes"])
        if (q["strike"], q["maturity"], q["option_type"]) == wanted
    )


@pytest.mark.parametrize("both_sides", [False, True])
def test_clean_quotes_are_all_used_without_a_warning(both_sides: bool) -> None:
    surface = cleaned(listed(both_sides=both_sides))
    assert surface.dropped == ()
    assert [warning for warning in surface.warnings if "counts twice" not in warning] == []
    assert surface.quotes.size == len(STRIKES) * len(YEARS) * (2 if both_sides else 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bid": 0.0}, "zero_bid"),
        ({"bid": 1.1, "ask": 0.0}, "missing_price"),
        ({"bid": 0.0, "ask": 0.0}, "no_market"),
        ({"bid": 0.0, "ask": 0.0, "price": 3.0}, "no_market"),
        ({"price": 9.0}, "mid_outside_spread"),
        ({"bid": 5.0, "ask": 4.0}, "crossed"),
        ({"bid": 30.0, "ask": 31.0}, "not_monotone_in_strike"),
    ],
)
def test_a_wrong_quote_is_dropped_with_contract_and_message(
    change: dict[str, float], reason: str
) -> None:
    body = listed()
    i = position(body, 105.0, 0.5, "call")
    body["quotes"][i] |= change
    surface = cleaned(body)
    (dropped,) = surface.dropped
    assert dropped.pointer == f"/quotes/{i}"
    assert dropped.reason == reason
    assert dropped.message == Reason(reason).meaning
    assert (dropped.strike, dropped.maturity, dropped.option_type) == (105.0, 0.5, "call")
    assert f"1 quote was left out: 1 {reason}" in surface.warnings[0]


def test_a_misprint_in_a_grid_is_dropped_at_its_position() -> None:
    body = grid()
    body["prices"][1][7] *= 30.0
    assert reasons(cleaned(body)) == {"/prices/1/7": "not_monotone_in_strike"}


def test_a_butterfly_and_a_calendar_are_dropped() -> None:
    body = listed()
    butterfly = position(body, 90.0, 0.25, "put")
    for side in ("bid", "ask"):
        body["quotes"][butterfly][side] += 0.6
    assert reasons(cleaned(body)) == {f"/quotes/{butterfly}": "not_convex_in_strike"}
    body = listed()
    for quote in body["quotes"]:
        if quote["maturity"] == 1.0:
            quote["bid"], quote["ask"] = 0.4 * quote["bid"], 0.4 * quote["ask"]
    assert set(reasons(cleaned(body)).values()) >= {"calendar_arbitrage"}


def test_a_contract_sent_twice_at_one_price_counts_once() -> None:
    body = listed()
    n = len(body["quotes"])
    body["quotes"] += body["quotes"]
    surface = cleaned(body)
    assert surface.quotes.size == n
    assert reasons(surface) == {f"/quotes/{n + i}": "duplicate" for i in range(n)}


def test_a_contract_sent_at_two_prices_is_dropped() -> None:
    body = listed()
    i = position(body, 105.0, 0.5, "call")
    other = {k: v + 0.5 if k in ("bid", "ask") else v for k, v in body["quotes"][i].items()}
    body["quotes"].append(other)
    surface = cleaned(body)
    last = len(body["quotes"]) - 1
    assert reasons(surface) == {
        f"/quotes/{i}": "conflicting_quotes",
        f"/quotes/{last}": "conflicting_quotes",
    }


@pytest.mark.parametrize("later", [1e-7, 1e-6, -1e-6])
def test_a_chain_sent_again_within_a_minute_counts_once(later: float) -> None:
    body = listed(both_sides=True)
    n = len(body["quotes"])
    body["quotes"] += [q | {"maturity": q["maturity"] + later} for q in body["quotes"]]
    surface = cleaned(body)
    assert reasons(surface) == {f"/quotes/{n + i}": "duplicate" for i in range(n)}
    assert surface.dropped[0].maturity == YEARS[0] + later
    years = np.unique(surface.quotes.contracts.maturity_years)
    assert years == pytest.approx(np.array(YEARS) + later / 2, abs=1e-12)
    (warning,) = (w for w in surface.warnings if "maturities" in w)
    assert "each of 3 expiries differ by up to" in warning


def test_exact_prices_within_a_minute_agree() -> None:
    """1.8e-6 years are 57 s."""
    years = [0.1, 0.1 + 1.8e-6, 0.5, 0.5 + 1.8e-6, 1.0]
    contracts = Contracts.grid(
        spot=100.0, rate=RATE, dividend_yield=0.0, strikes=STRIKES, maturities=years
    )
    body = {
        "model_type": "VarianceGamma",
        "spot_price": 100.0,
        "risk_free_rate": RATE,
        "strikes": list(STRIKES),
        "maturities": years,
        "prices": pricing.price(MODEL, contracts).value.reshape(len(years), -1).tolist(),
    }
    surface = cleaned(body)
    assert set(reasons(surface).values()) == {"duplicate"}
    assert surface.quotes.size == 3 * len(STRIKES)


def test_maturities_over_a_minute_apart_are_expiries_of_their_own() -> None:
    """Two minutes are 3.8e-6 years."""
    body = listed()
    body["quotes"] += [q | {"maturity": q["maturity"] + 3.8e-6} for q in body["quotes"]]
    surface = cleaned(body)
    assert not {"duplicate", "conflicting_quotes"} & set(reasons(surface).values())
    assert not any("maturities" in warning for warning in surface.warnings)
    assert np.unique(surface.quotes.contracts.maturity_years).size == 2 * len(YEARS)


def test_strikes_that_differ_by_rounding_are_one_contract() -> None:
    body = listed()
    n = len(body["quotes"])
    body["quotes"] += [q | {"strike": q["strike"] * (1.0 + 9e-10)} for q in body["quotes"]]
    assert reasons(cleaned(body)) == {f"/quotes/{n + i}": "duplicate" for i in range(n)}


def test_strikes_that_differ_by_more_than_rounding_are_two_contracts() -> None:
    body = listed()
    body["quotes"] += [q | {"strike": q["strike"] * (1.0 + 1e-7)} for q in body["quotes"]]
    assert not {"duplicate", "conflicting_quotes"} & set(reasons(cleaned(body)).values())


def with_forwards_a_minute_apart(first: float, second: float) -> dict[str, Any]:
    """Return half a year's quotes, sent twice 3 s apart, with a forward for each time."""
    body = listed()
    quotes = [q for q in body["quotes"] if q["maturity"] == 0.5]
    return {
        "model_type": "VarianceGamma",
        "quotes": [*quotes, *(q | {"maturity": 0.4999999} for q in quotes)],
        "forwards": [
            {"maturity": years, "forward": forward, "discount": float(np.exp(-RATE * years))}
            for years, forward in ((0.5, first), (0.4999999, second))
        ],
    }


def test_forwards_of_one_expiry_that_agree_are_used() -> None:
    forward = 100.0 * float(np.exp(RATE * 0.5))
    surface = cleaned(with_forwards_a_minute_apart(forward, forward * (1.0 - 3e-9)))
    assert surface.quotes.size == len(STRIKES)
    assert set(reasons(surface).values()) == {"duplicate"}
    assert surface.quotes.contracts.forward == pytest.approx(forward, rel=1e-8)


def test_forwards_of_one_expiry_that_contradict_each_other_are_rejected() -> None:
    with pytest.raises(InvalidInputError, match="several values of forward"):
        cleaned(with_forwards_a_minute_apart(101.5, 103.0))


def test_spreads_that_overlap_are_one_quote_sent_twice() -> None:
    body = listed()
    i = position(body, 105.0, 0.5, "call")
    other = {k: v + 0.01 if k in ("bid", "ask") else v for k, v in body["quotes"][i].items()}
    body["quotes"].append(other)
    assert set(reasons(cleaned(body)).values()) == {"duplicate"}


def test_prices_without_any_market_are_used() -> None:
    """Files of last prices contain zeros as bid and ask."""
    body = listed()
    for quote in body["quotes"]:
        quote["price"] = 0.5 * (quote["bid"] + quote["ask"])
        quote["bid"] = quote["ask"] = 0.0
    surface = cleaned(body)
    assert surface.dropped == ()
    assert surface.quotes.bid is None
    assert surface.warnings == (
        "bid and ask are zero on 27 quotes: the prices in field price are used, which may be "
        "old and have no known spread",
    )
    with pytest.raises(InvalidInputError, match=r"0 usable quotes .*no_market: 27"):
        cleaned(body | {"weights": "bid_ask"})


def test_a_stale_call_is_dropped_with_its_put() -> None:
    body = listed(both_sides=True)
    call = position(body, 100.0, 0.5, "call")
    for side in ("bid", "ask"):
        body["quotes"][call][side] += 0.15
    surface = cleaned(body)
    put = position(body, 100.0, 0.5, "put")
    assert f"/quotes/{call}" in reasons(surface)
    assert set(reasons(surface)) <= {f"/quotes/{call}", f"/quotes/{put}"}
    assert not any("parity" in warning for warning in surface.warnings)


def test_a_rate_that_the_pairs_contradict_is_reported_and_costs_no_quote() -> None:
    """F = 100·exp(0.03·T): 100.753 at 0.25 years; the request implies 100·exp(0.08·T)."""
    surface = cleaned(listed(both_sides=True) | {"risk_free_rate": 0.08})
    assert not {"stale", "not_monotone_in_strike"} & set(reasons(surface).values())
    (warning,) = (w for w in surface.warnings if "put-call parity" in w)
    assert "at 0.25 years 100.753 for 102.02; and 2 more" in warning


def test_in_the_money_quotes_below_intrinsic_value_are_reported() -> None:
    body = listed(both_sides=True)
    body["quotes"] = [q for q in body["quotes"] if q["option_type"] == "call"]
    surface = cleaned(body | {"risk_free_rate": 0.13})
    assert any("worth less than intrinsic value" in warning for warning in surface.warnings)


def test_prices_in_another_currency_are_reported() -> None:
    """Divided by the spot of 100, as exchanges of coins quote: about 0.2% instead of 20%."""
    body = listed()
    for quote in body["quotes"]:
        for side in ("bid", "ask"):
            quote[side] /= 100.0
    surface = cleaned(body)
    assert any("volatility at the money is about 0.18%" in warning for warning in surface.warnings)


def test_too_few_quotes_name_the_reasons() -> None:
    body = listed()
    for quote in body["quotes"][2:]:
        quote["bid"] = 0.0
    with pytest.raises(InvalidInputError, match=r"2 usable quotes .*zero_bid: 25"):
        cleaned(body)


def test_every_reason_on_the_wire_has_a_meaning() -> None:
    assert {str(reason) for reason in get_args(DropReason)} <= {str(reason) for reason in Reason}


def test_noisy_mids_within_their_spreads_are_kept() -> None:
    body = listed(half_spread=0.3)
    noise = np.random.default_rng(4).uniform(-0.1, 0.1, len(body["quotes"]))
    for quote, shift in zip(body["quotes"], noise, strict=True):
        quote["bid"], quote["ask"] = max(quote["bid"] + shift, 0.01), quote["ask"] + shift
    assert cleaned(body).dropped == ()


def test_the_order_of_quotes_does_not_matter() -> None:
    body = listed(both_sides=True)
    body["quotes"][5] |= {"bid": 30.0, "ask": 31.0}
    expected = {(q.strike, q.maturity, q.option_type, q.reason) for q in cleaned(body).dropped}
    shuffled = body | {"quotes": body["quotes"][::-1]}
    found = {(q.strike, q.maturity, q.option_type, q.reason) for q in cleaned(shuffled).dropped}
    assert found == expected


def test_a_file_and_a_request_drop_the_same_quotes_for_the_same_reasons(tmp_path: Path) -> None:
    body = listed()
    quotes = body["quotes"]
    faults: list[tuple[float, float, dict[str, float]]] = [
        (80.0, 0.25, {"bid": 12.0, "ask": 15.0}),
        (90.0, 0.25, {"price": 7.0}),
        (110.0, 0.25, {"bid": 0.0}),
        (115.0, 0.5, {"ask": 0.0}),
        (95.0, 0.5, {"bid": 0.0, "ask": 0.0}),
        (105.0, 1.0, {"bid": 9.0, "ask": 8.0}),
    ]
    for strike, years, change in faults:
        side = "call" if strike >= 100.0 else "put"
        quotes[position(body, strike, years, side)] |= change
    quotes.append(quotes[position(body, 100.0, 1.0, "call")])
    other = quotes[position(body, 120.0, 1.0, "call")]
    quotes.append(other | {"bid": other["bid"] + 0.2, "ask": other["ask"] + 0.2})
    other = quotes[position(body, 85.0, 1.0, "put")]
    quotes.append(other | {"strike": 85.0 * (1.0 - 5e-10), "maturity": 1.0 - 1e-7})

    path = tmp_path / "quotes.csv"
    frame = pd.DataFrame(quotes).rename(columns={"maturity": "maturity_years", "price": "mid"})
    frame.assign(spot=100.0, rate=RATE, dividend_yield=0.0).to_csv(path, index=False)
    surface = clean(read_quotes(path), CleaningRules(forwards="given", sides="all"))
    of_file = sorted((int(q.pointer[1:]) - 2, q.reason) for q in surface.dropped)
    of_request = sorted((int(p.split("/")[-1]), r) for p, r in reasons(cleaned(body)).items())
    assert of_file == of_request
    assert {reason for _, reason in of_request} == {
        "not_monotone_in_strike",
        "mid_outside_spread",
        "zero_bid",
        "no_market",
        "missing_price",
        "crossed",
        "duplicate",
        "conflicting_quotes",
    }


def as_vols(body: dict[str, Any]) -> dict[str, Any]:
    """Replace the mid of each quote by its Black volatility, found by bisection."""
    quotes = []
    for quote in body["quotes"]:
        mid, years = 0.5 * (quote["bid"] + quote["ask"]), quote["maturity"]
        forward, discount = 100.0 * np.exp(RATE * years), np.exp(-RATE * years)
        sign = 1.0 if quote["option_type"] == "call" else -1.0

        def excess(vol: float, quote=quote, f=forward, d=discount, s=sign, mid=mid) -> float:
            deviation = vol * np.sqrt(quote["maturity"])
            d1 = np.log(f / quote["strike"]) / deviation + 0.5 * deviation
            value = f * norm.cdf(s * d1) - quote["strike"] * norm.cdf(s * (d1 - deviation))
            return float(s * d * value - mid)

        fields = {k: quote[k] for k in ("strike", "maturity", "option_type")}
        quotes.append(fields | {"implied_vol": float(brentq(excess, 1e-3, 3.0, xtol=1e-14))})
    return body | {"quotes": quotes}


def test_implied_vols_are_fitted_as_the_prices_that_they_stand_for() -> None:
    body = listed()
    mids = [0.5 * (quote["bid"] + quote["ask"]) for quote in body["quotes"]]
    surface = cleaned(as_vols(body))
    assert surface.dropped == ()
    assert surface.warnings == ()
    np.testing.assert_allclose(surface.quotes.price, mids, rtol=1e-9)


def test_prices_and_implied_vols_may_be_mixed_and_vols_may_have_a_spread() -> None:
    body = listed()
    prices = cleaned(body).quotes.price
    vols = as_vols(body)["quotes"]
    body["quotes"][::2] = vols[::2]
    body["quotes"][1] = vols[1] | {k: body["quotes"][1][k] for k in ("bid", "ask")}
    surface = cleaned(body)
    assert surface.dropped == ()
    np.testing.assert_allclose(surface.quotes.price, prices, rtol=1e-9)


def test_an_implied_vol_outside_its_spread_is_dropped() -> None:
    body = listed()
    vol = as_vols(body)["quotes"][3]["implied_vol"]
    body["quotes"][3]["implied_vol"] = 1.5 * vol
    assert reasons(cleaned(body)) == {"/quotes/3": "mid_outside_spread"}


def test_an_implied_vol_that_leaves_no_time_value_is_dropped() -> None:
    body = as_vols(listed())
    body["quotes"][4]["implied_vol"] = 1e-6
    assert reasons(cleaned(body)) == {"/quotes/4": "no_time_value"}


def test_both_sides_of_a_strike_are_reported() -> None:
    (warning,) = cleaned(listed(both_sides=True)).warnings
    assert warning.startswith("27 strikes have both a call and a put; both are fitted")
    body = listed()
    extra = next(q for q in listed(both_sides=True)["quotes"] if q not in body["quotes"])
    body["quotes"].append(extra)
    (warning,) = cleaned(body).warnings
    assert warning.startswith("1 strike has both a call and a put")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({}, ""),
        ({"spot_price": 100.0}, ""),
        ({"spot_price": 1.0}, "1 at 0 years and 100.753 at 0.25 years"),
        ({"scale": 100.0}, "101.511 at 0.5 years and 10304.5 at 1 years"),
    ],
)
def test_forwards_that_no_carry_explains_are_reported(change: dict[str, Any], part: str) -> None:
    body = listed()
    del body["spot_price"], body["risk_free_rate"]
    curve = [(t, 100.0 * float(np.exp(RATE * t)), float(np.exp(-RATE * t))) for t in YEARS]
    last = change.pop("scale", 1.0)
    body["forwards"] = [
        {"maturity": t, "forward": f * (last if t == YEARS[-1] else 1.0), "discount": d}
        for t, f, d in curve
    ]
    if last != 1.0:
        body["quotes"] = [q for q in body["quotes"] if q["maturity"] != YEARS[-1]]
    found = [w for w in cleaned(body | change).warnings if "no plausible rates and dividends" in w]
    assert len(found) == bool(part)
    assert all(part in warning for warning in found)


@pytest.mark.parametrize(
    ("years", "discount", "is_plausible"),
    [(0.25, 0.99, True), (0.25, 1.6, False), (0.25, 0.03, False), (30.0, 1.6, True)],
)
def test_a_discount_that_no_rate_implies_is_reported(
    years: float, discount: float, is_plausible: bool
) -> None:
    """1.6 over 30 years is a rate of −1.6%, over a quarter one of −188%."""
    contracts = Contracts.of(
        maturity_years=years, strike=[95.0, 100.0, 105.0], forward=100.0, discount=discount
    )
    prices = pricing.price(MODEL, contracts).value.tolist()
    body = {
        "model_type": "VarianceGamma",
        "forwards": [{"maturity": years, "forward": 100.0, "discount": discount}],
        "strikes": [95.0, 100.0, 105.0],
        "maturities": [years],
        "prices": [prices],
    }
    warnings = cleaned(body).warnings
    assert any("no plausible rate" in warning for warning in warnings) != is_plausible


def test_prices_rounded_to_a_tick_are_kept() -> None:
    """A stock at 10 in ticks of 0.05: in the wings, rounding is half of the price."""
    strikes = np.arange(8.0, 13.0, 0.25)
    contracts = Contracts.grid(
        spot=10.0, rate=RATE, dividend_yield=0.0, strikes=strikes, maturities=[0.5, 1.0]
    )
    prices = np.round(pricing.price(MODEL, contracts).value * 20) / 20
    body = {
        "model_type": "VarianceGamma",
        "spot_price": 10.0,
        "risk_free_rate": RATE,
        "strikes": strikes.tolist(),
        "maturities": [0.5, 1.0],
        "prices": prices.reshape(2, -1).tolist(),
    }
    assert not {"not_convex_in_strike", "not_monotone_in_strike"} & set(
        reasons(cleaned(body)).values()
    )


def test_a_null_price_of_a_grid_is_not_a_quote() -> None:
    body = grid()
    body["prices"][0][2] = body["prices"][2][8] = None
    surface = cleaned(body)
    assert surface.dropped == ()
    assert surface.quotes.size == len(STRIKES) * len(YEARS) - 2


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        (0.0, "no_time_value"),
        (100.0 - 80.0 * float(np.exp(-RATE * 0.25)), "no_time_value"),
        (100.0, "above_maximum"),
        (130.0, "above_maximum"),
    ],
)
def test_a_price_at_a_no_arbitrage_bound_is_dropped(price: float, reason: str) -> None:
    body = grid()
    body["prices"][0][0] = price
    assert reasons(cleaned(body)) == {"/prices/0/0": reason}


def test_a_grid_of_puts_is_priced_as_puts() -> None:
    contracts = cleaned(grid()).quotes.contracts
    puts = Contracts.of(
        maturity_years=contracts.maturity_years,
        strike=contracts.strike,
        forward=contracts.forward,
        discount=contracts.discount,
        is_call=False,
    )
    prices = pricing.price(MODEL, puts).value.reshape(len(YEARS), len(STRIKES))
    surface = cleaned(grid(option_type="put", prices=prices.tolist()))
    assert surface.dropped == ()
    assert not surface.quotes.contracts.is_call.any()


def test_an_expiry_with_too_few_quotes_is_dropped_from_a_fit_per_expiry() -> None:
    body = grid()
    body["prices"][1] = [*body["prices"][1][:2], *[None] * (len(STRIKES) - 2)]
    surface = cleaned(body, at_each_maturity=True)
    assert set(reasons(surface).values()) == {"too_few_at_maturity"}
    assert set(surface.quotes.contracts.maturity_years) == {0.25, 1.0}
    assert cleaned(body).dropped == ()


def test_fewer_quotes_than_parameters_are_rejected_before_cleaning() -> None:
    body = listed()
    body["quotes"] = body["quotes"][:2]
    with pytest.raises(InvalidInputError, match="2 usable quotes cannot determine the 3") as caught:
        cleaned(body)
    assert caught.value.details["pointer"] == "/quotes"


def test_forwards_and_a_rate_give_the_same_market() -> None:
    by_rate = cleaned(listed())
    body = listed()
    del body["spot_price"], body["risk_free_rate"]
    body["forwards"] = [
        {
            "maturity": years,
            "forward": 100.0 * float(np.exp(RATE * years)),
            "discount": float(np.exp(-RATE * years)),
        }
        for years in YEARS
    ]
    contracts = cleaned(body).quotes.contracts
    assert contracts.forward == pytest.approx(by_rate.quotes.contracts.forward, rel=1e-12)
    assert contracts.discount == pytest.approx(by_rate.quotes.contracts.discount, rel=1e-12)


def test_spreads_are_used_where_every_quote_has_one() -> None:
    body = listed()
    assert cleaned(body).quotes.bid is not None
    quote = body["quotes"][4]
    quote["price"] = 0.5 * (quote.pop("bid") + quote.pop("ask"))
    assert cleaned(body).quotes.bid is None


def test_weights_by_spread_drop_a_quote_without_one() -> None:
    body = listed()
    quote = body["quotes"][4]
    quote |= {"price": 0.5 * (quote["bid"] + quote["ask"]), "ask": 0.0}
    assert set(reasons(cleaned(body | {"weights": "bid_ask"})).values()) == {"no_market"}
    assert cleaned(body).dropped == ()


def test_a_dropped_quote_is_reported_with_all_its_fields() -> None:
    body = grid()
    body["prices"][0][0] = 130.0
    (dropped,) = reported(cleaned(body).dropped)
    assert dropped.model_dump() == {
        "pointer": "/prices/0/0",
        "reason": "above_maximum",
        "message": Reason.ABOVE_MAXIMUM.meaning,
        "strike": 80.0,
        "maturity": 0.25,
        "option_type": "call",
    }


def test_the_forward_of_a_request_earns_the_rate_and_loses_the_dividends() -> None:
    c = cleaned(grid(dividend_yield=0.01)).quotes.contracts
    assert c.forward == pytest.approx(100.0 * np.exp((RATE - 0.01) * c.maturity_years))
    assert c.discount == pytest.approx(np.exp(-RATE * c.maturity_years))

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_numerics.black import black_price
from levy_numerics.errors import InvalidInputError
from levy_numerics.surface import DroppedQuote, Surface
from levy_surfaces.cleaning import CleaningRules, clean
from levy_surfaces.reading import read_quotes
from levy_surfaces.reasons import Reason
from tests.surfaces.conftest import DIVIDEND, EXPIRIES, RATE, SPOT

Writer = Callable[[pd.DataFrame], Path]


def cleaned(path: Path, **rules: object) -> Surface:
    return clean(read_quotes(path), CleaningRules(**rules))  # type: ignore[arg-type]


def place(market: pd.DataFrame, expiry: str, strike: float, kind: str) -> int:
    is_it = (
        (market["expiry"] == expiry)
        & (market["strike"] == strike)
        & (market["option_type"] == kind)
    )
    return int(market.index[is_it][0])


def reason_at(surface: Surface, row: int) -> str | None:
    """Return the reason of the quote at a position; line 1 of the file is the header."""
    return next((q.reason for q in surface.dropped if q.pointer == f"/{row + 2}"), None)


def dropped_for(surface: Surface, reason: str) -> list[DroppedQuote]:
    return [quote for quote in surface.dropped if quote.reason == reason]


def test_a_clean_market_loses_its_in_the_money_side_alone(
    market: pd.DataFrame, written: Writer
) -> None:
    surface = cleaned(written(market))
    assert set(surface.dropped_by_reason) <= {"in_the_money", "zero_bid"}
    c = surface.quotes.contracts
    assert np.all(c.is_call == (c.strike > c.forward))
    assert surface.n_read == len(market)


def test_all_sides_are_kept_on_request(market: pd.DataFrame, written: Writer) -> None:
    surface = cleaned(written(market), sides="all")
    assert "in_the_money" not in surface.dropped_by_reason


def test_calls_alone_are_kept_in_the_money_too(market: pd.DataFrame, written: Writer) -> None:
    market = market[market["strike"].between(90, 125)]
    calls = market[market["option_type"] == "C"]
    surface = cleaned(written(calls.assign(rate=0.03, dividend_yield=0.01)))
    assert surface.dropped_by_reason == {}
    assert surface.size == len(calls)


def test_only_the_out_of_the_money_side_is_kept_on_request(
    market: pd.DataFrame, written: Writer
) -> None:
    calls = market[market["option_type"] == "C"].assign(rate=0.03, dividend_yield=0.01)
    surface = cleaned(written(calls), sides="otm")
    assert np.all(surface.quotes.contracts.strike > surface.quotes.contracts.forward)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"bid": np.nan, "ask": np.nan}, Reason.MISSING_PRICE),
        ({"bid": np.nan}, Reason.MISSING_PRICE),
        ({"bid": 3.0, "ask": 2.0}, Reason.CROSSED),
        ({"bid": 0.0}, Reason.ZERO_BID),
        ({"mid": 50.0}, Reason.MID_OUTSIDE_SPREAD),
        ({"bid": 0.0, "ask": 0.0}, Reason.NO_MARKET),
    ],
)
def test_an_unusable_quote_is_dropped_with_its_reason(
    market: pd.DataFrame, written: Writer, values: dict[str, float], reason: Reason
) -> None:
    row = place(market, "2024-07-03", 110.0, "C")
    market["mid"] = np.nan
    for column, value in values.items():
        market.loc[row, column] = value
    surface = cleaned(written(market))
    assert reason_at(surface, row) == reason


def test_a_quote_without_its_other_side_keeps_its_mid(
    market: pd.DataFrame, written: Writer
) -> None:
    row = place(market, "2024-07-03", 110.0, "C")
    market["mid"] = (market["bid"] + market["ask"]) / 2
    market.loc[row, "bid"] = np.nan
    surface = cleaned(written(market))
    assert reason_at(surface, row) is None
    assert surface.quotes.bid is None


def test_an_expired_quote_is_dropped(market: pd.DataFrame, written: Writer) -> None:
    market.loc[0, "expiry"] = "2024-01-03"
    surface = cleaned(written(market))
    assert reason_at(surface, 0) == Reason.EXPIRED


def test_the_second_of_two_quotes_of_one_contract_is_dropped(
    market: pd.DataFrame, written: Writer
) -> None:
    row = place(market, "2024-07-03", 110.0, "C")
    surface = cleaned(written(pd.concat([market, market.loc[[row]]])))
    assert reason_at(surface, row) is None
    assert reason_at(surface, len(market)) == Reason.DUPLICATE


def test_a_series_without_any_forward_is_dropped(market: pd.DataFrame, written: Writer) -> None:
    lonely = (market["expiry"] == "2024-07-03") & (market["option_type"] == "P")
    surface = cleaned(written(market[~lonely]))
    assert surface.dropped_by_reason["no_forward"] == 13


def test_a_price_below_intrinsic_has_no_time_value(market: pd.DataFrame, written: Writer) -> None:
    calls = market[market["option_type"] == "C"].assign(rate=0.03, dividend_yield=0.01)
    calls = calls.reset_index(drop=True)
    row = place(calls, "2024-07-03", 80.0, "C")
    calls.loc[row, ["bid", "ask"]] = [19.9, 20.0]
    surface = cleaned(written(calls))
    assert reason_at(surface, row) == Reason.NO_TIME_VALUE


@pytest.mark.parametrize(("bid", "reason"), [(20.65, Reason.ZERO_BID), (20.75, None)])
def test_a_bid_in_the_money_at_intrinsic_value_is_a_zero_bid(
    market: pd.DataFrame, written: Writer, bid: float, reason: Reason | None
) -> None:
    # Without puts nothing but the call shows the time value at its strike: the intrinsic value is
    # D(F − 80) = 100·exp(−0.01·T) − 80·exp(−0.03·T) = 20.6904 for half a year.
    calls = market[market["option_type"] == "C"].assign(rate=0.03, dividend_yield=0.01)
    calls = calls.reset_index(drop=True)
    row = place(calls, "2024-07-03", 80.0, "C")
    calls.loc[row, ["bid", "ask"]] = [bid, 21.2]
    assert reason_at(cleaned(written(calls)), row) == reason
    assert reason_at(cleaned(written(calls), sides="all"), row) is None


def test_a_call_dearer_than_one_of_lower_strike_is_not_monotone(
    market: pd.DataFrame, written: Writer
) -> None:
    row = place(market, "2024-07-03", 125.0, "C")
    market.loc[row, ["bid", "ask"]] = [3.4, 3.44]
    surface = cleaned(written(market))
    assert reason_at(surface, row) == Reason.NOT_MONOTONE
    assert surface.dropped_by_reason["not_monotone_in_strike"] == 1


def test_a_butterfly_arbitrage_at_bid_and_ask_is_dropped(
    market: pd.DataFrame, written: Writer
) -> None:
    row = place(market, "2024-07-03", 115.0, "C")
    market.loc[row, ["bid", "ask"]] += 0.6
    surface = cleaned(written(market))
    assert surface.dropped_by_reason["not_convex_in_strike"] == 1
    assert reason_at(surface, row) == Reason.NOT_CONVEX


def test_mids_that_are_not_convex_within_the_spread_are_kept(
    market: pd.DataFrame, written: Writer
) -> None:
    row = place(market, "2024-07-03", 115.0, "C")
    market.loc[row, "bid"] += 0.9
    market.loc[row, "ask"] += 0.9
    market["bid"] = (market["bid"] - 0.5).clip(lower=0.01)
    market["ask"] += 0.5
    surface = cleaned(written(market))
    assert reason_at(surface, row) is None


def test_a_calendar_arbitrage_at_bid_and_ask_is_dropped(
    inverted_market: pd.DataFrame, written: Writer
) -> None:
    surface = cleaned(written(inverted_market))
    assert surface.dropped_by_reason["calendar_arbitrage"] >= 3
    expiries = {quote.expiry for quote in dropped_for(surface, "calendar_arbitrage")}
    assert expiries <= {"2024-07-03", "2025-01-02"}
    assert "2024-04-03" in surface.expiry


def test_static_arbitrage_is_left_alone_on_request(market: pd.DataFrame, written: Writer) -> None:
    row = place(market, "2024-07-03", 115.0, "C")
    market.loc[row, ["bid", "ask"]] += 0.6
    surface = cleaned(written(market), static_arbitrage=False)
    assert reason_at(surface, row) is None


def test_a_call_and_a_put_that_contradict_each_other_are_stale(
    market: pd.DataFrame, written: Writer
) -> None:
    noise = np.random.default_rng(5).normal(0.0, 0.005, len(market))
    market[["bid", "ask"]] = market[["bid", "ask"]].add(noise, axis=0)
    rows = [place(market, "2024-07-03", 100.0, kind) for kind in "CP"]
    market.loc[rows[0], ["bid", "ask"]] += 0.5
    surface = cleaned(written(market[market["bid"] > 0].reset_index(drop=True)))
    stale = dropped_for(surface, "stale")
    # The call was in the money.
    assert [(quote.strike, quote.option_type) for quote in stale] == [(100.0, "put")]


def test_windows_in_maturity_and_moneyness_are_kept_to(
    market: pd.DataFrame, written: Writer
) -> None:
    surface = cleaned(written(market), maturity_years=(0.3, 0.8), moneyness=(0.9, 1.1), sides="all")
    c = surface.quotes.contracts
    assert np.all(np.abs(c.strike / c.forward - 1.0) <= 0.1)
    assert set(surface.expiry) == {"2024-07-03"}
    assert surface.dropped_by_reason["outside_maturity_window"] == 49  # the rest of 52 has no bid


def test_a_surface_with_nothing_left_counts_the_reasons(
    market: pd.DataFrame, written: Writer
) -> None:
    market[["bid", "ask"]] = [2.0, 1.0]
    with pytest.raises(InvalidInputError, match=r"none of the 78 quotes .*crossed: 78") as refusal:
        cleaned(written(market))
    assert refusal.value.details["counts"] == {"crossed": 78}


def test_every_reason_has_a_meaning() -> None:
    assert all(reason.meaning for reason in Reason)


def test_cleaning_does_not_touch_what_was_read(market: pd.DataFrame, written: Writer) -> None:
    table = read_quotes(written(market))
    before = table.frame.copy()
    clean(table)
    pd.testing.assert_frame_equal(table.frame, before)


def weekly(days: int = 13) -> pd.DataFrame:
    """Return mids of one near expiry at 6.5%, rounded to 0.05, without a rate in the file."""
    years, rows = days / 365, []
    forward, discount = 22821.0 * np.exp(0.065 * years), np.exp(-0.065 * years)
    for strike in np.arange(22000.0, 23701.0, 100.0):
        for kind in "CP":
            price = float(
                black_price(
                    forward=forward,
                    strike=strike,
                    maturity_years=years,
                    discount=discount,
                    vol=0.13,
                    is_call=kind == "C",
                )
            )
            rows.append({"strike": strike, "option_type": kind, "mid": round(20 * price) / 20})
    expiry = pd.Timestamp("2024-06-06") + pd.Timedelta(days=days)
    return pd.DataFrame(rows).assign(
        quote_date="2024-06-06", underlying="U", spot=22821.0, expiry=f"{expiry:%Y-%m-%d}"
    )


@pytest.mark.parametrize("days", [1, 7, 13])
def test_clean_weekly_pairs_are_never_stale(written: Writer, days: int) -> None:
    """C − P is linear in K to 0.05: no pair contradicts parity, whatever discount is used."""
    surface = cleaned(written(weekly(days)))
    assert "stale" not in surface.dropped_by_reason
    assert surface.size >= 17


def test_a_stale_pair_of_a_weekly_expiry_is_found(written: Writer) -> None:
    frame = weekly()
    frame.loc[(frame["strike"] == 22800.0) & (frame["option_type"] == "C"), "mid"] += 3.0
    surface = cleaned(written(frame))
    stale = dropped_for(surface, "stale")
    assert [quote.strike for quote in stale] == [22800.0]


def test_prices_beside_zeros_are_used_where_nothing_else_is_quoted(
    market: pd.DataFrame, written: Writer
) -> None:
    market["mid"] = (market["bid"] + market["ask"]) / 2
    market[["bid", "ask"]] = 0.0
    surface = cleaned(written(market))
    assert surface.quotes.bid is None
    assert not {"no_market", "mid_outside_spread"} & set(surface.dropped_by_reason)
    assert any("bid and ask are zero on 78 quotes" in warning for warning in surface.warnings)


def test_prices_beside_zeros_are_too_old_where_others_are_quoted(
    market: pd.DataFrame, written: Writer
) -> None:
    row = place(market, "2024-07-03", 110.0, "C")
    market["mid"] = (market["bid"] + market["ask"]) / 2
    market.loc[row, ["bid", "ask"]] = 0.0
    surface = cleaned(written(market))
    assert reason_at(surface, row) == Reason.NO_MARKET
    assert surface.quotes.bid is not None


def test_zeros_without_any_price_are_not_a_market(market: pd.DataFrame, written: Writer) -> None:
    market[["bid", "ask"]] = 0.0
    with pytest.raises(InvalidInputError, match="no market: bid and ask are zero"):
        cleaned(written(market))


@pytest.mark.parametrize(
    ("mid", "reason"), [(np.nan, Reason.MISSING_PRICE), (1.0, Reason.MID_OUTSIDE_SPREAD)]
)
def test_an_ask_of_zero_is_unknown_and_the_bid_still_bounds_the_mid(
    market: pd.DataFrame, written: Writer, mid: float, reason: Reason
) -> None:
    row = place(market, "2024-07-03", 110.0, "C")
    market["mid"] = np.nan
    market.loc[row, ["bid", "ask", "mid"]] = [2.3, 0.0, mid]
    surface = cleaned(written(market))
    assert reason_at(surface, row) == reason


def test_one_contract_at_incompatible_prices_is_dropped_altogether(
    market: pd.DataFrame, written: Writer
) -> None:
    row = place(market, "2024-07-03", 110.0, "C")
    other = market.loc[[row]].assign(bid=3.1, ask=3.14)
    surface = cleaned(written(pd.concat([market, other])))
    assert reason_at(surface, row) == Reason.CONFLICTING
    assert reason_at(surface, len(market)) == Reason.CONFLICTING
    assert any("2 quotes are of contracts quoted more than once" in w for w in surface.warnings)


def test_premiums_in_the_underlying_are_converted_with_a_statement(
    market: pd.DataFrame, written: Writer
) -> None:
    """Prices over the forward of their expiry, as inverse options are quoted."""
    expected = cleaned(written(market)).quotes
    forward = SPOT * np.exp((RATE - DIVIDEND) * market["expiry"].map(EXPIRIES))
    coin = market.assign(bid=market["bid"] / forward, ask=market["ask"] / forward)
    surface = cleaned(written(coin))
    assert any("multiplied by the forward of their expiry" in w for w in surface.warnings)
    np.testing.assert_array_equal(surface.quotes.contracts.strike, expected.contracts.strike)
    np.testing.assert_allclose(surface.quotes.price, expected.price, rtol=1e-4)


@pytest.mark.parametrize(("factor", "verb"), [(100.0, "divided"), (0.001, "multiplied")])
def test_prices_in_another_unit_are_converted_with_a_statement(
    market: pd.DataFrame, written: Writer, factor: float, verb: str
) -> None:
    expected = cleaned(written(market)).quotes.price
    market[["bid", "ask"]] *= factor
    surface = cleaned(written(market))
    assert any(f"prices are {verb} by" in warning for warning in surface.warnings)
    np.testing.assert_allclose(surface.quotes.price, expected, rtol=1e-9)


def test_prices_in_an_unknown_unit_are_rejected(market: pd.DataFrame, written: Writer) -> None:
    market[["bid", "ask"]] *= 7.3
    with pytest.raises(InvalidInputError, match="not in the currency and unit of the strikes"):
        cleaned(written(market))


def test_a_forward_in_another_unit_is_reported(market: pd.DataFrame, written: Writer) -> None:
    calls = market[market["option_type"] == "C"].assign(forward=108.0, discount=0.98)
    surface = cleaned(written(calls))
    assert any("worth less than intrinsic value" in warning for warning in surface.warnings)
    cents = market[market["option_type"] == "C"].assign(forward=101.0, discount=0.98)
    cents[["bid", "ask"]] *= 100.0
    surface = cleaned(written(cents), static_arbitrage=False)
    assert any("more than the discounted forward" in warning for warning in surface.warnings)


def test_maturities_in_days_are_converted_with_a_statement(written: Writer) -> None:
    frame = weekly(30).drop(columns=["expiry", "quote_date"]).assign(maturity_years=30.0)
    surface = cleaned(written(frame))
    assert any("read as days and divided by 365" in warning for warning in surface.warnings)
    assert set(surface.quotes.contracts.maturity_years) == {30 / 365}


def test_fractional_maturities_in_days_are_reported_by_their_volatility(written: Writer) -> None:
    """13% over 7.5 days, called 7.5 years: 13%·√(1/365) = 0.68%."""
    frame = weekly(30).drop(columns=["expiry", "quote_date"]).assign(maturity_years=7.5)
    surface = cleaned(written(frame))
    assert any("that maturities are in years" in warning for warning in surface.warnings)


def test_a_forward_without_a_rate_is_used_with_a_discount_of_one_and_a_warning(
    market: pd.DataFrame, written: Writer
) -> None:
    calls = market[market["option_type"] == "C"].assign(forward=101.0)
    surface = cleaned(written(calls), forwards="given")
    assert {f.discount for f in surface.forwards} == {1.0}
    assert any("a discount factor of 1 is assumed" in warning for warning in surface.warnings)


def test_a_forward_without_a_rate_takes_the_discount_of_parity_elsewhere(
    market: pd.DataFrame, written: Writer
) -> None:
    """The last expiry has calls only, and between it and parity there is one rate."""
    last = market["expiry"] == "2025-01-02"
    forward = SPOT * np.exp((RATE - DIVIDEND) * market["expiry"].map(EXPIRIES))
    kept = market.assign(forward=forward)[~(last & (market["option_type"] == "P"))]
    surface = cleaned(written(kept))
    assert surface.forwards[-1].rate == pytest.approx(RATE, abs=2e-3)
    assert "interpolated between expiries" in surface.forwards[-1].source


def test_maturities_that_are_all_within_a_week_are_reported(
    market: pd.DataFrame, written: Writer
) -> None:
    years = market["expiry"].map(EXPIRIES) / 100.0
    stated = market.drop(columns=["expiry", "quote_date"]).assign(maturity_years=years)
    surface = cleaned(written(stated))
    assert any("check that they are in years" in warning for warning in surface.warnings)


def test_a_clean_market_has_no_warnings(market: pd.DataFrame, written: Writer) -> None:
    surface = cleaned(written(market.assign(rate=0.03, dividend_yield=0.01)))
    assert surface.warnings == ()


def two_classes(market: pd.DataFrame, *, dearer: int) -> pd.DataFrame:
    """Return the market twice, the second time one unit higher in its first rows."""
    second = market.copy()
    second.loc[second.index[:dearer], ["bid", "ask"]] += 1.0
    second["bid"] = second["bid"].where(second["bid"] > 0, 0.001)
    market = market.assign(bid=market["bid"].where(market["bid"] > 0, 0.001))
    return pd.concat([market.assign(kind="AM"), second.assign(kind="PM")])


def test_a_file_most_of_which_conflicts_is_rejected_with_the_remedy(
    market: pd.DataFrame, written: Writer
) -> None:
    """40 of 78 contracts, so 80 of 156 quotes, have two prices that are a unit apart."""
    both = two_classes(market, dearer=40)
    with pytest.raises(InvalidInputError, match="80 of 156 usable quotes") as refusal:
        cleaned(written(both))
    assert "rows 2 and 80: call at strike 70" in refusal.value.message
    assert "give each class of options its own root" in refusal.value.message
    assert "a settlement column" in refusal.value.message
    assert refusal.value.details["counts"]["conflicting_quotes"] == 80


def test_a_file_half_of_which_conflicts_loses_that_half(
    market: pd.DataFrame, written: Writer
) -> None:
    surface = cleaned(written(two_classes(market, dearer=39)))
    assert surface.dropped_by_reason["conflicting_quotes"] == 78
    assert any("78 quotes are of contracts quoted more than once" in w for w in surface.warnings)


def test_conflicts_outside_the_window_of_maturities_do_not_reject_the_rest(
    market: pd.DataFrame, written: Writer
) -> None:
    """The first two of three expiries conflict; the window leaves the last."""
    both = two_classes(market, dearer=52)
    with pytest.raises(InvalidInputError, match="104 of 156 usable quotes"):
        cleaned(written(both))
    surface = cleaned(written(both), maturity_years=(0.9, 2.0))
    assert surface.size > 0


@pytest.mark.parametrize("root", ["", "XYZ"])
@pytest.mark.parametrize("column", ["root", "settlement"])
def test_the_remedy_for_conflicting_classes_is_one(
    market: pd.DataFrame, written: Writer, column: str, root: str
) -> None:
    both = two_classes(market, dearer=len(market)).assign(root=root)
    with pytest.raises(InvalidInputError, match="incompatible"):
        cleaned(written(both))
    surface = cleaned(written(both.assign(**{column: both["kind"]})))
    assert "conflicting_quotes" not in surface.dropped_by_reason
    assert surface.size > 0

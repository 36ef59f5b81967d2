from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_numerics.black import black_price
from levy_numerics.errors import InvalidInputError
from levy_surfaces.forwards import (
    ForwardSet,
    ForwardSource,
    SeriesForward,
    derive_forwards,
    implied_forwards,
)
from levy_surfaces.reading import read_quotes

Writer = Callable[[pd.DataFrame], Path]
YEARS = np.array([91, 182, 365]) / 365


def implied(path: Path, source: str = "parity") -> tuple[SeriesForward, ...]:
    table = read_quotes(path)
    price = (table.frame["bid"] + table.frame["ask"]) / 2
    return implied_forwards(table, price, source=source)  # type: ignore[arg-type]


def test_parity_gives_back_forward_discount_rate_and_dividends(
    market: pd.DataFrame, written: Writer
) -> None:
    for found, years in zip(implied(written(market)), YEARS, strict=True):
        assert found.forward == pytest.approx(100 * np.exp(0.02 * years), abs=2e-3)
        assert found.rate == pytest.approx(0.03, abs=2e-4)
        assert found.dividend_yield(100.0) == pytest.approx(0.01, abs=2e-4)
        assert found.source == "put-call parity"
        assert found.n_pairs >= 10
        assert found.residual_scale < 2e-3


def test_a_third_of_the_calls_printed_wrong_moves_nothing(
    market: pd.DataFrame, written: Writer
) -> None:
    right = implied(written(market))
    calls = market.index[market["option_type"] == "C"]
    market.loc[calls[::3], ["bid", "ask"]] += 7.0
    for found, expected in zip(implied(written(market)), right, strict=True):
        assert found.forward == pytest.approx(expected.forward, abs=5e-3)
        assert found.discount == pytest.approx(expected.discount, abs=1e-4)


def test_a_near_expiry_borrows_its_discount(market: pd.DataFrame, written: Writer) -> None:
    week = market[market["expiry"] == "2024-04-03"].assign(expiry="2024-01-10")
    found = implied(written(pd.concat([week, market])))[0]
    assert found.source == "put-call parity, discount interpolated between expiries"
    assert found.rate == pytest.approx(0.03, abs=2e-3)


def test_noise_that_leaves_the_rate_open_borrows_the_files_discount(
    market: pd.DataFrame, written: Writer
) -> None:
    noise = np.random.default_rng(3).normal(0.0, 0.8, len(market))
    market[["bid", "ask"]] = market[["bid", "ask"]].add(noise, axis=0).clip(lower=0.0)
    first = market[market["expiry"] == "2024-04-03"].assign(rate=0.03)
    (found,) = implied(written(first))
    assert found.source == "put-call parity, discount from the file"
    assert found.rate == pytest.approx(0.03, rel=1e-9)
    assert found.rate_error > 0.005


def test_without_pairs_the_file_speaks(market: pd.DataFrame, written: Writer) -> None:
    calls = market[market["option_type"] == "C"]
    assert implied(written(calls)) == ()
    carried = implied(written(calls.assign(rate=0.03, dividend_yield=0.01)))
    assert [f.forward for f in carried] == pytest.approx(100 * np.exp(0.02 * YEARS), rel=1e-12)
    assert {f.source for f in carried} == {"spot, rate and dividend yield"}
    stated = implied(written(calls.assign(forward=101.0, discount=0.98)))
    assert {(f.forward, f.discount, f.source) for f in stated} == {
        (101.0, 0.98, "the file's forward and discount")
    }


def test_the_files_forward_is_preferred_on_request(market: pd.DataFrame, written: Writer) -> None:
    path = written(market.assign(forward=99.0, discount=0.97))
    assert {f.forward for f in implied(path, "given")} == {99.0}
    assert all(f.forward > 100 for f in implied(path))


def test_a_performance_index_has_a_forward_above_its_carry(
    market: pd.DataFrame, written: Writer
) -> None:
    """Negative dividend yields occur in such markets and are not corrected."""
    years = market["expiry"].map(dict(zip(market["expiry"].unique(), YEARS, strict=True)))
    shift = 100 * np.exp(-0.01 * years) * (np.exp(0.012 * years) - 1)
    calls = market["option_type"] == "C"
    for side in ("bid", "ask"):
        market.loc[calls, side] += shift[calls]
    for found in implied(written(market)):
        assert found.dividend_yield(100.0) == pytest.approx(-0.002, abs=3e-4)


def test_roots_keep_their_own_forwards(market: pd.DataFrame, written: Writer) -> None:
    dearer = market.assign(root="PM")
    calls = dearer["option_type"] == "C"
    dearer.loc[calls, ["bid", "ask"]] += 0.5
    found = implied(written(pd.concat([market.assign(root="AM"), dearer])))
    assert len(found) == 6
    assert found[1].forward - found[0].forward == pytest.approx(0.5 / found[0].discount, abs=5e-3)


def table_of(rows: list[dict[str, object]], **columns: object) -> pd.DataFrame:
    base = {"quote_date": "2024-06-03", "underlying": "ACME", "spot": 100.0}
    return pd.DataFrame(rows).assign(**base, **columns)


def pairs_under_black(
    days: int,
    strikes: Sequence[float],
    *,
    rate: float = 0.0,
    dividend: float = 0.0,
    vol: float = 0.2,
    spot: float = 100.0,
    unit: float = 1.0,
    decimals: int = 2,
) -> list[dict[str, object]]:
    """Return calls and puts at rounded mids, whose parity line is exact up to rounding."""
    years = days / 365
    forward, discount = spot * np.exp((rate - dividend) * years), np.exp(-rate * years)
    expiry = pd.Timestamp("2024-06-03") + pd.Timedelta(days=days)
    return [
        {
            "expiry": f"{expiry:%Y-%m-%d}",
            "strike": strike,
            "option_type": "C" if is_call else "P",
            "mid": round(
                unit
                * float(
                    black_price(
                        forward=forward,
                        strike=strike,
                        maturity_years=years,
                        discount=discount,
                        vol=vol,
                        is_call=is_call,
                    )
                ),
                decimals,
            ),
        }
        for strike in strikes
        for is_call in (True, False)
    ]


def derived(path: Path, source: ForwardSource = "parity") -> ForwardSet:
    table = read_quotes(path)
    frame = table.frame
    price = frame["mid"].fillna((frame["bid"] + frame["ask"]) / 2)
    return derive_forwards(table, price, source=source)


def warnings_of(forwards: ForwardSet) -> str:
    return "; ".join(forwards.warnings({f.series for f in forwards.forwards}))


STRIKES = tuple(np.arange(80.0, 121.0, 4.0))


@pytest.mark.parametrize(
    ("days", "rate", "dividend"),
    [
        (30, -0.0075, 0.0),
        (730, -0.02, 0.0),
        (30, 0.6, 0.0),
        (90, 0.05, 0.3),
        (180, 0.03, -0.01),
    ],
)
def test_unusual_rates_and_yields_are_found_by_parity(
    written: Writer, days: int, rate: float, dividend: float
) -> None:
    """C − P = exp(−r·T)·(F − K), F = S·exp((r − q)·T); prices are rounded to 0.01."""
    rows = pairs_under_black(days, STRIKES, rate=rate, dividend=dividend)
    forwards = derived(written(table_of(rows)))
    (found,) = forwards.forwards
    years = days / 365
    assert found.forward == pytest.approx(100 * np.exp((rate - dividend) * years), abs=4e-3)
    assert found.discount == pytest.approx(np.exp(-rate * years), abs=3e-4)
    assert warnings_of(forwards) == ""


def test_the_slope_of_clean_weekly_pairs_is_the_discount(written: Writer) -> None:
    """13 days at 6.5%: D = exp(−0.065·13/365) = 0.997688."""
    strikes = np.arange(22000.0, 23701.0, 100.0)
    rows = pairs_under_black(13, strikes, rate=0.065, spot=22821.0, vol=0.12)
    forwards = derived(written(table_of(rows).assign(spot=22821.0)))
    (found,) = forwards.forwards
    assert found.discount == pytest.approx(0.997688, abs=2e-5)
    assert warnings_of(forwards) == ""


@pytest.mark.parametrize("n_pairs", [2, 3, 4])
def test_few_exact_pairs_determine_the_discount_with_a_warning(
    written: Writer, n_pairs: int
) -> None:
    """180 days at 5%: D = exp(−0.05·180/365) = 0.97564; rounding moves it by at most 0.01/5."""
    strikes = (90.0, 95.0, 100.0, 105.0)[4 - n_pairs :]
    forwards = derived(written(table_of(pairs_under_black(180, strikes, rate=0.05))))
    (found,) = forwards.forwards
    assert found.discount == pytest.approx(0.97564, abs=2e-3)
    assert "rate 5." in warnings_of(forwards)


def test_one_pair_does_not_determine_the_discount_and_warns(written: Writer) -> None:
    forwards = derived(written(table_of(pairs_under_black(180, (100.0,), rate=0.05))))
    (found,) = forwards.forwards
    assert found.discount == 1.0
    assert "a discount factor of 1 is assumed" in warnings_of(forwards)


def test_the_rate_over_a_day_is_noise_and_is_not_used(written: Writer) -> None:
    """Rounding of 0.01 on strikes within 4% is a rate of about ±40 points over a day."""
    rows = pairs_under_black(1, np.arange(98.0, 102.1, 0.5), rate=0.05)
    forwards = derived(written(table_of(rows)))
    (found,) = forwards.forwards
    assert found.discount == 1.0
    assert found.forward == pytest.approx(100.0137, abs=6e-3)
    assert "a discount factor of 1 is assumed" in warnings_of(forwards)


def test_wide_quotes_weigh_nothing_and_the_forward_is_within_the_bounds(written: Writer) -> None:
    """The call at 95 is quoted 25 / 3,842: its mid implies a forward of 2,027."""
    rows = pairs_under_black(90, (90.0, 95.0, 100.0, 105.0), rate=0.0)
    frame = table_of(rows, rate=0.0)
    frame["bid"], frame["ask"] = frame["mid"] - 0.05, frame["mid"] + 0.05
    wide = (frame["strike"] == 95.0) & (frame["option_type"] == "C")
    frame.loc[wide, ["bid", "ask"]] = [2.5, 3842.0]
    (found,) = derived(written(frame.drop(columns="mid"))).forwards
    assert found.forward == pytest.approx(100.0, abs=0.02)


def test_the_forward_lies_within_the_bounds_of_bid_and_ask(written: Writer) -> None:
    """Mids imply 101.5 and 100; bids and asks allow 98 to 105 and 99.9 to 100.1."""
    rows = [
        {"strike": 100.0, "option_type": "C", "bid": 5.0, "ask": 11.0},
        {"strike": 100.0, "option_type": "P", "bid": 6.0, "ask": 7.0},
        {"strike": 105.0, "option_type": "C", "bid": 3.0, "ask": 3.1},
        {"strike": 105.0, "option_type": "P", "bid": 8.0, "ask": 8.1},
    ]
    frame = table_of(rows, expiry="2024-09-03", rate=0.0)
    (found,) = derived(written(frame)).forwards
    assert 99.9 <= found.forward <= 100.1


def test_pairs_that_no_forward_satisfies_are_counted(written: Writer) -> None:
    rows = pairs_under_black(90, STRIKES, rate=0.03)
    frame = table_of(rows, rate=0.03)
    frame["bid"], frame["ask"] = frame["mid"] - 0.02, frame["mid"] + 0.02
    frame.loc[frame["strike"] == 84.0, ["bid", "ask"]] += [1.0, 1.0]
    calls = (frame["strike"] == 84.0) & (frame["option_type"] == "C")
    frame.loc[calls, ["bid", "ask"]] += 1.0
    frame["mid"] = np.nan
    forwards = derived(written(frame[frame["bid"] >= 0]))
    assert "1 of 11 pairs exclude the forward used" in warnings_of(forwards)
    assert forwards.forwards[0].forward == pytest.approx(100 * np.exp(0.03 * 90 / 365), abs=0.02)


def test_a_stated_forward_within_wide_bounds_is_used(written: Writer) -> None:
    """Bids and asks allow 95 to 106: mids, at 100.5, are not better than the stated forward."""
    rows = [
        {"strike": 100.0, "option_type": "C", "bid": 5.0, "ask": 11.0},
        {"strike": 100.0, "option_type": "P", "bid": 5.0, "ask": 10.0},
        {"strike": 110.0, "option_type": "C", "bid": 2.0, "ask": 8.0},
        {"strike": 110.0, "option_type": "P", "bid": 10.0, "ask": 18.0},
    ]
    frame = table_of(rows, expiry="2024-09-03", discount=1.0)
    (inside,) = derived(written(frame.assign(forward=103.0))).forwards
    assert inside.forward == 103.0
    outside = derived(written(frame.assign(forward=109.0)))
    assert outside.forwards[0].forward < 106.0
    assert "put-call parity contradicts the file" in warnings_of(outside)


def test_a_rate_or_yield_that_parity_contradicts_is_reported(written: Writer) -> None:
    rows = pairs_under_black(180, STRIKES, rate=0.03)
    agreed = derived(written(table_of(rows, rate=0.03, dividend_yield=0.0)))
    assert warnings_of(agreed) == ""
    wrong = derived(written(table_of(rows, rate=0.3, dividend_yield=0.0)))
    assert "rate 3.0%" in warnings_of(wrong)
    assert "file forward 115.9" in warnings_of(wrong)
    assert "parity is used" in warnings_of(wrong)
    given = derived(written(table_of(rows, rate=0.3, dividend_yield=0.0)), "given")
    assert given.forwards[0].discount == pytest.approx(np.exp(-0.3 * 180 / 365))
    assert "the file is used" in warnings_of(given)


@pytest.mark.parametrize(
    ("unit", "scale"), [(1 / 100.0, 1.0), (100.0, 1.0), (1.0, 1000.0), (1.0, 1 / 1000.0)]
)
def test_prices_and_strikes_in_different_units_are_converted(
    written: Writer, unit: float, scale: float
) -> None:
    """In coins, cents, or per mille: the slope is 0.01, 100, 0.001 or 1,000, not a discount."""
    frame = table_of(pairs_under_black(90, STRIKES, unit=unit, decimals=8))
    frame["strike"] *= scale
    path = written(frame)
    (forward,) = derived(path).forwards
    strikes = read_quotes(path).frame["strike"]
    assert forward.discount == pytest.approx(1.0, abs=1e-4)
    assert forward.forward / strikes.max() == pytest.approx(100.0 / max(STRIKES), rel=1e-4)


def test_prices_in_an_unknown_unit_have_no_forward(written: Writer) -> None:
    forwards = derived(written(table_of(pairs_under_black(90, STRIKES, unit=7.3, decimals=6))))
    assert forwards.forwards == ()
    assert "not in the currency and unit of the strikes" in warnings_of(forwards)


def test_calls_and_puts_that_are_interchanged_have_no_forward(written: Writer) -> None:
    frame = table_of(pairs_under_black(90, STRIKES))
    frame["option_type"] = frame["option_type"].map({"C": "P", "P": "C"})
    forwards = derived(written(frame))
    assert forwards.forwards == ()
    assert "calls and puts are interchanged" in warnings_of(forwards)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"forward": 100.0, "discount": 1.6}, "discount 1.6 is not between"),
        ({"forward": 100.0, "discount": 97.0}, "discount 97 is not between"),
        ({"forward": 100.0, "discount": 0.02}, "discount 0.02 is not between"),
    ],
)
def test_columns_in_a_wrong_unit_are_rejected(
    written: Writer, columns: dict[str, float], message: str
) -> None:
    path = written(table_of(pairs_under_black(90, STRIKES), **columns))
    for source in ("parity", "given"):
        with pytest.raises(InvalidInputError, match=message):
            derived(path, source)


@pytest.mark.parametrize(
    ("columns", "rate"),
    [({"rate": 2.0}, 0.02), ({"rate": 0.02, "dividend_yield": 1.5}, 0.02)],
)
def test_rates_in_per_cent_are_converted_with_a_statement(
    written: Writer, columns: dict[str, float], rate: float
) -> None:
    table = read_quotes(written(table_of(pairs_under_black(90, STRIKES), **columns)))
    assert set(table.frame["rate"]) == {rate}
    assert any("read as per cent and divided by 100" in w for w in table.warnings)


def test_maturities_of_fractional_days_above_fifty_are_rejected(written: Writer) -> None:
    frame = table_of(pairs_under_black(90, STRIKES), maturity_years=90.5)
    with pytest.raises(InvalidInputError, match="divide days by 365"):
        derived(written(frame.drop(columns=["expiry", "quote_date"])))


@pytest.mark.parametrize(
    ("columns", "lacking"),
    [
        ({"discount": 0.99}, "a discount but no forward"),
        ({}, "the file gives no forward"),
    ],
)
def test_what_the_file_lacks_is_named(
    written: Writer, columns: dict[str, float], lacking: str
) -> None:
    rows = [r for r in pairs_under_black(90, STRIKES) if r["option_type"] == "C"]
    forwards = derived(written(table_of(rows, **columns)), "given")
    assert forwards.forwards == ()
    assert lacking in warnings_of(forwards)


def test_parity_that_replaces_an_incomplete_file_is_reported(written: Writer) -> None:
    frame = table_of(pairs_under_black(90, STRIKES), forward=100.0)
    assert "so put-call parity is used" in warnings_of(derived(written(frame), "given"))


def american_put(strike: float, *, rate: float, years: float, vol: float, n: int = 400) -> float:
    """Return prices by Cox, Ross and Rubinstein's tree from a spot of 100."""
    up = np.exp(vol * np.sqrt(years / n))
    discount = np.exp(-rate * years / n)
    p = (1.0 / discount - 1.0 / up) / (up - 1.0 / up)
    spot = 100.0 * up ** (2.0 * np.arange(n + 1) - n)
    value = np.maximum(strike - spot, 0.0)
    for _ in range(n):
        spot = spot[1:] / up
        value = np.maximum(discount * (p * value[1:] + (1.0 - p) * value[:-1]), strike - spot)
    return float(value[0])


@pytest.mark.parametrize("days", [180, 365, 730])
def test_early_exercise_curves_parity_and_is_reported(written: Writer, days: int) -> None:
    """American calls without dividends equal European ones; American puts are worth more."""
    rows = pairs_under_black(days, np.arange(70.0, 131.0, 5.0), rate=0.05, vol=0.25)
    for row in rows:
        if row["option_type"] == "P":
            strike = float(str(row["strike"]))
            put = american_put(strike, rate=0.05, years=days / 365, vol=0.25)
            row["mid"] = round(put, 2)
    assert "the options may be American" in warnings_of(derived(written(table_of(rows))))


@pytest.mark.parametrize("source", ["parity", "given"])
@pytest.mark.parametrize("columns", [{}, {"rate": 0.03}])
@pytest.mark.parametrize(
    ("forward", "is_contradicted"),
    [(400_000.0, True), (42_000.0, True), (44_000.0, True), (400.0, True), (40_000.0, False)],
)
def test_a_stated_forward_is_checked_with_and_without_a_rate(
    written: Writer,
    forward: float,
    is_contradicted: bool,
    columns: dict[str, float],
    source: ForwardSource,
) -> None:
    """Spot 40,000·exp(−0.03·T) and rate 3%: the forward is 40,000."""
    spot = 40_000.0 * np.exp(-0.03 * 180 / 365)
    strikes = np.arange(32_000.0, 48_001.0, 1_600.0)
    frame = table_of(pairs_under_black(180, strikes, rate=0.03, spot=spot), **columns)
    frame = frame.assign(forward=forward, spot=spot)
    frame = frame.assign(bid=frame["mid"] - 0.5, ask=frame["mid"] + 0.5)
    found = derived(written(frame), source)
    text = warnings_of(found)
    assert ("put-call parity contradicts the file" in text) is is_contradicted
    assert (f"file forward {forward:.6g}" in text) is is_contradicted
    if source == "parity" or not columns:
        assert found.forwards[0].forward == pytest.approx(40_000.0, rel=2e-5)
    if is_contradicted and not columns:
        assert "a rate or discount column and --forwards given would use the file" in text


def test_a_stated_rate_is_checked_without_spot_and_forward(written: Writer) -> None:
    frame = table_of(pairs_under_black(180, STRIKES, rate=0.03)).drop(columns="spot")
    assert warnings_of(derived(written(frame.assign(rate=0.03)))) == ""
    text = warnings_of(derived(written(frame.assign(rate=0.3))))
    assert "put-call parity contradicts the file" in text
    assert "file rate 30.0%" in text


def test_a_stated_forward_without_a_rate_within_wide_bounds_is_used(written: Writer) -> None:
    """The same 95 to 106 as with a discount, which is here assumed to be 1 and reported."""
    rows = [
        {"strike": 100.0, "option_type": "C", "bid": 5.0, "ask": 11.0},
        {"strike": 100.0, "option_type": "P", "bid": 5.0, "ask": 10.0},
        {"strike": 110.0, "option_type": "C", "bid": 2.0, "ask": 8.0},
        {"strike": 110.0, "option_type": "P", "bid": 10.0, "ask": 18.0},
    ]
    frame = table_of(rows, expiry="2024-09-03")
    found = derived(written(frame.assign(forward=103.0)))
    assert found.forwards[0].forward == 103.0
    assert "a discount factor of 1 is assumed" in warnings_of(found)

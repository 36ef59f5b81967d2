"""What a file lacks, or how it is written, can be stated; doubtful files are refused with how."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from levy_numerics.errors import InvalidInputError
from levy_numerics.surface import Surface
from levy_surfaces.cleaning import clean
from levy_surfaces.quote_settings import QuoteSettings
from levy_surfaces.rate_curves import RateCurve
from levy_surfaces.reading import read_quotes
from levy_surfaces.summary import summary
from tests.surfaces.chains import DIVIDEND, RATE, SPOT, Variant, chain, sided

Writer = Callable[[pd.DataFrame], Path]

BAD_FORMATS = (
    *("", "nan", "DMY", "%d.%m", "%d.%m %%Y", "%a %d.%m", "%Y"),
    *("%d%d.%m.%Y", "%", "%Q", "\0", "a\x1b[31m"),
)


@pytest.fixture
def quotes() -> pd.DataFrame:
    return chain().copy()


def vols(surface: Surface) -> list[float]:
    return [line.atm_vol or np.nan for line in summary(surface)]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    path = tmp_path_factory.mktemp("expected") / "quotes.csv"
    return vols(clean(read_quotes(Variant(",", "point", "iso", "engine", "long").write(path))))


def test_columns_are_named(quotes: pd.DataFrame, written: Writer, expected: list[float]) -> None:
    odd = {"strike": "Stufe", "bid": "unten", "ask": "oben", "option_type": "Art"}
    path = written(quotes.rename(columns=odd))
    with pytest.raises(InvalidInputError, match=r"columns are missing: strike .* --columns"):
        read_quotes(path)
    table = read_quotes(path, columns=odd)
    assert vols(clean(table)) == expected
    wide = sided(quotes, "marked").rename(columns={"call bid": "a", "put ask": "b"})
    table = read_quotes(written(wide), columns={"call_bid": "a", "put_ask": "b"})
    assert vols(clean(table)) == expected
    with pytest.raises(InvalidInputError, match="has no column Strk"):
        read_quotes(path, columns={"strike": "Strk"})
    with pytest.raises(InvalidInputError, match="columns: 'strikes' is not one of"):
        read_quotes(path, columns={"strikes": "K"})


def test_columns_are_scaled(quotes: pd.DataFrame, written: Writer, expected: list[float]) -> None:
    path = written(quotes.assign(strike=quotes["strike"] * 1000.0))
    table = read_quotes(path, scale={"strike": 0.001})
    assert (table.frame["strike"] == quotes["strike"]).all()
    assert vols(clean(table)) == expected
    assert not any("strikes are divided" in warning for warning in table.warnings)
    corrected = read_quotes(path)
    assert any("strikes are divided by 1,000" in warning for warning in corrected.warnings)
    assert vols(clean(corrected)) == pytest.approx(expected)
    with pytest.raises(InvalidInputError, match="must be a positive number"):
        read_quotes(path, scale={"strike": -1.0})


def test_calls_with_strikes_times_a_thousand_are_corrected_by_the_spot(
    quotes: pd.DataFrame, written: Writer
) -> None:
    calls = quotes[quotes["option_type"] == "C"].assign(rate=RATE, dividend_yield=DIVIDEND)
    plain = vols(clean(read_quotes(written(calls))))
    table = read_quotes(written(calls.assign(strike=calls["strike"] * 1000.0)))
    assert any("strikes are divided by 1,000" in warning for warning in table.warnings)
    assert vols(clean(table)) == pytest.approx(plain)


def test_a_missing_date_is_stated(quotes: pd.DataFrame, written: Writer) -> None:
    path = written(quotes.drop(columns="quote_date"))
    with pytest.raises(InvalidInputError, match=r"quote_date or maturity_years \(or --date"):
        read_quotes(path)
    table = read_quotes(path, quote_date="2026-03-16")
    assert table.quote_date == "2026-03-16"
    assert table.frame["maturity_years"].min() == 32 / 365


def test_a_missing_spot_rate_and_dividend_are_stated(quotes: pd.DataFrame, written: Writer) -> None:
    calls = quotes[quotes["option_type"] == "C"].drop(columns="spot")
    path = written(calls)
    with pytest.raises(InvalidInputError, match=r"--spot, --rate and --dividend"):
        clean(read_quotes(path))
    surface = clean(read_quotes(path, spot=SPOT, rate=RATE, dividend=DIVIDEND))
    years = np.array([f.maturity_years for f in surface.forwards])
    expected = SPOT * np.exp((RATE - DIVIDEND) * years)
    np.testing.assert_allclose([f.forward for f in surface.forwards], expected)


def test_rates_may_be_a_curve(quotes: pd.DataFrame, written: Writer, tmp_path: Path) -> None:
    curve = tmp_path / "curve.csv"
    curve.write_text("days;rate\n30;2,0\n400;3,0\n")
    read = RateCurve.read(curve)
    assert read.is_percent
    np.testing.assert_allclose(read.rate(np.array([0.0, 215 / 365, 2.0])), [0.02, 0.025, 0.03])
    calls = quotes[quotes["option_type"] == "C"]
    surface = clean(read_quotes(written(calls), rate=curve, dividend=DIVIDEND))
    years = np.array([f.maturity_years for f in surface.forwards])
    rates = [f.rate for f in surface.forwards]
    np.testing.assert_allclose(rates, np.interp(years, [30 / 365, 400 / 365], [0.02, 0.03]))
    curve.write_text("when,rate\n1,2\n")
    with pytest.raises(InvalidInputError, match="columns days or years, and rate, are needed"):
        RateCurve.read(curve)
    with pytest.raises(InvalidInputError, match=r"rate 2.5 means 250% a year; write 0.025"):
        read_quotes(written(calls), rate=2.5)


@pytest.mark.parametrize("order", ["dmy", "mdy"])
def test_ambiguous_dates_are_refused_with_the_option(
    quotes: pd.DataFrame, written: Writer, order: str
) -> None:
    pattern = "%d/%m/%Y" if order == "dmy" else "%m/%d/%Y"
    early = quotes[quotes["expiry"] == "2026-04-17"].assign(
        quote_date="2026-03-06", expiry=pd.Timestamp("2026-04-07").strftime(pattern)
    )
    path = written(early)
    with pytest.raises(InvalidInputError, match=r"may have the day or the month first.*--date-fo"):
        read_quotes(path)
    for style in (order, pattern):
        table = read_quotes(path, date_format=style)
        assert set(table.frame["maturity_years"]) == {32 / 365}


def test_contradictory_dates_are_refused(quotes: pd.DataFrame, written: Writer) -> None:
    mixed = quotes.assign(expiry="17/04/2026")
    mixed.loc[0, "expiry"] = "04/17/2026"
    with pytest.raises(InvalidInputError, match=r"has the day first and .* the month"):
        read_quotes(written(mixed))


def test_ambiguous_numbers_are_refused_with_the_option(tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text("strike;option_type;maturity_years;mid\n2,225;C;1;700\n2,250;C;1;690\n")
    with pytest.raises(InvalidInputError, match=r"'2,225' may be 2225 or 2\.225; pass --decimal"):
        read_quotes(path)
    assert list(read_quotes(path, decimal="point").frame["strike"]) == [2225.0, 2250.0]
    assert list(read_quotes(path, decimal="comma").frame["strike"]) == [2.225, 2.25]


def test_american_options_are_not_cleaned_as_european(
    quotes: pd.DataFrame, written: Writer
) -> None:
    path = written(quotes.assign(exercise_style="A"))
    table = read_quotes(path, exercise="european")
    assert table.recognition is not None
    assert table.recognition.exercise == "European (stated)"
    for stated, exercise in ((None, "American"), ("american", "American (stated)")):
        american = read_quotes(path, exercise=stated)
        assert american.is_american
        assert american.recognition is not None
        assert american.recognition.exercise == exercise
        with pytest.raises(InvalidInputError, match=r"American.*--exercise european ignores it"):
            clean(american)


def test_a_file_of_american_and_european_options_requires_a_choice(
    quotes: pd.DataFrame, written: Writer
) -> None:
    path = written(quotes.assign(exercise_style=["A", *["E"] * (len(quotes) - 1)]))
    with pytest.raises(InvalidInputError, match=r"several values, a, e: keep the rows of one"):
        read_quotes(path)
    assert read_quotes(path, exercise="american").is_american


def test_premiums_in_the_underlying_may_be_stated(
    quotes: pd.DataFrame, written: Writer, expected: list[float]
) -> None:
    years = (quotes["expiry"] - quotes["quote_date"]).dt.days / 365
    forward = SPOT * np.exp((RATE - DIVIDEND) * years)
    coin = quotes.assign(bid=quotes["bid"] / forward, ask=quotes["ask"] / forward, forward=forward)
    calls = coin[coin["option_type"] == "C"]
    table = read_quotes(written(calls), currency="underlying", rate=RATE)
    assert any("multiplied by the forward of their expiry" in w for w in table.warnings)
    assert vols(clean(table)) == pytest.approx(expected, rel=5e-3)


def test_prices_in_several_currencies_are_refused(quotes: pd.DataFrame, written: Writer) -> None:
    mixed = quotes.assign(currency="USD")
    mixed.loc[0, "currency"] = "EUR"
    with pytest.raises(InvalidInputError, match=r"in 2 currencies \(EUR, USD\)"):
        read_quotes(written(mixed))


@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_implied_volatilities_are_priced(
    quotes: pd.DataFrame, written: Writer, unit: float
) -> None:
    iv = quotes.drop(columns=["bid", "ask"]).assign(implied_vol=0.2 * unit, rate=RATE)
    path = written(iv.assign(dividend_yield=DIVIDEND))
    surface = clean(read_quotes(path))
    np.testing.assert_allclose(vols(surface), 0.2, rtol=1e-9)
    without = clean(read_quotes(written(iv)))
    assert any("without dividends" in warning for warning in without.warnings)
    with pytest.raises(InvalidInputError, match="implied volatilities need a forward"):
        read_quotes(written(iv.drop(columns=["spot", "rate"])))
    forward = read_quotes(written(iv.drop(columns=["spot", "rate"]).assign(forward=2950.0)))
    assert any("discount factor of 1" in warning for warning in forward.warnings)
    np.testing.assert_allclose(vols(clean(forward)), 0.2, rtol=1e-9)


def test_last_prices_are_used_without_any_market(
    quotes: pd.DataFrame, written: Writer, expected: list[float]
) -> None:
    last = quotes.assign(last=(quotes["bid"] + quotes["ask"]) / 2, bid=0.0, ask=0.0)
    surface = clean(read_quotes(written(last)))
    assert any("prices are those of last trades" in warning for warning in surface.warnings)
    assert vols(surface) == pytest.approx(expected, rel=1e-3)


def test_days_to_expiry_are_maturities(quotes: pd.DataFrame, written: Writer) -> None:
    days = (quotes["expiry"] - quotes["quote_date"]).dt.days
    dated = quotes.drop(columns=["expiry", "quote_date"])
    table = read_quotes(written(dated.assign(DTE=days)))
    assert sorted(set(table.frame["maturity_years"])) == sorted(set(days / 365))
    called_years = read_quotes(written(dated.assign(maturity_years=days)))
    assert any("read as days" in warning for warning in called_years.warnings)
    pd.testing.assert_frame_equal(called_years.frame, table.frame)


def test_a_percentage_in_the_header_or_in_the_cells_is_one(
    quotes: pd.DataFrame, written: Writer
) -> None:
    cells = read_quotes(written(quotes.assign(rate="2.5%")))
    header = read_quotes(written(quotes.assign(**{"rate (pct)": 0.5})))
    assert set(cells.frame["rate"]) == {0.025}
    assert set(header.frame["rate"]) == {0.005}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        *(({"date_format": text}, "is not dmy, mdy or a pattern") for text in BAD_FORMATS),
        *(({"currency": text}, "is not a code of three") for text in ("", "$", "[]", "dollars")),
        *(({"spot": value}, "spot must be positive") for value in (0.0, -1.0, np.nan, 1e30)),
        *(({"rate": value}, "a year; write") for value in (1.0, -1.0, np.nan, np.inf)),
        ({"dividend": 1.0}, "dividend 1 means 100% a year; write 0.01 for 1%"),
    ],
)
def test_invalid_statements_are_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        QuoteSettings(**settings)


@pytest.mark.parametrize(
    "text", ["dmy", "mdy", "%d.%m.%Y", "%m/%d/%y", "%Y%m%d", "%d-%b-%Y", "%Y-%m-%dT%H:%M:%S%z"]
)
def test_patterns_with_day_month_and_year_are_valid(text: str) -> None:
    assert QuoteSettings(date_format=text).date_format == text


@pytest.mark.parametrize(("factor", "n_warnings"), [(0.1, 1), (0.7, 0), (1.4, 0), (10.0, 1)])
def test_a_spot_far_from_the_forwards_is_reported(
    quotes: pd.DataFrame, written: Writer, factor: float, n_warnings: int
) -> None:
    surface = clean(read_quotes(written(quotes), spot=factor * SPOT))
    found = [w for w in surface.warnings if "is far from the forwards" in w]
    assert len(found) == n_warnings

"""Maturities from dates and timestamps; each expected value is derived beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from levy_numerics.errors import InvalidInputError
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import QuoteTable, read_options, read_quotes
from levy_surfaces.settlement import is_am_settled, parse_settlement
from levy_surfaces.surface import contracts_on, read_surface, write_surface
from levy_surfaces.timestamps import parse_moment

HOURS_PER_YEAR = 24 * 365
Table = Callable[..., QuoteTable]


def rows(quote_date: Any, expiry: Any, **columns: Any) -> pd.DataFrame:
    """Return a call and a put of one expiry."""
    return pd.DataFrame(
        {
            "quote_date": [quote_date] * 2,
            "expiry": [expiry] * 2,
            "strike": [100.0] * 2,
            "option_type": ["C", "P"],
            "mid": [2.0, 2.0],
            **{name: [value] * 2 for name, value in columns.items()},
        }
    )


@pytest.fixture
def read(tmp_path: Path) -> Table:
    def read(*frames: pd.DataFrame, suffix: str = ".csv", **options: Any) -> QuoteTable:
        path, frame = tmp_path / f"quotes{suffix}", pd.concat(frames, ignore_index=True)
        if suffix == ".parquet":
            frame.to_parquet(path)
        else:
            frame.to_csv(path, index=False)
        return read_quotes(path, **options)

    return read


def hours(table: QuoteTable) -> list[float]:
    distinct = sorted(set(table.frame["maturity_years"]))
    return [HOURS_PER_YEAR * years for years in distinct]


@pytest.mark.parametrize(
    ("quote_date", "expiry", "expected_hours"),
    [
        # 20:00 to 08:00 of the next day.
        ("2024-06-27T20:00:00Z", "2024-06-28T08:00:00Z", 12.0),
        ("2024-06-27 20:00", "2024-06-28 08:00", 12.0),
        # Options of the day: 09:45 to 16:00.
        ("2024-06-27T09:45:00-04:00", "2024-06-27T16:00:00-04:00", 6.25),
        # 10:00 in New York is 14:00 UTC.
        ("2024-06-27T10:00:00-04:00", "2024-06-27T20:00:00Z", 6.0),
        # An evening in New York is the next day in UTC: from 20:30 to 16:00 are 19.5 hours.
        ("2024-06-03T20:30:00-04:00", "2024-06-04T16:00:00-04:00", 19.5),
        # Clocks go forward on 10 March 2024: a week less an hour.
        ("2024-03-08T16:00:00-05:00", "2024-03-15T16:00:00-04:00", 7 * 24 - 1),
        # Clocks go back on 3 November 2024: a week and an hour.
        ("2024-11-01T16:00:00-04:00", "2024-11-08T16:00:00-05:00", 7 * 24 + 1),
        # A half and a nanosecond are kept: 0.5 s and 1 ns over an hour.
        ("2024-06-03T10:00:00.000000000Z", "2024-06-03T11:00:00.500000001Z", 1 + 0.5 / 3600),
        # The expiry is a minute past midnight, so its column has times.
        ("2024-06-03T23:59:00Z", "2024-06-04T00:01:00Z", 2 / 60),
        ("20240603T100000".replace("T100000", " 10:00"), "20240604 10:00", 24.0),
    ],
)
def test_two_timestamps_are_as_far_apart_as_the_time_that_elapses(
    read: Table, quote_date: str, expiry: str, expected_hours: float
) -> None:
    table = read(rows(quote_date, expiry))
    assert hours(table) == pytest.approx([expected_hours], rel=1e-9)
    assert table.warnings == ()


@pytest.mark.parametrize(
    ("quote_date", "expiry"),
    [
        # 3 to 26 June are 23 days, wherever midnight is.
        ("2024-06-03", "2024-06-26T00:00:00+08:00"),
        ("2024-06-03T00:00:00+08:00", "2024-06-26T00:00:00+08:00"),
        ("2024-06-03T00:00:00-04:00", "2024-06-26"),
        ("2024-06-03 00:00:00", "2024-06-26 00:00:00"),
        ("20240603", "2024-06-26"),
        ("2024-06-03T00:00:00Z", "2024-06-26T00:00:00+08:00"),
    ],
)
def test_calendar_dates_are_days_apart_in_the_place_where_they_are_written(
    read: Table, quote_date: str, expiry: str
) -> None:
    table = read(rows(quote_date, expiry))
    assert hours(table) == [pytest.approx(23 * 24)]
    assert table.quote_date == "2024-06-03"
    assert list(table.frame["expiry"].dt.strftime("%Y-%m-%d")) == ["2024-06-26"] * 2


@pytest.mark.parametrize(
    ("option", "root", "settlement", "expected_hours"),
    [
        # From 10:00 on Thursday 20 June to 16:00 on the third Friday, 21 June 2024.
        (None, "SPXW", "", 30.0),
        (None, "SPXPM", "", 30.0),
        (None, "AAPL", "", 30.0),
        # SPX settles at the opening, 09:30, of a third Friday.
        (None, "SPX", "", 23.5),
        (None, "spx", "", 23.5),
        (None, "", "AM", 23.5),
        (None, "SPX", "PM", 30.0),
        (None, "AM", "", 23.5),
        ("16:15", "SPXW", "", 30.25),
        ("16:15", "SPX", "", 23.5),
        # 08:00 UTC is 04:00 in New York.
        ("08:00Z", "SPXW", "", 18.0),
        ("16:00 America/New_York", "SPXW", "", 30.0),
        ("16:00-05:00", "SPXW", "", 31.0),
    ],
)
def test_a_date_of_expiry_gets_the_time_of_its_settlement(
    read: Table, option: str | None, root: str, settlement: str, expected_hours: float
) -> None:
    quotes = rows("2024-06-20T10:00-04:00", "2024-06-21", root=root, settlement=settlement)
    table = read(quotes, expiry_time=option)
    assert hours(table) == [pytest.approx(expected_hours)]
    (warning,) = table.warnings
    assert "expiry has no time of day: options are taken to expire at" in warning
    assert ("(default" in warning) == (option is None)


@pytest.mark.parametrize(
    ("day", "is_am"),
    [
        ("2024-06-21", True),  # the third Friday
        ("2024-06-28", False),  # a fourth Friday
        ("2024-06-14", False),  # a second Friday
        ("2019-04-18", True),  # the Thursday before Good Friday, 19 April 2019
        ("2022-04-14", True),  # the same in the week of the earliest third Friday, the 15th
        ("2024-03-21", False),  # the Thursday after such a Friday
        ("2024-06-19", False),  # a Wednesday
    ],
)
def test_monthly_spx_options_settle_in_the_morning(day: str, is_am: bool) -> None:
    assert is_am_settled("", "SPX", pd.Timestamp(day).date()) is is_am


def test_am_and_pm_settled_options_without_a_root_are_series_of_their_own(read: Table) -> None:
    dates = ("2024-06-20T16:00", "2024-06-21")
    table = read(rows(*dates, settlement="AM"), rows(*dates, settlement="PM"))
    # 16:00 to 09:30 are 17.5 hours, to 16:00 24.
    assert hours(table) == [pytest.approx(17.5), pytest.approx(24.0)]
    assert list(table.frame.groupby("series")["root"].first()) == ["AM", "PM"]


def test_dates_do_not_distinguish_settlements_and_a_warning_reports_it(read: Table) -> None:
    dates = ("2024-06-20", "2024-06-21")
    table = read(rows(*dates, root="SPX"), rows(*dates, root="SPXW"))
    assert hours(table) == [pytest.approx(24.0)]
    assert table.frame["series"].nunique() == 2
    assert "AM- and PM-settled options of one date" in table.warnings[0]


def test_a_zone_of_a_parquet_column_sets_the_offset_on_the_day_of_expiry(read: Table) -> None:
    quotes = rows(pd.Timestamp("2024-03-08 16:00", tz="America/New_York"), "2024-03-15")
    # 16:00 EST to 16:00 EDT a week later.
    assert hours(read(quotes, suffix=".parquet")) == [pytest.approx(7 * 24 - 1)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet_timestamps_of_any_resolution_are_read(read: Table, unit: str) -> None:
    quotes = rows("2024-06-27 20:00", "2024-06-28 08:00")
    for name in ("quote_date", "expiry"):
        quotes[name] = pd.to_datetime(quotes[name]).astype(f"datetime64[{unit}]")
    assert hours(read(quotes, suffix=".parquet")) == [pytest.approx(12.0)]


def test_parquet_dates_and_midnights_are_calendar_dates(read: Table) -> None:
    expiry = pd.Timestamp("2024-06-26", tz="Asia/Shanghai")
    quotes = rows(pd.Timestamp("2024-06-03").date(), expiry)
    assert hours(read(quotes, suffix=".parquet")) == [pytest.approx(23 * 24)]


def test_an_incomplete_or_ambiguous_date_is_not_a_date() -> None:
    texts = (
        *("2024-07", "2024", "2024-7-1", "07/01/2024", "1.7.2024", "2024-W27", "2024-183"),
        *("45474", "45474.5", "1719792000", "1719792000000", "202407", "2024-07-01T25:00"),
        *("2024-07-01T10", "2024-07-01T10:00 EST", "2024-07-01T10:00+24:00", "2024-07-01T"),
        *("2024-07-01T10:00[Mars/Base]", "0024-07-01", "9999-12-31", "today", "٢٠٢٤-٠٧-٠١"),
    )
    assert [text for text in texts if parse_moment(text) is not None] == []


def test_a_column_of_dates_rejects_other_text(read: Table) -> None:
    for dates in (("2024-02-31", "2024-12-20"), ("2024-06-03", "45474")):
        with pytest.raises(InvalidInputError, match=r"line 2, column .* is not a complete date"):
            read(rows(*dates))


def test_numbers_of_a_parquet_file_are_not_dates(read: Table) -> None:
    for value in (45474.0, 202407):
        with pytest.raises(InvalidInputError, match="is not a complete date"):
            read(rows("2024-06-03", value), suffix=".parquet")


@pytest.mark.parametrize(
    ("first", "second", "complaint"),
    [
        # Two snapshots of one day.
        (("2024-07-01T10:00", "2024-08-16"), ("2024-07-01T15:00", "2024-08-16"), r"--date 2024-07"),
        (
            ("2024-07-01", "2024-08-16"),
            ("2024-07-01T15:00", "2024-08-16"),
            "2 values of quote_date",
        ),
        # Offsets on one side, or in some rows.
        (("2024-07-01T10:00Z", "2024-08-16T16:00"), None, "has an offset from UTC and the other"),
        (("2024-07-01T10:00", "2024-08-16T16:00Z"), None, "has an offset from UTC and the other"),
        (
            ("2024-07-01T10:00Z", "2024-08-16T16:00Z"),
            ("2024-07-01T10:00Z", "2024-09-20T16:00"),
            "expiry has an offset from UTC in some rows",
        ),
        # Times in some rows.
        (
            ("2024-07-01T10:00", "2024-08-16T16:00"),
            ("2024-07-01T10:00", "2024-09-20"),
            "expiry has a time of day in some rows",
        ),
        # Two times of expiry, but no time to count from.
        (
            ("2024-07-01", "2024-08-16T09:30"),
            ("2024-07-01", "2024-08-16T16:00"),
            "several times of 2024-08-16",
        ),
    ],
)
def test_what_dates_leave_open_is_rejected(
    read: Table, first: tuple[str, str], second: tuple[str, str] | None, complaint: str
) -> None:
    frames = [rows(*first)] if second is None else [rows(*first), rows(*second)]
    with pytest.raises(InvalidInputError, match=complaint):
        read(*frames)


@pytest.mark.parametrize(
    ("choice", "expected_hours"),
    # 16:00 of the same day, after 10:00 and after 15:00.
    [("2024-07-01T10:00", 6.0), ("2024-07-01T15:00:00", 1.0), ("2024-07-01T14:00Z", None)],
)
def test_a_snapshot_is_chosen_by_its_time(
    read: Table, choice: str, expected_hours: float | None
) -> None:
    snapshots = [rows(f"2024-07-01T{t}:00", "2024-07-01T16:00:00") for t in ("10:00", "15:00")]
    if expected_hours is None:
        # The file's times have no offset, so no instant can be compared with them.
        with pytest.raises(InvalidInputError, match="no quotes have quote_date 2024-07-01T14"):
            read(*snapshots, quote_date=choice)
    else:
        assert hours(read(*snapshots, quote_date=choice)) == [pytest.approx(expected_hours)]


def test_a_date_chooses_all_times_of_its_day(read: Table) -> None:
    days = [rows(f"2024-07-0{k}T10:00-04:00", "2024-08-16T16:00-04:00") for k in (1, 2)]
    table = read(*days, quote_date="2024-07-02")
    assert table.quote_date == "2024-07-02T10:00:00-04:00"


def test_one_instant_in_two_zones_is_one_quote_date(read: Table) -> None:
    expiry = "2024-07-01T20:00Z"
    table = read(rows("2024-07-01T10:00-04:00", expiry), rows("2024-07-01T14:00Z", expiry))
    assert hours(table) == [pytest.approx(6.0)]


@pytest.mark.parametrize("choice", ["2024-07", "yesterday", ""])
def test_a_choice_that_is_not_a_date_is_rejected(read: Table, choice: str) -> None:
    with pytest.raises(InvalidInputError, match=r"quote date '.*' is not a complete date"):
        read(rows("2024-07-01", "2024-08-16"), quote_date=choice)


@pytest.mark.parametrize("time", ["4pm", "25:00", "16", "16:00 Mars/Base", "16:00+25:00"])
def test_an_expiry_time_that_is_not_one_is_rejected(read: Table, time: str) -> None:
    with pytest.raises(InvalidInputError, match=r"expiry time '.*' is not a time of day"):
        read(rows("2024-07-01T10:00", "2024-08-16"), expiry_time=time)


def test_a_zone_of_the_expiry_time_needs_one_of_the_quotes(read: Table) -> None:
    with pytest.raises(InvalidInputError, match="quote_date has no offset from UTC"):
        read(rows("2024-07-01T10:00", "2024-08-16"), expiry_time="16:00 America/New_York")


@pytest.mark.parametrize(
    ("quotes", "warning", "expected_hours"),
    [
        (rows("2024-07-01", "2024-08-16"), "not used, because quote_date has no time", 46 * 24),
        (
            rows("2024-07-01T10:00", "2024-07-01T16:00"),
            "not used, because expiry has times of day",
            6.0,
        ),
        (rows("2024-07-01", "2024-08-16", maturity_years=0.125), "maturity_years is given", 1095.0),
    ],
)
def test_an_expiry_time_without_effect_is_reported(
    read: Table, quotes: pd.DataFrame, warning: str, expected_hours: float
) -> None:
    table = read(quotes, expiry_time="12:00")
    assert warning in table.warnings[0]
    assert hours(table) == [pytest.approx(expected_hours)]


def test_times_of_expiry_without_a_time_of_quotes_are_reported(read: Table) -> None:
    table = read(rows("2024-07-01", "2024-08-16T16:00"))
    # 1 July to 16 August are 46 days.
    assert hours(table) == [pytest.approx(46 * 24)]
    assert "2024-08-16T16:00:00 counts as 2024-08-16" in table.warnings[0]


def test_a_midnight_that_counts_as_a_time_is_reported(read: Table) -> None:
    table = read(rows("2021-06-01T00:00:00Z", "2021-06-01T08:00:00Z"))
    assert hours(table) == [pytest.approx(8.0)]
    assert "quote_date 2021-06-01 is taken as midnight +00:00" in table.warnings[0]


def test_options_that_expire_on_the_date_of_the_quotes_are_reported(read: Table) -> None:
    table = read(rows("2024-07-01", "2024-07-01"), rows("2024-07-01", "2024-08-16"))
    assert "2 quotes expire on quote_date" in table.warnings[0]


def test_an_expiry_hours_before_the_quotes_has_a_negative_maturity(read: Table) -> None:
    # 16:00 after 09:30 of one day.
    assert hours(read(rows("2024-07-01T16:00", "2024-07-01T09:30"))) == [pytest.approx(-6.5)]


def test_maturities_within_a_minute_are_one_expiry(read: Table) -> None:
    nearly = [rows("2024-07-01", "2024-08-16", maturity_years=0.125 + k * 1e-9) for k in range(5)]
    table = read(*nearly, rows("2024-07-01", "2024-09-20", maturity_years=0.25))
    # The median of 0.125 + 0, 1, 2, 3 and 4 ns-like steps; the spread is 4e-9 years, 0.126 s.
    assert sorted(set(table.frame["maturity_years"])) == [0.125 + 2e-9, 0.25]
    assert table.frame["series"].nunique() == 2
    assert "one expiry differ by up to 4e-09 years (0.13 s)" in table.warnings[0]


def test_maturities_an_hour_apart_stay_apart(read: Table) -> None:
    hourly = [rows("2024-07-01T10:00", f"2024-07-01T{h}:00") for h in (15, 16)]
    assert hours(read(*hourly)) == [pytest.approx(5.0), pytest.approx(6.0)]


def test_a_stated_maturity_that_contradicts_the_dates_is_reported(read: Table) -> None:
    table = read(rows("2024-07-01", "2024-08-16", maturity_years=4.6))
    assert "row 2: 4.6 against 0.126 years" in table.warnings[0]


def test_a_stated_maturity_in_days_is_converted_with_a_statement(read: Table) -> None:
    table = read(rows("2024-07-01", "2024-08-16", maturity_years=46.0))
    assert "read as days and divided by 365" in table.warnings[0]
    assert set(table.frame["maturity_years"]) == {46 / 365}


def test_options_without_quotes_count_from_the_time_of_the_surface(tmp_path: Path) -> None:
    path = tmp_path / "options.csv"
    path.write_text("expiry,strike,option_type\n2024-06-21,100,C\n")
    frame, warnings = read_options(path, quote_date="2024-06-20T10:00:00-04:00")
    assert frame["maturity_years"].iloc[0] == pytest.approx(30.0 / HOURS_PER_YEAR)
    assert "taken to expire at 16:00" in warnings[0]


def test_a_surface_of_hours_is_written_and_read_back(market: pd.DataFrame, tmp_path: Path) -> None:
    quoted = market[market["expiry"] == "2024-04-03"].assign(
        quote_date="2024-01-03T16:00:00Z", expiry="2024-04-03T08:00:00Z"
    )
    quoted.to_csv(tmp_path / "quotes.csv", index=False)
    surface = clean(read_quotes(tmp_path / "quotes.csv"))
    # 91 days less 8 hours.
    assert surface.quotes.contracts.maturity_years[0] == pytest.approx((91 - 8 / 24) / 365)
    assert set(surface.expiry) == {"2024-04-03T08:00:00"}
    write_surface(surface, tmp_path / "surface.csv")
    again = read_surface(tmp_path / "surface.csv")
    assert again.quote_date == "2024-01-03T16:00:00+00:00"
    assert list(again.expiry) == list(surface.expiry)
    assert list(again.quotes.contracts.maturity_years) == list(
        surface.quotes.contracts.maturity_years
    )


def test_options_hours_from_any_expiry_have_no_forward(
    market: pd.DataFrame, tmp_path: Path
) -> None:
    day = market[market["expiry"] == "2024-04-03"].assign(
        quote_date="2024-04-02T16:00:00Z", expiry="2024-04-03T08:00:00Z"
    )
    day.to_csv(tmp_path / "quotes.csv", index=False)
    surface = clean(read_quotes(tmp_path / "quotes.csv"))
    options = pd.DataFrame(
        {"row": [2], "maturity_years": [8 / HOURS_PER_YEAR], "strike": [100.0], "is_call": [True]}
    )
    # Quotes are 16 hours from expiry, the option 8: half a day's tolerance would take it.
    with pytest.raises(InvalidInputError, match="no forward is known"):
        contracts_on(surface, options)


def test_a_label_reads_back_as_the_same_moment() -> None:
    for text in ("2024-07-01", "2024-07-01T09:05:00.25-03:30", "2024-07-01T10:00:00+08:00"):
        moment = parse_moment(text)
        assert moment is not None
        assert parse_moment(moment.label) == moment


def test_settlements_are_parsed_in_their_usual_forms() -> None:
    for text in ("A.M.", "a.m.", "am", "A.M", "AM-settled", "AM Settlement"):
        assert parse_settlement(text) == "AM"
    for text in ("P.M.", "p.m. settled", "PM settled", " pm_settled "):
        assert parse_settlement(text) == "PM"
    assert parse_settlement("SPX") is None


@pytest.mark.parametrize("column", ["settlement", "root"])
@pytest.mark.parametrize(("text", "expected_hours"), [("A.M.", 23.5), ("PM settled", 30.0)])
def test_a_settlement_is_read_from_its_column_or_from_the_root(
    read: Table, column: str, text: str, expected_hours: float
) -> None:
    """From 10:00 to 09:30 or 16:00 of the next day."""
    table = read(rows("2024-06-20T10:00", "2024-06-21", **{column: text}))
    assert hours(table) == [pytest.approx(expected_hours)]
    (warning,) = table.warnings
    assert "expiry has no time of day" in warning


@pytest.mark.parametrize(("text", "shown"), [("morning", "morning"), (4310.5, "4310.5")])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_settlement_that_is_not_understood_is_reported(
    read: Table, suffix: str, text: object, shown: str
) -> None:
    quotes = rows("2024-06-20", "2024-06-21", settlement=text)
    (warning,) = read(quotes, suffix=suffix).warnings
    assert "the column settlement is not used" in warning
    assert f"'{shown}', which is neither AM nor PM (2 such rows)" in warning


def test_one_settlement_that_is_not_understood_is_found_among_others(read: Table) -> None:
    dates = ("2024-06-20", "2024-06-21")
    table = read(rows(*dates, settlement="AM"), rows(*dates, settlement="XM").iloc[[0]])
    assert "line 4 has 'XM', which is neither AM nor PM (1 such rows)" in table.warnings[0]
    assert table.frame["series"].nunique() == 1


def test_settlements_of_one_root_are_series_of_their_own(read: Table) -> None:
    dates = ("2024-06-20", "2024-06-21")
    both = rows(*dates, root="XYZ", settlement="A.M."), rows(*dates, root="XYZ", settlement="P.M.")
    assert list(read(*both).frame["root"].unique()) == ["XYZ AM", "XYZ PM"]

"""Read option quotes from files, standard input and data frames."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
import pandas as pd

from levy_numerics.errors import InvalidInputError
from levy_surfaces.market_inputs import unstated_unit, years_of_days
from levy_surfaces.maturities import (
    DAYS_PER_YEAR,
    SAME_MATURITY_YEARS,
    ContractDates,
    disagreement,
    group_maturities,
)
from levy_surfaces.number_text import Decimal
from levy_surfaces.printable import shortened
from levy_surfaces.quote_columns import (
    COLUMNS,
    OPTION_REQUIREMENTS,
    QUOTE_REQUIREMENTS,
    refuse,
)
from levy_surfaces.quote_files import QuoteFile, QuoteSource
from levy_surfaces.quote_inputs import QuoteInputs
from levy_surfaces.quote_settings import Exercise, QuoteSettings
from levy_surfaces.quote_values import QuoteColumns, is_blank, names
from levy_surfaces.rate_curves import RateCurve
from levy_surfaces.recognition import ASSUMED_EXERCISE, Recognition
from levy_surfaces.settlement import ExpiryTime
from levy_surfaces.timestamps import EXPECTED_FORM, Moment, parse_moment

__all__ = [
    "COLUMNS",
    "DAYS_PER_YEAR",
    "MAX_QUOTES",
    "QuoteTable",
    "quote_days",
    "read_options",
    "read_quotes",
]

MAX_QUOTES: Final = 200_000
"""Limit of one surface; files may be longer, they are read in pieces."""

_N_SHOWN: Final = 4
_FRAME_COLUMNS: Final = (
    *("row", "expiry", "maturity_years", "root", "series", "strike", "is_call"),
    *("bid", "ask", "mid", "rate", "dividend_yield", "forward", "discount", "implied_vol"),
)


@dataclass(frozen=True)
class QuoteTable:
    """Quotes of one underlying at one date, checked number by number but not cleaned.

    Attributes
    ----------
    frame : DataFrame
        One row a quote: `row` (line of a CSV file, or row of a Parquet file), `expiry` (local
        date, with the time of day if written), `maturity_years`, `root`, `series` (numbers the
        pairs of maturity and root by maturity), `strike`, `is_call`, `bid`, `ask`, `mid`, `rate`,
        `dividend_yield`, `forward`, `discount`, `implied_vol`; NaN where the file has no value.
    quote_date : str or None
        ISO date, or ISO timestamp where the file has a time of day.
    underlying : str or None
    spot : float or None
        Median if the rows differ.
    warnings : tuple of str
        Corrections and assumptions of reading, and possible faults of the file.
    recognition : Recognition or None
        Format, and how each column was read.
    is_american : bool
        Whether prices contain an early-exercise premium, which `american` removes.
    """

    frame: pd.DataFrame
    quote_date: str | None
    underlying: str | None
    spot: float | None
    warnings: tuple[str, ...] = ()
    recognition: Recognition | None = None
    is_american: bool = False

    @property
    def exercise_is_assumed(self) -> bool:
        """Whether neither the file nor the user states how the options are exercised."""
        return self.recognition is None or self.recognition.exercise == ASSUMED_EXERCISE


def read_quotes(
    source: QuoteSource,
    *,
    quote_date: str | None = None,
    underlying: str | None = None,
    expiry_time: str | None = None,
    columns: Mapping[str, str] | None = None,
    scale: Mapping[str, float] | None = None,
    date_format: str | None = None,
    decimal: Decimal | None = None,
    spot: float | None = None,
    rate: float | str | Path | RateCurve | None = None,
    dividend: float | None = None,
    exercise: Exercise | None = None,
    currency: str | None = None,
) -> QuoteTable:
    """Read the quotes of one underlying at one date, in any layout that is recognised.

    Parameters
    ----------
    source : str, Path or data frame
        CSV (any delimiter, also compressed), Excel, Parquet or Arrow file, `-` for standard input,
        or a data frame of pandas, Polars or pyarrow. `docs/your-data.md` lists the layouts.
    quote_date : str, optional
        Which quotes to use from a file that has several dates or times; the date of all quotes
        where the file has none.
    underlying : str, optional
        Which quotes to use from a file that has several underlyings.
    expiry_time : str, optional
        Time of day of expiries that are written as dates, where `quote_date` has one: `16:00`
        (default), `16:00-04:00` or `16:00 America/New_York`. See `levy_surfaces.settlement`.
    columns : mapping of str to str, optional
        The table's names of columns: `{"strike": "K", "call_bid": "CB"}`.
    scale : mapping of str to float, optional
        Factors that convert columns to the engine's units: `{"strike": 0.001}`.
    date_format : str, optional
        `dmy`, `mdy` or a `strptime` pattern, where dates are ambiguous.
    decimal : {"point", "comma"}, optional
        Decimal separator, where numbers are ambiguous.
    spot : float, optional
    rate : float, or path of a curve, optional
        Continuous, per year; see `levy_surfaces.rate_curves`.
    dividend : float, optional
        Continuous yield, per year.
    exercise : {"european", "american"}, optional
        `american.fit_american` fits American options; `clean` refuses them, since their prices
        contain an early-exercise premium. By default what the file states, and else European.
    currency : str, optional
        Of the prices; `underlying` for premiums in units of the underlying (inverse options).

    Raises
    ------
    InvalidInputError
        The file cannot be read, a column is missing, a value is not what its column requires
        (with its row and column), or the selection does not leave one date and one underlying.
    """
    settings = QuoteSettings(
        columns=columns or {},
        scale=scale or {},
        date_format=date_format,
        decimal=decimal,
        spot=spot,
        rate=RateCurve.read(rate) if isinstance(rate, str | Path) else rate,
        dividend=dividend,
        exercise=exercise,
        currency=currency,
    )
    file = source if isinstance(source, QuoteFile) else QuoteFile(source, settings, quote_date)
    return read_file(file, underlying=underlying, expiry_time=expiry_time)


def read_file(
    file: QuoteFile, *, underlying: str | None = None, expiry_time: str | None = None
) -> QuoteTable:
    """Read the quotes of an opened file; `read_quotes` describes the arguments."""
    time = ExpiryTime.of(expiry_time)
    text = _selected(file, _Selection.of(file.quote_date, underlying))
    if "quote_date" not in text and "last_trade" in text:
        text = _dated_by_last_trade(file, text)
    _require_one_underlying(file, text)
    quoted_at = _require_one_date(file, text)
    frame, warnings = _with_maturities(file, text, time)
    frame["series"] = _series(file, frame)
    inputs = QuoteInputs.of(file, frame)
    return QuoteTable(
        frame=inputs.frame[[*_FRAME_COLUMNS]],
        quote_date=quoted_at,
        underlying=frame["underlying"].iloc[0] or _only_root(frame),
        spot=inputs.spot,
        warnings=(*file.warnings, *warnings, *inputs.warnings),
        recognition=inputs.recognition,
        is_american=inputs.recognition.is_american,
    )


def quote_days(file: QuoteFile) -> list[str]:
    """Return the distinct days of a file's quotes, ISO dates in order; none without the column.

    Raises
    ------
    InvalidInputError
        The file cannot be read.
    """
    days = set[str]()
    for piece in file.pieces(QUOTE_REQUIREMENTS):
        if "quote_date" not in piece:
            return []
        moments = QuoteColumns(file, _without_blank_rows(piece)).moments("quote_date")
        days |= {moment.day.isoformat() for moment in moments.present}
    return sorted(days)


def files_by_day(file: QuoteFile) -> dict[str, QuoteFile]:
    """Return, for each day of a file, a file of its rows and of those of the day before.

    The file is read once. It is empty if the file has no column of quote dates.

    Raises
    ------
    InvalidInputError
        The file cannot be read.
    """
    pieces = [_without_blank_rows(piece) for piece in file.pieces(QUOTE_REQUIREMENTS)]
    text = pd.concat(pieces)
    if "quote_date" not in text:
        return {}
    moments = QuoteColumns(file, text).moments("quote_date")
    labels = np.array(["" if m is None else m.day.isoformat() for m in moments.distinct])
    rows_of = {str(day): rows for day, rows in text.groupby(labels[moments.codes]).indices.items()}
    days = sorted(day for day in rows_of if day)
    return {
        day: replace(
            file.with_pieces(text.iloc[np.sort(np.concatenate([rows_of[d] for d in near]))]),
            quote_date=day,
        )
        for day, near in ((day, days[max(k - 1, 0) : k + 1]) for k, day in enumerate(days))
    }


def read_options(
    path: str | Path, *, quote_date: str | None = None, expiry_time: str | None = None
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read options to be priced, which need no quotes.

    Parameters
    ----------
    path : str or Path
        As in `read_quotes`; prices are not read.
    quote_date : str, optional
        ISO date or timestamp from which maturities count, where the file has no `quote_date`.
    expiry_time : str, optional
        As in `read_quotes`.

    Returns
    -------
    frame : DataFrame
        `row` (line or row in the file), `maturity_years`, `strike`, `is_call`.
    warnings : tuple of str

    Raises
    ------
    InvalidInputError
        The file cannot be read, a column is missing, or a value is not what its column requires.
    """
    file = QuoteFile(path, quote_date=quote_date)
    text = pd.concat([_without_blank_rows(piece) for piece in file.pieces(OPTION_REQUIREMENTS)])
    if not len(text):
        refuse(file.path, "the file contains no options")
    if len(text) > MAX_QUOTES:
        refuse(file.path, f"more than {MAX_QUOTES:,} options")
    if "quote_date" not in text and quote_date is not None:
        text = text.assign(quote_date=quote_date)
    frame, warnings = _with_maturities(file, text, ExpiryTime.of(expiry_time))
    columns = ["row", "maturity_years", "strike", "is_call"]
    return frame[columns], (*file.warnings, *warnings)


@dataclass(frozen=True)
class _Selection:
    """Selection of rows of a file; None selects all."""

    quote_date: Moment | None
    underlying: str | None

    @classmethod
    def of(cls, quote_date: str | None, underlying: str | None) -> "_Selection":
        moment = None if quote_date is None else parse_moment(quote_date)
        if quote_date is not None and moment is None:
            raise InvalidInputError(
                f"quote date '{shortened(quote_date)}' is not a complete date; {EXPECTED_FORM}"
            )
        return cls(moment, None if underlying is None else underlying.strip())

    def mask(self, columns: QuoteColumns) -> np.ndarray:
        """Return which rows are selected.

        Raises
        ------
        InvalidInputError
            The file lacks the column by which to select, or a date is not one.
        """
        selected = np.ones(len(columns.text), dtype=bool)
        if self.underlying is not None and "underlying" not in columns.text:
            refuse(columns.file.path, "has no column underlying to select by", column="underlying")
        if self.quote_date is not None:
            moments = columns.moments("quote_date")
            matches = [m is not None and m.matches(self.quote_date) for m in moments.distinct]
            selected &= np.array(matches, dtype=bool)[moments.codes]
        if self.underlying is not None:
            selected &= (names(columns.text["underlying"]) == self.underlying).to_numpy(bool)
        return selected

    @property
    def text(self) -> str:
        """The selection, as a message shows it."""
        date = None if self.quote_date is None else f"quote_date {self.quote_date.label}"
        name = None if self.underlying is None else f"underlying {shortened(self.underlying)}"
        return " and ".join(part for part in (date, name) if part)


def _selected(file: QuoteFile, selection: _Selection) -> pd.DataFrame:
    """Return the text of the selected rows."""
    kept: list[pd.DataFrame] = []
    n_read = n_kept = 0
    seen: dict[str, set[str]] = {"quote_date": set(), "underlying": set()}
    for raw in file.pieces(QUOTE_REQUIREMENTS):
        piece = _without_blank_rows(raw)
        if not len(piece):
            continue
        n_read += len(piece)
        if selection.quote_date is not None and "quote_date" not in piece:
            piece = piece.assign(quote_date=file.quote_date)
        columns = QuoteColumns(file, piece)
        selected = piece[selection.mask(columns)]
        n_kept += len(selected)
        if n_kept > MAX_QUOTES:
            refuse(file.path, f"more than {MAX_QUOTES:,} quotes; select one date and underlying")
        if len(selected):
            kept.append(selected)
        elif selection.quote_date is not None:
            seen["quote_date"] |= {m.label for m in columns.moments("quote_date").present}
        if not len(selected) and selection.underlying is not None:
            seen["underlying"] |= set(names(piece["underlying"]))
    if n_read == 0:
        refuse(file.path, "the file contains no quotes")
    if n_kept == 0:
        there = "; ".join(f"{name}: {_some(values)}" for name, values in seen.items() if values)
        refuse(file.path, f"no quotes have {selection.text} ({there})")
    return pd.concat(kept)


def _only_root(frame: pd.DataFrame) -> str | None:
    """Return the root of all symbols, where the table does not name an underlying."""
    roots = frame["root"].unique()
    return str(roots[0]) if len(roots) == 1 and roots[0] else None


def _dated_by_last_trade(file: QuoteFile, text: pd.DataFrame) -> pd.DataFrame:
    """Return rows dated by the day of their latest trade, with a warning."""
    moments = QuoteColumns(file, text).moments("last_trade").present
    if not moments:
        refuse(
            file.path,
            "has neither a quote date nor times of trades; give --date 2024-07-01",
            column="quote_date",
        )
    day = max(moment.day for moment in moments).isoformat()
    label = file.layout.label("last_trade") if file.layout else "last_trade"
    file.warnings.append(
        f"the file has no quote date: the day of its latest trade is used ({day}, column {label}); "
        "--date gives another"
    )
    return text.assign(quote_date=day)


def _without_blank_rows(piece: pd.DataFrame) -> pd.DataFrame:
    return piece[~piece.apply(is_blank).all(axis=1)] if len(piece) else piece


def _some(values: Iterable[str]) -> str:
    ordered = [shortened(value) or "blank" for value in sorted(set(values))]
    shown = ", ".join(ordered[:_N_SHOWN])
    if len(ordered) <= _N_SHOWN:
        return shown
    return f"{shown}, … {ordered[-1]}, {len(ordered)} in all"


def _require_one_underlying(file: QuoteFile, text: pd.DataFrame) -> None:
    if "underlying" not in text:
        return
    values = set(names(text["underlying"]))
    if len(values) > 1:
        blank = ", or fill in the blank ones" if "" in values else ""
        refuse(
            file.path,
            f"quotes have {len(values)} values of underlying ({_some(values)}); choose one "
            f"(--underlying on the command line){blank}",
            column="underlying",
            values=sorted(values),
        )


def _require_one_date(file: QuoteFile, text: pd.DataFrame) -> str | None:
    """Return the date, or date and time, of all quotes."""
    moments = QuoteColumns(file, text).moments("quote_date")
    # Two ways to write one instant are one value.
    labels: dict[object, str] = {}
    for moment in moments.distinct:
        labels.setdefault(_identity(moment), "" if moment is None else moment.label)
    if len(labels) > 1:
        _refuse_several_dates(file, [*labels.values()], {m.day for m in moments.present})
    return next(iter(labels.values())) or None


def _refuse_several_dates(file: QuoteFile, labels: list[str], days: set[date]) -> NoReturn:
    choice = "--date on the command line"
    example = next((label for label in labels if "T" in label), "")
    if len(days) < len(labels) and example:
        choice = f"--date {example} on the command line, or write one time for one snapshot"
    refuse(
        file.path,
        f"quotes have {len(labels)} values of quote_date ({_some(labels)}); choose one ({choice})",
        column="quote_date",
        values=sorted(labels),
    )


def _identity(moment: Moment | None) -> object:
    if moment is None or moment.is_midnight:
        return None if moment is None else moment.day
    return moment.offset_seconds is None, moment.instant_nanoseconds


def _with_maturities(
    file: QuoteFile, text: pd.DataFrame, expiry_time: ExpiryTime
) -> tuple[pd.DataFrame, list[str]]:
    """Return the typed frame with `expiry` and `maturity_years`, and warnings."""
    columns = QuoteColumns(file, text)
    frame = columns.frame()
    if "symbol_strike" in text:
        frame["symbol_strike"] = text["symbol_strike"].to_numpy(float)
    dates = ContractDates(
        quote_date=columns.moments("quote_date"),
        expiry=columns.moments("expiry"),
        settlement=frame["settlement"],
        root=frame["root"].str.upper(),
    )
    frame["expiry"] = dates.expiry.wall()
    stated, warnings = years_of_days(
        frame["maturity_years"].to_numpy(float), dates.calendar_years()
    )
    is_stated = ~np.isnan(stated)
    label = file.layout.label("maturity_years") if file.layout else "maturity_years"
    warnings += unstated_unit(label, stated, frame["expiry"].isna().to_numpy())
    years = stated.copy()
    try:
        years[~is_stated], about = dates.select(~is_stated).years(expiry_time)
    except InvalidInputError as error:
        refuse(file.path, error.message, **error.details)
    warnings += about
    years = np.where(np.isnan(years), frame["days_to_expiry"] / DAYS_PER_YEAR, years)
    if is_stated.all() and not expiry_time.is_default:
        warnings.append("the expiry time is not used, because maturity_years is given")
    if np.isnan(years).any():
        row = int(frame["row"][np.isnan(years)].iloc[0])
        refuse(
            file.path,
            f"{file.row_unit} {row} has neither maturity_years nor both expiry and quote_date",
            row=row,
            column="maturity_years",
        )
    warnings += disagreement(years, dates.calendar_years(), is_stated, frame["row"])
    frame["maturity_years"], grouped = group_maturities(years)
    # AM- and PM-settled options of one root and date have forwards of their own, as roots have.
    several = frame.groupby("root")["settlement"].transform("nunique") > 1
    named = (frame["root"] + " " + frame["settlement"]).str.strip()
    frame["root"] = named.where(several, frame["root"])
    return frame, warnings + grouped


def _series(file: QuoteFile, frame: pd.DataFrame) -> pd.Series:
    """Return the number of each quote's series: a maturity and root share a forward."""
    dated = frame[frame["expiry"].notna()]
    spread = dated.groupby(["expiry", "root", "settlement"])["maturity_years"].agg(["min", "max"])
    uneven = spread[spread["max"] - spread["min"] > SAME_MATURITY_YEARS]
    if len(uneven):
        refuse(
            file.path,
            f"the expiry {uneven.index[0][0]:%Y-%m-%d} has maturities from "
            f"{uneven['min'].iloc[0]:g} to {uneven['max'].iloc[0]:g} years; give it one",
            column="maturity_years",
        )
    return frame.groupby(["maturity_years", "root"], sort=True).ngroup()

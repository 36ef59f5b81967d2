"""Reading option quotes from CSV and Parquet, and saying exactly what is wrong with them."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
import pandas as pd

from levy_numerics.errors import InvalidInputError

DAYS_PER_YEAR: Final = 365.0
MAX_QUOTES: Final = 200_000
"""In one surface; files may be longer, they are read in pieces."""

_PIECE: Final = 100_000
_SHOWN: Final = 4
_MISSING: Final = frozenset({"", "nan", "na", "n/a", "null", "none"})
_OPTION_TYPES: Final = {"c": True, "call": True, "p": False, "put": False}
_CSV_SUFFIXES: Final = (".csv", ".csv.gz")
_PARQUET_SUFFIXES: Final = (".parquet", ".pq")

_POSITIVE: Final = ("strike", "spot", "forward", "discount")
_NOT_NEGATIVE: Final = ("bid", "ask", "mid")
_REAL: Final = ("maturity_years", "rate", "dividend_yield")
_NUMBERS: Final = (*_POSITIVE, *_NOT_NEGATIVE, *_REAL)
_TEXT: Final = ("underlying", "option_type", "root")
_DATES: Final = ("quote_date", "expiry")
COLUMNS: Final = (*_DATES, *_TEXT, *_NUMBERS)


_Needs = tuple[tuple[str, tuple[set[str], ...]], ...]
_A_MATURITY: Final = ("expiry or maturity_years", ({"expiry"}, {"maturity_years"}))
_OPTION_NEEDS: Final[_Needs] = (_A_MATURITY,)
_QUOTE_NEEDS: Final[_Needs] = (
    _A_MATURITY,
    ("quote_date or maturity_years", ({"quote_date"}, {"maturity_years"})),
    ("mid, or bid and ask", ({"mid"}, {"bid", "ask"})),
)


@dataclass(frozen=True)
class QuoteTable:
    """Quotes of one underlying at one date, as read: checked number by number, not yet cleaned.

    Attributes
    ----------
    frame : DataFrame
        One row a quote: `row` (its place in the file), `expiry`, `maturity_years`, `root`,
        `series` (numbers the pairs of expiry and root by maturity), `strike`, `is_call`, `bid`,
        `ask`, `mid`, `rate`, `dividend_yield`, `forward`, `discount`; NaN where the file is silent.
    quote_date : str or None
        ISO date.
    underlying : str or None
    spot : float or None
        Median, should the rows differ.
    """

    frame: pd.DataFrame
    quote_date: str | None
    underlying: str | None
    spot: float | None


def read_quotes(
    path: str | Path, *, quote_date: str | None = None, underlying: str | None = None
) -> QuoteTable:
    """Read the quotes of one underlying at one date.

    Parameters
    ----------
    path : str or Path
        `.csv`, `.csv.gz` or `.parquet` with the columns `strike`, `option_type` (C, P, call or
        put), `expiry` or `maturity_years`, and `mid` or `bid` and `ask`; optionally `quote_date`,
        `underlying`, `spot`, `rate`, `dividend_yield`, `forward`, `discount`, `root`. Other
        columns are ignored. Without `maturity_years`, maturity is calendar days over 365.
    quote_date, underlying : str, optional
        Which quotes to take from a file that holds several dates or underlyings.

    Raises
    ------
    InvalidInputError
        The file cannot be read, a column is missing, a value is not what its column says (with
        its row and column), or the selection does not leave exactly one date and underlying.
    """
    source = Path(path)
    selection = {"quote_date": quote_date, "underlying": underlying}
    text = _selected(source, {k: v for k, v in selection.items() if v is not None})
    _require_one(source, text, "quote_date", "--date")
    _require_one(source, text, "underlying", "--underlying")
    frame = _typed(source, text)
    frame["maturity_years"] = _maturities(source, frame)
    frame["series"] = _series(source, frame)
    return QuoteTable(
        frame=frame[[*_FRAME_COLUMNS]],
        quote_date=_only(frame["quote_date"].dt.strftime("%Y-%m-%d")),
        underlying=_only(frame["underlying"]),
        spot=None if frame["spot"].isna().all() else float(frame["spot"].median()),
    )


_FRAME_COLUMNS: Final = (
    *("row", "expiry", "maturity_years", "root", "series", "strike", "is_call"),
    *("bid", "ask", "mid", "rate", "dividend_yield", "forward", "discount"),
)


def read_options(path: str | Path, *, quote_date: str | None = None) -> pd.DataFrame:
    """Read options that are not quoted, to be priced.

    Parameters
    ----------
    path : str or Path
        As `read_quotes` reads, but for the prices, which are not looked at.
    quote_date : str, optional
        ISO date from which maturities count, where the file has expiries and no date of its own.

    Returns
    -------
    DataFrame
        `row` (its place in the file), `maturity_years`, `strike`, `is_call`.

    Raises
    ------
    InvalidInputError
        The file cannot be read, a column is missing, a value is not what its column says.
    """
    source = Path(path)
    pieces = [_with_known_columns(source, raw, _OPTION_NEEDS) for raw in _pieces(source)]
    text = pd.concat(pieces)
    text = text[~text.apply(_blank).all(axis=1)]
    if not len(text):
        _fail(source, "the file holds no options")
    if "quote_date" not in text and quote_date is not None:
        text = text.assign(quote_date=quote_date)
    frame = _typed(source, text)
    frame["maturity_years"] = _maturities(source, frame)
    return frame[["row", "maturity_years", "strike", "is_call"]]


def _fail(source: Path, message: str, **details: object) -> NoReturn:
    raise InvalidInputError(f"{source.name}: {message}", file=str(source), **details)


def _pieces(source: Path) -> Iterator[pd.DataFrame]:
    """Yield the file as text, a piece at a time; the index counts rows as a person would."""
    if source.name.lower().endswith(_CSV_SUFFIXES):
        yield from _csv_pieces(source)
    elif source.suffix.lower() in _PARQUET_SUFFIXES:
        yield from _parquet_pieces(source)
    else:
        _fail(source, "quotes are read from .csv, .csv.gz or .parquet")


def _csv_pieces(source: Path) -> Iterator[pd.DataFrame]:
    try:
        # Longer lines than the header would shift every column; pandas only warns.
        with (
            warnings.catch_warnings(),
            pd.read_csv(
                source,
                index_col=False,
                chunksize=_PIECE,
                dtype=str,
                keep_default_na=False,
                skip_blank_lines=False,
                encoding="utf-8-sig",
            ) as reader,
        ):
            warnings.simplefilter("error", pd.errors.ParserWarning)
            for piece in reader:
                # Line 1 is the header.
                yield piece.fillna("").set_index(piece.index + 2)
    except pd.errors.EmptyDataError:
        _fail(source, "the file is empty")
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError, EOFError) as error:
        _fail(source, f"this is no table of comma-separated values: {error}")
    except OSError as error:
        _fail(source, f"cannot be read: {error.strerror or error}")


def _parquet_pieces(source: Path) -> Iterator[pd.DataFrame]:
    # A third of a second that reading CSV need not pay.
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(source)
        wanted = [n for n in file.schema_arrow.names if n.strip().lower() in COLUMNS]
        first = 1
        for batch in file.iter_batches(batch_size=_PIECE, columns=wanted):
            piece = batch.to_pandas()
            piece.index = pd.RangeIndex(first, first + len(piece))
            first += len(piece)
            yield piece
    except (pyarrow.ArrowException, OSError) as error:
        _fail(source, f"cannot be read: {error}")


def _selected(source: Path, selection: dict[str, str]) -> pd.DataFrame:
    """Rows of the selection, with the columns of `COLUMNS` that are there."""
    kept: list[pd.DataFrame] = []
    n_read = n_kept = 0
    seen: dict[str, set[str]] = {name: set() for name in selection}
    for raw in _pieces(source):
        piece = _with_known_columns(source, raw, _QUOTE_NEEDS)
        piece = piece[~piece.apply(_blank).all(axis=1)]
        n_read += len(piece)
        for name, value in selection.items():
            if name not in piece:
                _fail(source, f"there is no column {name} to select by", column=name)
            labels = _label(piece[name], name)
            seen[name].update(labels.unique())
            piece = piece[labels == _label(pd.Series([value]), name).iloc[0]]
        n_kept += len(piece)
        if n_kept > MAX_QUOTES:
            _fail(source, f"more than {MAX_QUOTES:,} quotes; select one date and underlying")
        kept.append(piece)
    if n_read == 0:
        _fail(source, "the file holds no quotes")
    if n_kept == 0:
        described = " and ".join(f"{name} {value}" for name, value in selection.items())
        there = "; ".join(f"{name}: {_some(values)}" for name, values in seen.items())
        _fail(source, f"no quotes have {described} ({there})")
    return pd.concat([piece for piece in kept if len(piece)])


def _with_known_columns(source: Path, raw: pd.DataFrame, needs: _Needs) -> pd.DataFrame:
    """Columns of `COLUMNS` that are there; each need is met by any one of its sets of them."""
    names = [str(name).strip().lower() for name in raw.columns]
    if len(names) == 1 and ";" in names[0]:
        _fail(source, "columns are separated by semicolons; commas are expected")
    for name in COLUMNS:
        if names.count(name) > 1:
            _fail(source, f"the column {name} is there twice", column=name)
    missing = [n for n in ("strike", "option_type") if n not in names]
    missing += [said for said, ways in needs if not any(way <= set(names) for way in ways)]
    if missing:
        _fail(source, f"columns are missing: {'; '.join(missing)}", columns=missing)
    raw = raw.set_axis(names, axis=1)
    return raw[[name for name in COLUMNS if name in names]]


def _blank(values: pd.Series) -> pd.Series:
    if values.dtype.kind in "fiubM":
        return values.isna()
    return values.isna() | values.astype(str).str.strip().str.lower().isin(_MISSING)


def _label(values: pd.Series, name: str) -> pd.Series:
    """Text by which rows are told apart: ISO dates, stripped names."""
    if name not in _DATES:
        return values.astype(str).str.strip()
    labels = _dates(values).dt.strftime("%Y-%m-%d")
    return pd.Series(labels.fillna(values.astype(str)))


def _dates(values: pd.Series) -> pd.Series:
    texts = values if values.dtype.kind == "M" else values.astype(str).str.strip()
    times = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    return pd.Series(times.dt.tz_localize(None).dt.normalize())


def _some(values: Sequence[str] | set[str]) -> str:
    ordered = sorted(values)
    shown = ", ".join(ordered[:_SHOWN])
    return shown if len(ordered) <= _SHOWN else f"{shown}, … {ordered[-1]}, {len(ordered)} in all"


def _require_one(source: Path, text: pd.DataFrame, name: str, option: str) -> None:
    if name not in text:
        return
    values = _label(text[name], name).unique()
    if len(values) > 1:
        _fail(
            source,
            f"quotes have {len(values)} values of {name} ({_some(set(values))}); "
            f"choose one ({option} on the command line)",
            column=name,
            values=sorted(values),
        )


def _typed(source: Path, text: pd.DataFrame) -> pd.DataFrame:
    frame = pd.DataFrame({"row": text.index}, index=text.index)
    for name in _NUMBERS:
        frame[name] = _numbers(source, text[name], name) if name in text else np.nan
    for name in _DATES:
        frame[name] = _checked_dates(source, text[name], name) if name in text else pd.NaT
        frame[name] = frame[name].astype("datetime64[us]")
    for name in ("underlying", "root"):
        values = text[name].astype(str).str.strip() if name in text else ""
        frame[name] = pd.Series(values, index=text.index, dtype="str").fillna("")
    kinds = text["option_type"].astype(str).str.strip().str.lower()
    _refuse_first(source, text["option_type"], ~kinds.isin(_OPTION_TYPES), "is neither C nor P")
    _refuse_first(source, text["strike"], frame["strike"].isna(), "is missing")
    frame["is_call"] = kinds.map(_OPTION_TYPES).astype(bool)
    return frame.reset_index(drop=True)


def _numbers(source: Path, column: pd.Series, name: str) -> pd.Series:
    if column.dtype.kind == "b":
        _fail(source, f"column {name} holds truth values, not numbers", column=name)
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    present = ~_blank(column)
    _refuse_first(source, column, present & numbers.isna(), "is no number")
    _refuse_first(source, column, numbers.abs() == np.inf, "is not finite")
    if name in _POSITIVE:
        _refuse_first(source, column, present & ~(numbers > 0), "must be positive")
    if name in _NOT_NEGATIVE:
        _refuse_first(source, column, present & ~(numbers >= 0), "must not be negative")
    return numbers.where(present)


def _checked_dates(source: Path, column: pd.Series, name: str) -> pd.Series:
    dates = _dates(column)
    _refuse_first(source, column, ~_blank(column) & dates.isna(), "is no date (2019-05-07 is one)")
    return dates


def _refuse_first(source: Path, column: pd.Series, wrong: pd.Series, complaint: str) -> None:
    if not wrong.any():
        return
    position = int(np.argmax(wrong.to_numpy(bool)))
    row = int(column.index[position])
    unit = "line" if source.name.lower().endswith(_CSV_SUFFIXES) else "row"
    count = int(wrong.sum())
    more = f" (and {count - 1} more)" if count > 1 else ""
    value = str(column.iloc[position]).strip()
    shown = f"{column.name} {value!r}" if value else f"{column.name}"
    _fail(
        source,
        f"{unit} {row}, column {column.name}: {shown} {complaint}{more}",
        row=row,
        column=str(column.name),
        count=count,
    )


def _maturities(source: Path, frame: pd.DataFrame) -> pd.Series:
    days = (frame["expiry"] - frame["quote_date"]).dt.days
    years = frame["maturity_years"].fillna(days / DAYS_PER_YEAR)
    if years.isna().any():
        row = int(frame["row"][years.isna()].iloc[0])
        _fail(
            source,
            f"row {row} says neither maturity_years nor expiry and quote_date",
            row=row,
            column="maturity_years",
        )
    return years


def _series(source: Path, frame: pd.DataFrame) -> pd.Series:
    """Number the series: quotes of one expiry and root share a forward and a discount."""
    by_expiry = frame["expiry"].notna().all()
    keys = ["expiry" if by_expiry else "maturity_years", "root"]
    spread = frame.groupby(keys)["maturity_years"].agg(["min", "max"])
    uneven = spread[spread["max"] > spread["min"]]
    if len(uneven):
        _fail(
            source,
            f"the expiry {uneven.index[0][0]:%Y-%m-%d} has maturities from "
            f"{uneven['min'].iloc[0]:g} to {uneven['max'].iloc[0]:g} years; give it one",
            column="maturity_years",
        )
    ordered = frame.groupby(["maturity_years", "root"], sort=True)
    return ordered.ngroup()


def _only(values: pd.Series) -> str | None:
    first = values.iloc[0]
    return None if pd.isna(first) or first == "" else str(first)

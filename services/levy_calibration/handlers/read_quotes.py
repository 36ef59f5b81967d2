"""Read and clean a file of quotes."""

import base64
import binascii
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.resources import files
from typing import Final

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.surface import DroppedQuote, Surface
from levy_schemas.quotes import (
    MAX_DROPPED,
    MAX_UNPACKED_BYTES,
    CleanedQuote,
    ColumnReading,
    DroppedRow,
    Expiry,
    QuotesRequest,
    QuotesResult,
)
from levy_schemas.surface import Forward
from levy_schemas.wire import MAX_OPTIONS
from levy_surfaces.cleaning import CleaningRules, clean
from levy_surfaces.maturities import SAME_MATURITY_YEARS
from levy_surfaces.quote_dates import copied_day_warning
from levy_surfaces.quote_files import QuoteFile
from levy_surfaces.quote_settings import QuoteSettings
from levy_surfaces.reading import QuoteTable, read_file
from levy_surfaces.reasons import Reason
from levy_surfaces.summary import ExpirySummary, market_vols, summary, vols_of

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_UNREAD: Final = (b"PAR1", b"ARROW1")
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_OPTION: Final = re.compile(r"--([a-z]+(?:-[a-z]+)*)")
_FIELDS: Final = {"quote_date": "date"}
"""Fields of the request whose column has another name."""
_SOURCES: Final = ("text", "data", "example")
_APART_YEARS: Final = 2.0 * SAME_MATURITY_YEARS


def read_quotes(
    request: QuotesRequest, *, checkpoint: Callable[[], None] = lambda: None
) -> QuotesResult:
    """Read and clean the quotes of a request.

    Parameters
    ----------
    request : QuotesRequest
    checkpoint : callable, optional
        Called between the steps; raises when the deadline has passed.

    Raises
    ------
    InvalidInputError
        The file cannot be read or used; `pointer` is the field of the request to change.
    """
    content, name = _content(request)
    try:
        settings = QuoteSettings(
            columns=request.columns,
            scale=request.scale,
            date_format=request.date_format,
            decimal=request.decimal,
            spot=request.spot,
            rate=request.rate,
            dividend=request.dividend,
            exercise=request.exercise,
            currency=request.currency,
        )
        file = QuoteFile.in_memory(content, name, settings, request.date)
        table = read_file(file, underlying=request.underlying, expiry_time=request.expiry_time)
        checkpoint()
        surface = clean(table, _rules(request))
    except InvalidInputError as error:
        raise _with_pointer(error, request) from None
    checkpoint()
    copied = () if file.quote_date is None else copied_day_warning(file, table)
    return _result(surface, table, copied)


def _content(request: QuotesRequest) -> tuple[bytes, str]:
    """Return the content of the file, and its name in messages."""
    if request.example is not None:
        path = files("levy_surfaces").joinpath("data", "sample_chain.csv")
        return path.read_bytes(), "example"
    if request.text is not None:
        return request.text.encode(), request.name or "text"
    try:
        content = base64.b64decode(request.data or "", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInputError("data is not Base64", pointer="/data") from None
    if content.startswith(_UNREAD):
        raise InvalidInputError(
            "Parquet and Arrow files are not read here; levy convert FILE quotes.csv.gz makes a "
            "CSV file of them",
            pointer="/data",
        )
    _check_unpacked_size(content)
    return content, request.name or "file"


def _check_unpacked_size(content: bytes) -> None:
    """Raise `InvalidInputError` if a compressed file is too large after decompression."""
    size = 0
    if content.startswith(_GZIP):
        size = _gzip_size(content)
    elif content.startswith(_ZIP):
        try:
            # Readers stop at the size that the directory states.
            size = sum(e.file_size for e in zipfile.ZipFile(io.BytesIO(content)).infolist())
        except zipfile.BadZipFile:
            return  # reported by the reader
    if size > MAX_UNPACKED_BYTES:
        raise InvalidInputError(
            f"the file has more than {MAX_UNPACKED_BYTES:,} bytes after decompression; send the "
            "quotes of one date and underlying",
            pointer="/data",
        )


def _gzip_size(content: bytes) -> int:
    """Return the decompressed size, of all members, or one byte above the limit."""
    size = 0
    try:
        while content.startswith(_GZIP):
            member = zlib.decompressobj(_GZIP_WINDOW)
            size += len(member.decompress(content, MAX_UNPACKED_BYTES + 1 - size))
            if size > MAX_UNPACKED_BYTES or not member.eof:
                break
            content = member.unused_data
    except zlib.error:
        pass  # reported by the reader
    return size


def _rules(request: QuotesRequest) -> CleaningRules:
    def window(low: float | None, high: float | None) -> tuple[float, float]:
        return 0.0 if low is None else low, float("inf") if high is None else high

    return CleaningRules(
        maturity_years=window(request.min_maturity, request.max_maturity),
        moneyness=window(request.min_moneyness, request.max_moneyness),
        sides=request.sides,
        forwards=request.forwards,
    )


def _with_pointer(error: InvalidInputError, request: QuotesRequest) -> InvalidInputError:
    """Return the error with fields of the request in place of options of the command line."""
    message = _OPTION.sub(lambda match: match[1].replace("-", "_"), error.message)
    message = message.replace(" on the command line", "")
    if _only_date_is_missing(error):
        message = (
            "the quotes have no date; give date, such as 2024-07-01, or a column quote_date, "
            "maturity_years or days_to_expiry"
        )
    source = next(name for name in _SOURCES if getattr(request, name))
    field = next(
        (name for name in _candidates(error) if name in QuotesRequest.model_fields), source
    )
    details = {name: value for name, value in error.details.items() if name in ("column", "values")}
    return InvalidInputError(message, pointer=f"/{field}", **details)


def _only_date_is_missing(error: InvalidInputError) -> bool:
    missing = error.details.get("columns")
    return isinstance(missing, list) and [str(m).split()[0] for m in missing] == ["quote_date"]


def _candidates(error: InvalidInputError) -> Iterator[str]:
    """Yield names of what may solve a problem: the column, the setting, the options it mentions."""
    if "columns" in error.details:
        # A date can be given; without other columns it is not a table of quotes.
        yield from ("date",) if _only_date_is_missing(error) else ()
        return
    column = str(error.details.get("column", ""))
    yield _FIELDS.get(column, column)
    if "file" not in error.details:  # a setting, with whose name the message begins
        words = re.findall(r"\w+", error.message)[:2]
        name = "_".join(words)
        yield from (_FIELDS.get(name, name), *words[:1])
    yield from (option.replace("-", "_") for option in _OPTION.findall(error.message))


def _result(surface: Surface, table: QuoteTable, warnings: tuple[str, ...]) -> QuotesResult:
    years, moved = _distinct_maturities(surface)
    lines = summary(surface)
    kept, thinned = _fewer(surface)
    counts = surface.dropped_by_reason
    reading = table.recognition
    assert reading is not None  # of every file
    return QuotesResult(
        format=reading.format,
        columns=tuple(ColumnReading(**asdict(column)) for column in reading.columns),
        day_count=reading.day_count,
        exercise=reading.exercise,
        currency=reading.currency,
        quote_date=surface.quote_date,
        underlying=surface.underlying,
        spot=surface.spot,
        n_read=surface.n_read,
        n_kept=surface.size,
        expiries=tuple(_expiry(line, years[line.forward.series]) for line in lines),
        forwards=tuple(
            Forward(maturity=years[f.series], forward=f.forward, discount=f.discount)
            for f in surface.forwards
        ),
        quotes=_quotes(surface, years, kept),
        dropped_counts=counts,
        dropped=tuple(map(_dropped, surface.dropped[:MAX_DROPPED])),
        meanings={reason: Reason(reason).meaning for reason in counts},
        warnings=(*thinned, *moved, *warnings, *surface.warnings),
    )


def _distinct_maturities(surface: Surface) -> tuple[dict[int, float], tuple[str, ...]]:
    """Return the maturity of each series, and a warning where series of one time are moved apart.

    A request has one forward for each maturity, but two roots may expire at one time.
    """
    years: dict[int, float] = {}
    last, n_moved = -1.0, 0
    for forward in sorted(surface.forwards, key=lambda f: f.maturity_years):
        value = forward.maturity_years
        if value - last < _APART_YEARS:
            value, n_moved = last + _APART_YEARS, n_moved + 1
        years[forward.series] = last = value
    if not n_moved:
        return years, ()
    return years, (
        f"{n_moved} expiries have the time of another root: their maturities are two minutes "
        "later, so that each keeps its forward",
    )


def _fewer(surface: Surface) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the indices of at most as many quotes as one request may have, and a warning."""
    if surface.size <= MAX_OPTIONS:
        return np.arange(surface.size), ()
    share = MAX_OPTIONS / surface.size
    chosen = []
    for number in np.unique(surface.series):
        mine = np.flatnonzero(surface.series == number)  # in the order of strikes
        count = max(1, int(share * mine.size))
        chosen.append(mine[np.linspace(0, mine.size - 1, count).round().astype(int)])
    kept = np.concatenate(chosen)[:MAX_OPTIONS]
    return kept, (
        f"{kept.size} of {surface.size} usable quotes are returned, evenly over the strikes of "
        f"each expiry, since one surface may have {MAX_OPTIONS}; choose a range of maturities or "
        "moneyness to keep all of it",
    )


def _quotes(
    surface: Surface, years: dict[int, float], kept: np.ndarray
) -> tuple[CleanedQuote, ...]:
    quotes = surface.quotes
    c = quotes.contracts
    unknown = np.full(surface.size, np.nan)
    bid, ask = (unknown if side is None else side for side in (quotes.bid, quotes.ask))
    vols = market_vols(surface)
    bid_vol, ask_vol = (
        unknown if side is None else vols_of(side, c) for side in (quotes.bid, quotes.ask)
    )
    return tuple(
        CleanedQuote(
            strike=float(c.strike[i]),
            maturity=years[int(surface.series[i])],
            option_type="call" if c.is_call[i] else "put",
            price=float(quotes.price[i]),
            bid=_finite(bid[i]),
            ask=_finite(ask[i]),
            implied_vol=_finite(vols[i]),
            bid_vol=_finite(bid_vol[i]),
            ask_vol=_finite(ask_vol[i]),
        )
        for i in kept.tolist()
    )


def _expiry(line: ExpirySummary, maturity: float) -> Expiry:
    return Expiry(
        name=line.name,
        maturity=maturity,
        n_quotes=line.n_quotes,
        strike_low=line.strike_low,
        strike_high=line.strike_high,
        forward=line.forward.forward,
        discount=line.forward.discount,
        rate=line.forward.rate,
        dividend_yield=line.dividend_yield,
        atm_vol=line.atm_vol,
        source=line.forward.source,
    )


def _dropped(quote: DroppedQuote) -> DroppedRow:
    return DroppedRow(
        row=int(quote.pointer.removeprefix("/")),
        expiry=quote.expiry,
        strike=_finite(quote.strike),
        option_type="call" if quote.option_type == "call" else "put",
        reason=quote.reason,
        message=quote.message,
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

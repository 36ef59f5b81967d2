"""Recognise the layout of a table by the names and contents of its columns."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

import pandas as pd

from levy_surfaces.formats.base import Names, QuoteFormat
from levy_surfaces.formats.layout import Layout, Source
from levy_surfaces.formats.names import (
    CALL_MARKS,
    PUT_MARKS,
    SIDE_FIELDS,
    SYNONYMS,
    field_of,
    side_field_of,
    squeezed,
)
from levy_surfaces.formats.registry import vendor_formats
from levy_surfaces.formats.symbols import parse_symbol
from levy_surfaces.tenors import tenor_years

ENGINE_NAME: Final = "one row per quote"
WIDE_NAME: Final = "calls and puts on one row"
HEADER_LINES: Final = 30
"""Lines, or rows of a sheet, among which the header is sought."""
MIN_KNOWN_NAMES: Final = 2
"""Known names that make a line the header; fewer are a coincidence."""
_MIN_SYMBOL_SHARE: Final = 0.5
_PERCENT_ENDINGS: Final = ("pct", "percent", "inpercent", "inpct")
_UNITS_OF_TIME: Final = {
    **dict.fromkeys(("months", "maturitymonths", "monthstomaturity", "monthstoexpiry"), 1 / 12),
    **dict.fromkeys(("maturityinmonths", "tenormonths", "ttmmonths"), 1 / 12),
    **dict.fromkeys(("weeks", "maturityweeks", "weekstoexpiry", "weekstomaturity"), 7 / 365),
}
"""Names of maturities in other units than years and days, with the factor to years."""


@cache
def known_names() -> frozenset[str]:
    """Return all squeezed names of columns that any layout reads."""
    names = {name for synonyms in SYNONYMS.values() for name in synonyms}
    for entry in vendor_formats():
        names.update(entry.signature)
        for mapping in (entry.columns, entry.calls, entry.puts):
            names.update(name for value in mapping.values() for name in _names(value))
    return frozenset(names)


def is_known(name: str) -> bool:
    """Return whether a squeezed name is one that some layout reads."""
    return (
        name in known_names()
        or (name.endswith("1") and name[:-1] in known_names())
        or side_field_of(name, CALL_MARKS) is not None
        or side_field_of(name, PUT_MARKS) is not None
        or name in {*CALL_MARKS, *PUT_MARKS}
        or _without_percent(name) != name
        or name in _UNITS_OF_TIME
    )


def n_known_names(values: Sequence[object], others: set[str] | frozenset[str] = frozenset()) -> int:
    """Return how many different names of a possible header are known, or are among `others`."""
    names = {squeezed(value) for value in values}
    return sum(is_known(name) or name in others for name in names)


def _names(value: Names) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _without_percent(name: str) -> str:
    for ending in _PERCENT_ENDINGS:
        bare = name.removesuffix(ending)
        if bare != name and field_of(bare):
            return bare
    return name


def recognise(header: Sequence[object], preamble: Sequence[str], sample: pd.DataFrame) -> Layout:
    """Return the layout of a table by its header.

    Parameters
    ----------
    header : sequence
        Names of the columns as the table has them.
    preamble : sequence of str
        Lines above the header.
    sample : DataFrame
        The first rows, by position.
    """
    names = [squeezed(name) for name in header]
    labels = [str(name).strip() for name in header]
    present = set(names)
    for entry in vendor_formats():
        if set(entry.signature) <= present:
            return _vendor_layout(entry, names, labels, preamble)
    return _wide_layout(names, labels, sample) or _long_layout(names, labels, sample)


def _vendor_layout(
    entry: QuoteFormat, names: list[str], labels: list[str], preamble: Sequence[str]
) -> Layout:
    middle = names.index("strike") if entry.strike_in_middle else None

    def located(columns: Mapping[str, Names], start: int, stop: int | None) -> dict[str, Source]:
        sources = {}
        for column, wanted in columns.items():
            position = next(
                (names.index(n, start) for n in _names(wanted) if n in names[start:stop]), None
            )
            if position is not None:
                factor = entry.scale.get(column, 1.0)
                sources[column] = Source(position, labels[position], factor)
        return sources

    sides = {}
    if entry.calls:
        sides = {
            "C": located(entry.calls, 0, middle),
            "P": located(entry.puts, 0 if middle is None else middle, None),
        }
    return Layout(
        name=entry.name,
        columns=located(entry.columns, 0, None),
        sides=sides,
        constants={} if entry.preamble is None else entry.preamble(preamble),
        expiry_time=entry.expiry_time,
        missing=entry.missing,
    )


def _wide_layout(names: list[str], labels: list[str], sample: pd.DataFrame) -> Layout | None:
    """Return the layout of a table with calls and puts on one row; None of other tables."""
    marked = {
        "C": _marked_side(names, labels, CALL_MARKS, sample),
        "P": _marked_side(names, labels, PUT_MARKS, sample),
    }
    sides = marked if any(map(_has_price, marked.values())) else _sides_of_strike(names, labels)
    sides = {kind: side for kind, side in sides.items() if _has_price(side)}
    taken = {source.position for side in sides.values() for source in side.values()}
    shared = _long_columns(names, labels, sample, taken)
    if not sides or "option_type" in shared:
        return None
    columns = {name: source for name, source in shared.items() if name not in SIDE_FIELDS}
    return Layout(WIDE_NAME, columns, sides)


def _has_price(side: Mapping[str, Source]) -> bool:
    return bool({"mid", "last", "implied_vol", "bid", "ask"} & set(side))


def _marked_side(
    names: list[str], labels: list[str], marks: tuple[str, ...], sample: pd.DataFrame
) -> dict[str, Source]:
    side: dict[str, Source] = {}
    for k, name in enumerate(names):
        column = side_field_of(name, marks)
        if column is None and name in marks:
            column = "symbol" if _are_symbols(sample, k) else "mid"
        if column is not None:
            side.setdefault(column, Source(k, labels[k]))
    return side


def _sides_of_strike(names: list[str], labels: list[str]) -> dict[str, dict[str, Source]]:
    """Return the columns left (calls) and right (puts) of the only strike, where names repeat."""
    strikes = [k for k, name in enumerate(names) if field_of(name) == "strike"]
    if len(strikes) != 1:
        return {}
    middle = strikes[0]
    left: dict[str, Source] = {}
    right: dict[str, Source] = {}
    for k, name in enumerate(names):
        # pandas calls the second of two equal names "Bid.1".
        bare = name[:-1] if name.endswith("1") and name[:-1] in names[:middle] else name
        column = field_of(bare)
        if column in SIDE_FIELDS:
            (left if k < middle else right).setdefault(column, Source(k, labels[k]))
    common = {column for column in left if column in right}
    if not common:
        return {}
    return {
        kind: {column: side[column] for column in common}
        for kind, side in (("C", left), ("P", right))
    }


def _long_layout(names: list[str], labels: list[str], sample: pd.DataFrame) -> Layout:
    return Layout(ENGINE_NAME, _long_columns(names, labels, sample, set()))


def _long_columns(
    names: list[str], labels: list[str], sample: pd.DataFrame, taken: set[int]
) -> dict[str, Source]:
    columns: dict[str, Source] = {}
    bare = [_without_percent(name) for name in names]
    for column, synonyms in SYNONYMS.items():
        position = next(
            (
                k
                for synonym in synonyms
                for k, name in enumerate(bare)
                if name == synonym and k not in taken
            ),
            None,
        )
        if position is None:
            continue
        factor = 1.0 if bare[position] == names[position] else 0.01
        columns[column] = Source(position, labels[position], factor)
    if not {"maturity_years", "expiry", "days_to_expiry"} & set(columns):
        timed = (k for k, name in enumerate(bare) if name in _UNITS_OF_TIME and k not in taken)
        for k in timed:
            columns["maturity_years"] = Source(k, labels[k], _UNITS_OF_TIME[bare[k]])
    return _by_content(columns, sample)


def _by_content(columns: dict[str, Source], sample: pd.DataFrame) -> dict[str, Source]:
    """Correct columns whose name leaves open what they hold."""
    columns = dict(columns)
    symbol = columns.get("symbol")
    if symbol is not None and not _are_symbols(sample, symbol.position):
        del columns["symbol"]
        if squeezed(symbol.label) == "symbol":
            columns.setdefault("underlying", symbol)
    years = columns.get("maturity_years")
    if years is not None and not (
        _are_numbers(sample, years.position) or _are_tenors(sample, years.position)
    ):
        del columns["maturity_years"]
        columns.setdefault("expiry", years)
    expiry = columns.get("expiry")
    if (
        expiry is not None
        and "maturity_years" not in columns
        and _are_years(sample, expiry.position)
    ):
        del columns["expiry"]
        columns["maturity_years"] = expiry
    return columns


def _present(sample: pd.DataFrame, position: int) -> pd.Series:
    column = sample[position].astype(str).str.strip()
    return column[column != ""]


def _are_symbols(sample: pd.DataFrame, position: int) -> bool:
    texts = _present(sample, position)
    if texts.empty:
        return False
    return bool(texts.map(lambda t: parse_symbol(t) is not None).mean() >= _MIN_SYMBOL_SHARE)


def _are_numbers(sample: pd.DataFrame, position: int) -> bool:
    texts = _present(sample, position)
    numeric = pd.to_numeric(texts.str.replace(",", ".", regex=False), errors="coerce")
    return bool(texts.empty or (numeric.notna().mean() >= _MIN_SYMBOL_SHARE))


def _are_tenors(sample: pd.DataFrame, position: int) -> bool:
    texts = _present(sample, position)
    return bool(len(texts) and texts.map(lambda t: tenor_years(t) is not None).all())


def _are_years(sample: pd.DataFrame, position: int) -> bool:
    """Return whether values are years (0.25) and not dates (20240701, 2024-07-01)."""
    numbers = pd.to_numeric(_present(sample, position), errors="coerce")
    return bool(len(numbers) and (numbers < 100.0).all())

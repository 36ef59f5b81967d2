"""The layout of one table: which of its columns hold what, and how to convert its rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

import numpy as np
import pandas as pd

from levy_surfaces.date_text import DateStyle
from levy_surfaces.formats.base import Names, QuoteFormat
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
from levy_surfaces.number_text import NumberStyle, scaled
from levy_surfaces.quote_columns import COLUMNS, DATES, NUMBERS

ENGINE_NAME: Final = "one row per quote"
WIDE_NAME: Final = "calls and puts on one row"
_SYMBOL_COLUMNS: Final = ("strike", "option_type", "expiry", "root")
_MIN_SYMBOL_SHARE: Final = 0.5
_PERCENT_ENDINGS: Final = ("pct", "percent", "inpercent", "inpct")
_SIDES: Final = {"call": "C", "put": "P"}


@dataclass(frozen=True)
class Source:
    """Where a column's values are.

    Attributes
    ----------
    position : int
        In the table.
    label : str
        The table's name of the column.
    factor : float
        Converts the table's unit to the engine's.
    """

    position: int
    label: str
    factor: float = 1.0


@dataclass(frozen=True)
class Layout:
    """How the rows of one table are converted.

    Attributes
    ----------
    name : str
    columns : mapping of str to Source
        Columns that all quotes of a row share.
    sides : mapping of str to (mapping of str to Source)
        By option type (C, P), the columns of tables with calls and puts on one row; else empty.
    constants : mapping of str to str
        Columns that are the same for all rows.
    expiry_time : str
        Time of day that completes a symbol's date of expiry.
    missing : tuple of str
        Values that stand for a missing number.
    numbers, dates
        How numbers and dates are written.
    """

    name: str
    columns: Mapping[str, Source]
    sides: Mapping[str, Mapping[str, Source]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    expiry_time: str = ""
    missing: tuple[str, ...] = ()
    numbers: NumberStyle = field(default_factory=NumberStyle)
    dates: DateStyle = field(default_factory=DateStyle)

    @property
    def sources(self) -> list[tuple[str, Source]]:
        """All columns with their sources."""
        beside = [pair for side in self.sides.values() for pair in side.items()]
        return [*self.columns.items(), *beside]

    @property
    def positions(self) -> list[int]:
        """The positions of the columns that are read, in order."""
        return sorted({source.position for _, source in self.sources})

    @property
    def available(self) -> set[str]:
        """The engine's columns that the table has or implies."""
        names = {name for name, _ in self.sources} | set(self.constants)
        if self.sides:
            names.add("option_type")
        if "symbol" in names:
            names.update(_SYMBOL_COLUMNS)
        return names & {*COLUMNS, *_SYMBOL_COLUMNS}

    def label(self, name: str) -> str:
        """Return the table's name of a column."""
        return next((source.label for column, source in self.sources if column == name), name)

    def texts(self, sample: pd.DataFrame, columns: Sequence[str]) -> Iterator[str]:
        """Yield the texts of some of the engine's columns in a sample of rows."""
        for name, source in self.sources:
            if name in columns and sample[source.position].dtype.kind not in "fiub":
                yield from map(str, sample[source.position].unique())

    def convert(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows of the table in the engine's columns.

        Parameters
        ----------
        rows : DataFrame
            By position, indexed by line or row number.

        Returns
        -------
        DataFrame
            One row a quote; text, or numbers where the table has numbers.
        """
        if not self.sides:
            return self._quotes(rows, self.columns)
        parts = [
            self._quotes(rows, {**self.columns, **side}).assign(option_type=kind)
            for kind, side in self.sides.items()
        ]
        return pd.concat(parts).sort_index(kind="stable")

    def _quotes(self, rows: pd.DataFrame, columns: Mapping[str, Source]) -> pd.DataFrame:
        quotes = pd.DataFrame(
            {
                name: self._values(name, rows[source.position], source)
                for name, source in columns.items()
            },
            index=rows.index,
        )
        for name, value in self.constants.items():
            if name not in quotes:
                values = pd.Series(value, index=rows.index, dtype="str")
                quotes[name] = self.dates.iso(values) if name in DATES else values
        if "symbol" in quotes:
            self._add_contents(quotes)
        return quotes.drop(columns=["symbol"], errors="ignore")

    def _values(self, name: str, column: pd.Series, source: Source) -> pd.Series:
        if name in DATES:
            return self.dates.iso(column)
        if name not in NUMBERS:
            return column
        if self.missing:
            column = column.where(~column.astype(str).str.strip().isin(self.missing), "")
        numbers = self.numbers.numbers(column)
        return numbers if source.factor == 1.0 else scaled(numbers, source.factor)

    def _add_contents(self, quotes: pd.DataFrame) -> None:
        """Add what the symbols contain and the table lacks; symbols decide on the strike."""
        codes, distinct = pd.factorize(quotes["symbol"].astype(str))
        contents = [parse_symbol(text) for text in distinct]
        for name in _SYMBOL_COLUMNS:
            if name in quotes and name != "strike":
                continue
            values = np.array(
                [*("" if c is None else getattr(c, name) for c in contents), ""], dtype=object
            )
            if name == "expiry" and self.expiry_time:
                values = np.array([f"{v}T{self.expiry_time}" if v else v for v in values])
            if name == "strike" and name in quotes:
                quotes["symbol_strike"] = pd.to_numeric(
                    pd.Series(values[codes]), errors="coerce"
                ).to_numpy()
            else:
                quotes[name] = values[codes]


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
    )


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
        found = {}
        for column, wanted in columns.items():
            position = next(
                (names.index(n, start) for n in _names(wanted) if n in names[start:stop]), None
            )
            if position is not None:
                found[column] = Source(
                    position,
                    labels[position],
                    entry.scale.get(column, 1.0),
                )
        return found

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
    """Return the layout of a table with calls and puts on one row; None if it has no such."""
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
    left, right = ({}, {})  # type: tuple[dict[str, Source], dict[str, Source]]
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
    if years is not None and not _are_numbers(sample, years.position):
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


def _are_years(sample: pd.DataFrame, position: int) -> bool:
    """Return whether values are years (0.25) and not dates (20240701, 2024-07-01)."""
    numbers = pd.to_numeric(_present(sample, position), errors="coerce")
    return bool(len(numbers) and (numbers < 100.0).all())


def with_columns(
    layout: Layout,
    header: Sequence[object],
    columns: Mapping[str, str],
    scale: Mapping[str, float],
) -> Layout:
    """Return a layout with some columns and factors replaced by those that an option names.

    Parameters
    ----------
    columns : mapping of str to str
        The table's column for some of the engine's; `call_bid` or `put_bid` for one side.
    scale : mapping of str to float
        Factors that convert numbers of some of the engine's columns.

    Raises
    ------
    KeyError
        The table does not have the column.
    """
    shared = dict(layout.columns)
    sides = {kind: dict(side) for kind, side in layout.sides.items()}
    for name, label in columns.items():
        source = _named(header, label)
        side, _, rest = name.partition("_")
        if side in _SIDES and rest in SIDE_FIELDS:
            sides.setdefault(_SIDES[side], {})[rest] = source
        else:
            shared[name] = source
            if name == "maturity_years":
                shared.pop("days_to_expiry", None)
            if name == "days_to_expiry" and shared.get("maturity_years", source) == source:
                shared.pop("maturity_years", None)
    for name, factor in scale.items():
        for mapping in (shared, *sides.values()):
            if name in mapping:
                mapping[name] = replace(mapping[name], factor=factor)
    return replace(layout, columns=shared, sides=sides)


def _named(header: Sequence[object], label: str) -> Source:
    exact = [k for k, name in enumerate(header) if str(name).strip() == label.strip()]
    loose = [k for k, name in enumerate(header) if squeezed(name) == squeezed(label)]
    for positions in (exact, loose):
        if positions:
            return Source(positions[0], str(header[positions[0]]).strip())
    raise KeyError(label)

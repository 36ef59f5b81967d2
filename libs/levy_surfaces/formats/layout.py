"""The layout of one table: which of its columns hold what, and how to convert its rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from levy_surfaces.date_text import DateStyle
from levy_surfaces.formats.names import (
    SIDE_FIELDS,
    squeezed,
)
from levy_surfaces.formats.symbols import parse_symbol
from levy_surfaces.number_text import NumberStyle, scaled
from levy_surfaces.quote_columns import COLUMNS, DATES, NUMBERS
from levy_surfaces.tenors import tenor_years

_SYMBOL_COLUMNS: Final = ("strike", "option_type", "expiry", "root")
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
        if name == "maturity_years" and column.dtype.kind not in "fiub":
            tenors = column.map(tenor_years)
            column = column.where(tenors.isna(), tenors.astype(str))
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

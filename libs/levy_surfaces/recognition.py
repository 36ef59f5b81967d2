"""What was recognised in a table of quotes: format, meaning of columns, units and conventions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from levy_surfaces.formats.layout import Layout
from levy_surfaces.printable import shortened

ASSUMED_EXERCISE: Final = "European (assumed)"
"""Where neither the file nor the user states it."""
_UNITS: Final = {
    "strike": "price",
    "bid": "price",
    "ask": "price",
    "mid": "price",
    "last": "price of the last trade",
    "implied_vol": "Black volatility, decimal",
    "maturity_years": "years",
    "days_to_expiry": "days",
    "rate": "continuous, decimal",
    "dividend_yield": "continuous, decimal",
}
_SIDE_NAMES: Final = {"C": "calls", "P": "puts"}


@dataclass(frozen=True)
class ColumnReading:
    """How one column was read.

    Attributes
    ----------
    name : str
        The engine's column.
    source : str
        The table's column, the option of the command line, or `contents of the symbol`.
    unit : str
        Unit and conversion, for people; empty for names and dates.
    """

    name: str
    source: str
    unit: str = ""


@dataclass(frozen=True)
class Recognition:
    """What was recognised in a table of quotes.

    Attributes
    ----------
    format : str
        Layout and kind of file.
    columns : tuple of ColumnReading
    day_count, exercise, currency : str
        For people.
    """

    format: str
    columns: tuple[ColumnReading, ...]
    day_count: str = "ACT/365 fixed"
    exercise: str = ASSUMED_EXERCISE
    currency: str = "that of the strikes (assumed)"

    @property
    def is_american(self) -> bool:
        """Whether the file or the user states that the options are American."""
        return self.exercise.startswith("American")

    @classmethod
    def of(cls, layout: Layout, description: str) -> "Recognition":
        """Return the columns of a layout."""
        columns = [
            _reading(name, source.label, source.factor) for name, source in layout.columns.items()
        ]
        for kind, side in layout.sides.items():
            columns += [
                _reading(f"{name} of {_SIDE_NAMES[kind]}", source.label, source.factor)
                for name, source in side.items()
            ]
        columns += [ColumnReading(name, "lines above the header") for name in layout.constants]
        details = [description] if description else []
        if layout.numbers.decimal == "comma":
            details.append("decimal commas")
        if layout.dates.order:
            details.append(f"dates as {'d/m/Y' if layout.dates.order == 'dmy' else 'm/d/Y'}")
        return cls(", ".join([layout.name, *details]), tuple(columns))

    def with_reading(self, name: str, source: str, unit: str = "") -> "Recognition":
        """Return the recognition with one column replaced or added."""
        others = [column for column in self.columns if column.name != name]
        return replace(self, columns=(*others, ColumnReading(name, source, unit)))

    def with_conventions(self, **conventions: str) -> "Recognition":
        """Return the recognition with `day_count`, `exercise` or `currency` replaced."""
        return replace(self, **conventions)  # type: ignore[arg-type]

    def with_unit(self, names: Sequence[str], unit: str) -> "Recognition":
        """Return the recognition with the unit of some columns replaced."""
        columns = tuple(
            replace(column, unit=unit) if column.name.split(" of ")[0] in names else column
            for column in self.columns
        )
        return replace(self, columns=columns)


def _reading(name: str, label: str, factor: float) -> ColumnReading:
    unit = _UNITS.get(name.split(" of ")[0], "")
    if factor != 1.0:
        unit = f"{unit}, multiplied by {factor:g}".removeprefix(", ")
    return ColumnReading(name, shortened(label), unit)

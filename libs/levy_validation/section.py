"""What an analysis finds: numbers, tables and plots, independent of how they are shown."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Cell = float | int | str | bool | None
Style = Literal["points", "lines", "bars"]


@dataclass(frozen=True)
class Table:
    """A table to copy: rows of numbers and text.

    Attributes
    ----------
    title : str
    columns : tuple of str
    rows : tuple of tuple
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @classmethod
    def of(cls, title: str, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> "Table":
        """Build a table from rows of Python or NumPy values."""
        return cls(title, tuple(columns), tuple(tuple(map(plain, row)) for row in rows))

    def as_document(self) -> dict[str, Any]:
        """Return the table with a JSON object for each row."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows}


@dataclass(frozen=True)
class Plot:
    """Series of points (x, y) in one plot.

    Attributes
    ----------
    title, x_label, y_label : str
    series : mapping of str to (x, y)
        Sequences of equal length; x are numbers or categories.
    style : {"points", "lines", "bars"}
    diagonal : bool
        Whether to draw the line y = x, on which predictions equal actual values.
    level : float, optional
        A horizontal line.
    """

    title: str
    x_label: str
    y_label: str
    series: Mapping[str, tuple[Sequence[Any], Sequence[Any]]]
    style: Style = "points"
    diagonal: bool = False
    level: float | None = None

    def as_document(self) -> dict[str, Any]:
        """Return the points of each series as JSON lists."""
        series = {
            name: {"x": [plain(v) for v in x], "y": [plain(v) for v in y]}
            for name, (x, y) in self.series.items()
        }
        return {"title": self.title, "x": self.x_label, "y": self.y_label, "series": series}


@dataclass(frozen=True)
class Heatmap:
    """Values over two axes.

    Attributes
    ----------
    title, x_label, y_label, unit : str
    x, y : sequence
        Labels of columns and rows.
    values : ndarray, shape (len(y), len(x))
        NaN for empty cells.
    """

    title: str
    x_label: str
    y_label: str
    unit: str
    x: Sequence[Any]
    y: Sequence[Any]
    values: np.ndarray

    def as_document(self) -> dict[str, Any]:
        """Return labels and values as JSON lists."""
        return {
            "title": self.title,
            "unit": self.unit,
            "x": {"name": self.x_label, "values": [plain(v) for v in self.x]},
            "y": {"name": self.y_label, "values": [plain(v) for v in self.y]},
            "values": [[plain(v) for v in row] for row in self.values],
        }


@dataclass(frozen=True)
class Section:
    """The result of one analysis.

    Attributes
    ----------
    figures : mapping of str to number
        The main numbers, by name.
    findings : tuple of str
        What the numbers mean, a sentence each; weaknesses are stated here.
    tables : tuple of Table
    plots : tuple of Plot or Heatmap
    """

    figures: Mapping[str, Cell]
    findings: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot | Heatmap, ...] = field(default=())

    def as_document(self) -> dict[str, Any]:
        """Return the section as a JSON object."""
        return {
            "figures": {name: plain(value) for name, value in self.figures.items()},
            "findings": list(self.findings),
            "tables": [table.as_document() for table in self.tables],
            "plots": [plot.as_document() for plot in self.plots],
        }


def plain(value: Any) -> Cell:
    """Return a JSON value: numbers that are not finite become None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value  # type: ignore[no-any-return]  # a number, text or None by contract

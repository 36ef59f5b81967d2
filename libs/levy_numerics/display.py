"""Presentation of results: summary tables, data frames and plots.

A result contributes its title, facts, columns and notes; layout, and the optional packages (pandas
and Plotly, imported when they are needed), are confined to this module.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from html import escape
from importlib import import_module
from typing import Any, Final

import numpy as np

from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts

_WIDTH: Final = 78
_MOST_ROWS: Final = 40
"""Rows of a printed table; `to_frame` has all of them."""


class Displayed(ABC):
    """A result with a printable summary, a data frame and an HTML view for notebooks."""

    @abstractmethod
    def _title(self) -> str:
        """Return the heading of the summary."""

    @abstractmethod
    def _facts(self) -> Mapping[str, Any]:
        """Return labelled numbers and words that hold for the whole result."""

    @abstractmethod
    def _columns(self) -> Mapping[str, Any]:
        """Return the table's columns, of equal lengths, by name."""

    def _notes(self) -> Sequence[str]:
        """Return sentences shown below the table."""
        return ()

    def summary(self) -> str:
        """Return title, facts, table and notes as text."""
        rule = "=" * _WIDTH
        lines = [self._title().center(_WIDTH).rstrip(), rule]
        cells = [(f"{name}:", formatted(value)) for name, value in self._facts().items()]
        for left, right in zip(cells[::2], [*cells[1::2], ("", "")], strict=False):
            half = _WIDTH // 2 - 1
            pair = [name + value.rjust(half - len(name)) for name, value in (left, right)]
            lines.append(f"{pair[0]}  {pair[1]}".rstrip())
        names, rows = _table(self._columns())
        widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
        lines += [rule, _aligned(names, widths), "-" * _WIDTH]
        lines += [_aligned(row, widths) for row in rows]
        lines += [rule, *(f"Note: {note}" for note in self._all_notes())]
        return "\n".join(lines)

    def to_frame(self) -> Any:
        """Return the table as a pandas DataFrame."""
        return pandas().DataFrame(dict(self._columns()))

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        facts = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(formatted(value))}</td></tr>"
            for name, value in self._facts().items()
        )
        names, rows = _table(self._columns())
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in self._all_notes())
        return (
            f"<h4>{escape(self._title())}</h4><table>{facts}</table>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"
        )

    def _all_notes(self) -> list[str]:
        n_rows = len(next(iter(self._columns().values())))
        cut = [f"{_MOST_ROWS} of {n_rows} rows are shown; to_frame() returns all"]
        return [*self._notes(), *(cut if n_rows > _MOST_ROWS else [])]


def formatted(value: Any) -> str:
    """Return a number with six significant digits, or the text of anything else."""
    if isinstance(value, bool | np.bool_ | str):
        return str(value)
    if isinstance(value, int | np.integer):
        return f"{value:d}"
    if isinstance(value, float | np.floating):
        return f"{value:.6g}" if math.isfinite(value) else str(float(value))
    return str(value)


def _table(columns: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return the names, and the first rows as text."""
    cells = [[formatted(value) for value in column[:_MOST_ROWS]] for column in columns.values()]
    return list(columns), [list(row) for row in zip(*cells, strict=True)]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return a line with the first cell flush left and the others flush right."""
    first, *others = (
        cell.ljust(width) if k == 0 else cell.rjust(width)
        for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((first, *others)).rstrip()


def contract_columns(contracts: Contracts | None) -> dict[str, Any]:
    """Return maturity, strike and type of each contract; nothing without contracts."""
    if contracts is None:
        return {}
    return {
        "maturity_years": contracts.maturity_years,
        "strike": contracts.strike,
        "option_type": np.where(contracts.is_call, "C", "P"),
    }


def lines_by_maturity(
    contracts: Contracts | None, curves: Mapping[str, np.ndarray], title: str, ylabel: str
) -> Any:
    """Return a Plotly figure of curves against strike, one colour for each maturity.

    Parameters
    ----------
    contracts : Contracts or None
        n of them.
    curves : mapping of str to ndarray, shape (n,)
        By label. The first is drawn as a line, the others as markers.
    title, ylabel : str
    """
    if contracts is None:
        raise UnsupportedError(
            "plot() needs contracts, which results of levy_numerics.price and calibrate have"
        )
    plotly = graph_objects()
    figure = plotly.Figure()
    palette = optional("plotly.colors", "cli").qualitative.Plotly
    for k, years in enumerate(np.unique(contracts.maturity_years)):
        here = np.flatnonzero(contracts.maturity_years == years)
        here = here[np.argsort(contracts.strike[here], kind="stable")]
        for j, (label, values) in enumerate(curves.items()):
            figure.add_scatter(
                x=contracts.strike[here],
                y=values[here],
                name=f"{label}, T = {years:.4g}",
                mode="markers" if j else "lines",
                marker={"color": palette[k % len(palette)]},
            )
    return figure.update_layout(title=title, xaxis_title="strike", yaxis_title=ylabel)


def graph_objects() -> Any:
    """Return `plotly.graph_objects`."""
    return optional("plotly.graph_objects", "cli")


def pandas() -> Any:
    """Return pandas."""
    return optional("pandas", "surfaces")


def optional(module: str, extra: str) -> Any:
    """Import a module that an extra of the distribution installs.

    Raises
    ------
    UnsupportedError
        It is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        package = module.partition(".")[0]
        raise UnsupportedError(
            f"{package} is not installed; install it, or levy-calibration-engine[{extra}]",
            package=package,
        ) from None

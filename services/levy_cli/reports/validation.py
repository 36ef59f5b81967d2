"""The report that `levy validate` writes."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import plotly.graph_objects as go

from levy_cli.reports.figures import GRID, MARKET, MODEL, layout
from levy_cli.reports.html import (
    html_figure,
    html_notes,
    html_numbers,
    html_table,
    write_page,
)
from levy_service import engine_version
from levy_validation import Heatmap, Plot, Report, Table
from levy_validation.principles import PRINCIPLES, SOURCES
from levy_validation.report import Completed

_COLORS: Final = (MODEL, MARKET, "#0f766e", "#7c3aed", "#b45309", "#be185d", "#1d4ed8", "#4d7c0f")
_HEIGHT: Final = 340
_ROW_HEIGHT: Final = 22


def write_validation_report(report: Report, skipped: Sequence[str], path: str | Path) -> None:
    """Write the sections of all analyses as one self-contained page."""
    setting = report.setting
    heading = f"Validation of {setting.model.name}"
    n_quotes = sum(s.quotes.size for s in setting.surfaces)
    network = setting.network
    numbers = [
        (f"{len(setting.surfaces)}", "surfaces"),
        (f"{n_quotes:,}", "quotes"),
        ("none" if network is None else f"{network.network} {network.version}", "network"),
        (f"{report.seconds:.0f} s", "run time"),
    ]
    pages = _Figures()
    parts = {
        "title": escape(heading),
        "heading": escape(heading),
        "subtitle": escape(f"engine {engine_version()}; seed {setting.seed}"),
        "figures": html_numbers(numbers),
        "notes": html_notes(skipped),
        "sections": "".join(_section(completed, pages) for completed in report.completed),
        "principles": _principles(report),
        "sources": "".join(f'<p class="soft">{escape(source)}</p>' for source in SOURCES),
    }
    write_page("validation.html", path, parts)


class _Figures:
    """Figures as HTML; the first contains the library."""

    def __init__(self) -> None:
        self._is_first = True

    def html(self, figure: go.Figure) -> str:
        text = html_figure(figure, with_library=self._is_first)
        self._is_first = False
        return text


def _section(completed: Completed, figures: _Figures) -> str:
    analysis, section = completed.analysis, completed.section
    head = (
        f'<section id="{escape(analysis.name)}"><h2>{escape(analysis.title)}</h2>'
        f'<p class="soft">{escape(analysis.question)} '
        f"Principle: {escape(analysis.principle)}. {completed.seconds:.1f} s.</p>"
    )
    if section is None:
        return f"{head}</section>{html_notes([f'Not made: {completed.reason}'])}"
    document = section.as_document()["figures"]
    listed = html_table(
        ("figure", "value"), [(name, _text(value)) for name, value in document.items()], numbers={1}
    )
    body = "".join(
        [
            f'<div class="scroll">{listed}</div>',
            *(_drawn(plot, figures) for plot in section.plots),
            *(_table(table) for table in section.tables),
        ]
    )
    findings = html_notes(section.findings)
    return f"{head}</section>{findings}<section>{body}</section>"


def _table(table: Table) -> str:
    numeric = {
        i
        for i in range(len(table.columns))
        if any(isinstance(row[i], int | float) for row in table.rows)
    }
    rows = [[_text(value) for value in row] for row in table.rows]
    listed = html_table(table.columns, rows, numbers=numeric)
    return f'<h2>{escape(table.title)}</h2><div class="scroll">{listed}</div>'


def _drawn(plot: Plot | Heatmap, figures: _Figures) -> str:
    figure = heatmap(plot) if isinstance(plot, Heatmap) else points_or_lines(plot)
    return f"<h2>{escape(plot.title)}</h2>{figures.html(figure)}"


def points_or_lines(plot: Plot) -> go.Figure:
    """Return the figure of a plot."""
    figure = go.Figure(list(_traces(plot)))
    if plot.diagonal:
        ends = _ends(plot)
        figure.add_trace(
            go.Scatter(
                x=ends,
                y=ends,
                mode="lines",
                line={"color": "#9aa5b1", "width": 1},
                showlegend=False,
                hoverinfo="skip",
            )
        )
    if plot.level is not None:
        figure.add_hline(y=plot.level, line={"color": "#9aa5b1", "width": 1})
    _finish(figure, plot, _HEIGHT)
    figure.update_layout(showlegend=len(plot.series) > 1, barmode="group")
    return figure


def _traces(plot: Plot) -> Iterator[Any]:
    for k, (name, (x, y)) in enumerate(plot.series.items()):
        color = _COLORS[k % len(_COLORS)]
        if plot.style == "bars":
            yield go.Bar(x=list(x), y=list(y), name=name, marker={"color": color})
        else:
            mode = "markers" if plot.style == "points" else "lines"
            yield go.Scatter(
                x=list(x),
                y=list(y),
                name=name,
                mode=mode,
                marker={"color": color, "size": 5},
                line={"color": color, "width": 1.6},
            )


def _ends(plot: Plot) -> list[float]:
    """Return the ends of the diagonal: those of the finite values on either axis."""
    values = [
        float(v) for x, y in plot.series.values() for v in (*x, *y) if v is not None and v == v
    ]
    return [min(values, default=0.0), max(values, default=1.0)]


def heatmap(plot: Heatmap) -> go.Figure:
    """Return the figure of a heat map, with a colour scale symmetric about zero."""
    figure = go.Figure(
        go.Heatmap(
            z=plot.values,
            x=list(plot.x),
            y=list(plot.y),
            colorscale="RdBu",
            zmid=0.0,
            colorbar={"title": {"text": plot.unit}, "thickness": 12, "outlinewidth": 0},
        )
    )
    _finish(figure, plot, 120 + _ROW_HEIGHT * max(len(plot.y), 6))
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category", automargin=True)
    return figure


def _finish(figure: go.Figure, plot: Plot | Heatmap, height: int) -> None:
    figure.update_xaxes(title_text=plot.x_label, gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(title_text=plot.y_label, gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_layout(**layout(height, top=16))


def _principles(report: Report) -> str:
    rows = []
    for name, principle in PRINCIPLES.items():
        made = [c.analysis.title for c in report.completed if c.analysis.principle == name]
        rows.append(
            (name, principle.united_kingdom, principle.united_states, ", ".join(made) or "–")
        )
    head = ("topic", "United Kingdom, SS1/23", "United States, SR 26-2", "sections")
    return html_table(head, rows, text={1, 2, 3})


def _text(value: object) -> str:
    """Return a cell: numbers with four digits, a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)

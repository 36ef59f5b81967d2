"""The report that `levy follow --plot` writes."""

from html import escape
from pathlib import Path
from typing import Final

import pandas as pd
import plotly.graph_objects as go

from levy_cli.following import Walk, parameters_of
from levy_cli.output import vol_points
from levy_cli.reports.figures import MARKET, MODEL, small_multiples
from levy_cli.reports.html import html_figure, html_notes, html_numbers, html_table, write_page
from levy_service import engine_version

_BAND: Final = "rgba(194, 65, 12, 0.15)"


def write_follow_report(walk: Walk, path: str | Path) -> None:
    """Write paths of parameters, with intervals, and of errors as one self-contained page."""
    frame, summary = walk.frame, walk.summary
    names = list(parameters_of(walk))
    heading = f"{walk.identity['model']} through time"
    numbers = [
        (f"{summary['n_days']}", "days"),
        (f"{vol_points(summary['rmse_vol'])} vol points", "median error on the day"),
        (f"{vol_points(summary['predicted_rmse_vol'])} vol points", "median error predicted"),
        (f"{summary['n_evaluations']:g}", "evaluations a day"),
    ]
    rows = [
        (
            str(row["day"]),
            f"{row['n_quotes']:,}",
            vol_points(row["rmse_vol"]),
            vol_points(row["predicted_rmse_vol"]),
            *(f"{row[name]:.4g}" for name in names),
            str(row["status"]),
        )
        for row in walk.rows
    ]
    head = ("day", "quotes", "error", "predicted", *names, "status")
    parts = {
        "title": escape(heading),
        "heading": escape(heading),
        "subtitle": escape(
            f"estimator {walk.identity['estimator']}; engine {engine_version()}; levy follow"
        ),
        "figures": html_numbers(numbers),
        "notes": html_notes(walk.skipped),
        "parameters": html_figure(_paths(frame, names), with_library=True),
        "errors": html_figure(_errors(frame)),
        "days": html_table(head, rows, numbers=range(1, len(head) - 1)),
    }
    write_page("follow.html", path, parts)


def _paths(frame: pd.DataFrame, names: list[str]) -> go.Figure:
    figure, positions = small_multiples(names)
    for name, position in zip(names, positions, strict=True):
        day = frame["day"]
        high, low = (frame[f"{name}_{end}"].astype(float) for end in ("high", "low"))
        band = {"x": day, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        figure.add_trace(go.Scatter(y=high, **band), **position)
        figure.add_trace(go.Scatter(y=low, fill="tonexty", fillcolor=_BAND, **band), **position)
        line = go.Scatter(x=day, y=frame[name], mode="lines+markers", line={"color": MODEL})
        figure.add_trace(line, **position)
    figure.update_yaxes(tickformat="~g")  # small multiples are of volatilities, in per cent
    figure.update_layout(showlegend=False)
    return figure


def _errors(frame: pd.DataFrame) -> go.Figure:
    figure, (position,) = small_multiples(["Errors of implied volatility, vol points"])
    for column, label, color in (
        ("rmse_vol", "fitted", MARKET),
        ("predicted_rmse_vol", "predicted", MODEL),
    ):
        errors = 100.0 * frame[column].astype(float)
        figure.add_trace(
            go.Scatter(
                x=frame["day"], y=errors, mode="lines+markers", name=label, line={"color": color}
            ),
            **position,
        )
    figure.update_yaxes(tickformat="~g")
    figure.update_layout(showlegend=True)
    return figure

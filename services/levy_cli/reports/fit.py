"""The report that `levy calibrate --plot` writes."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from levy_cli.cleaned import CleanedQuotes
from levy_cli.fitting import FittedSurface
from levy_cli.output import EXPIRY_COLUMNS, expiry_cells, vol_points
from levy_cli.reports.early_exercise import fitted_section
from levy_cli.reports.figures import (
    GRID,
    MARKET,
    MODEL,
    SPREAD,
    Smile,
    axis_buttons,
    expiry_label,
    layout,
    maturity_axis,
    points,
    small_multiples,
    smiles_of,
)
from levy_cli.reports.html import html_figure, html_notes, html_numbers, html_table, write_page
from levy_numerics import models
from levy_numerics.parameters import Parameter
from levy_schemas.calibration import Interval, MaturityCalibration
from levy_surfaces.reasons import Reason
from levy_surfaces.summary import summary

_COLUMNS: Final = 2
_ROW_HEIGHT: Final = 230
_MAX_CELLS: Final = 28


def write_fit_report(fitted: FittedSurface, path: str | Path) -> None:
    """Write smiles, residuals, parameters and cleaning as expiry self-contained page."""
    result, quotes = fitted.result, fitted.quotes
    heading = f"{result.model_type} on {quotes.name or 'quotes'}"
    status = ", ".join((result.status.replace("_", " "), *result.boundary_parameters))
    parts = {
        "title": escape(heading),
        "heading": escape(heading),
        "status": escape(status),
        "status_class": "" if result.status == "converged" else "warn",
        "subtitle": escape(_subtitle(fitted)),
        "figures": html_numbers(_numbers(fitted)),
        "notes": html_notes(result.warnings),
        "with_sides": " from bid to ask" if quotes.surface.quotes.bid is not None else "",
        "smiles": html_figure(smiles(fitted), with_library=True),
        "term_structure": _term_structure(fitted),
        "early_exercise": fitted_section(fitted),
        "parameters": _parameters(fitted),
        "moments": _moments(fitted),
        "by_maturity": html_figure(errors_by_maturity(fitted)) + _by_maturity(fitted),
        "heat_map": html_figure(heat_map(fitted)),
        "kept": f"{quotes.surface.size} of {quotes.surface.n_read} quotes were fitted.",
        "dropped": dropped_table(quotes),
        "expiries": expiries_table(quotes),
    }
    write_page("fit.html", path, parts)


def dropped_table(quotes: CleanedQuotes) -> str:
    """Return the numbers of dropped quotes by reason."""
    counts = quotes.surface.dropped_by_reason
    if not counts:
        return "<p>No quotes were dropped.</p>"
    rows = [
        (f"{n:,}", reason.replace("_", " "), Reason(reason).meaning) for reason, n in counts.items()
    ]
    return html_table(("dropped", "reason", "meaning"), rows, numbers={0}, text={2})


def expiries_table(quotes: CleanedQuotes) -> str:
    """Return the expiries and their forwards."""
    head = ("expiry", "years", "discount", *EXPIRY_COLUMNS, "forward from")
    rows = [
        (
            line.name,
            f"{line.forward.maturity_years:.4f}",
            f"{line.forward.discount:.6f}",
            *expiry_cells(line),
            line.forward.source,
        )
        for line in summary(quotes.surface)
    ]
    return html_table(head, rows, numbers=range(1, 9), text={9})


def _subtitle(fitted: FittedSurface) -> str:
    result, surface = fitted.result, fitted.quotes.surface
    at = "" if surface.spot is None else f"spot {surface.spot:g}, "
    each = ", fitted separately" if result.per_maturity is not None else ""
    return (
        f"{at}{len(surface.forwards)} expiries{each}; {result.method.replace('_', ' ')} in "
        f"{result.calibration_time_ms:.0f} ms, {result.n_evaluations} evaluations"
    )


def _numbers(fitted: FittedSurface) -> Sequence[tuple[str, str]]:
    quality = fitted.result.fit_quality
    vol_error = quality.implied_vol_rmse
    return (
        (f"{quality.n_quotes:,}", "quotes fitted"),
        ("none" if vol_error is None else vol_points(vol_error), "RMSE, vol points"),
        (f"{quality.rmse:.4g}", "RMSE, price"),
        (f"{quality.aae:.4g}", "mean absolute error"),
        (f"{quality.ape:.2%}", "of the mean price (APE)"),
        (f"{quality.relative_error:.2%}", "mean relative error (ARPE)"),
    )


def _term_structure(fitted: FittedSurface) -> str:
    if fitted.result.per_maturity is None:
        return ""
    figure = html_figure(parameters_by_maturity(fitted))
    return (
        "<section><h2>Term structure of the parameters</h2>"
        '<p class="soft">One fit for each expiry, with 95% intervals.</p>'
        f"{figure}</section>"
    )


def _parameters(fitted: FittedSurface) -> str:
    result = fitted.result
    declared = models.get(result.model_type).parameters()
    if result.per_maturity is not None:
        return _parameters_by_maturity(fitted, declared)
    intervals, values = result.intervals or {}, result.parameters or {}
    rows = [
        (_letter(p), f"{values[p.name]:.6g}", _interval(intervals.get(p.name)), p.meaning)
        for p in declared
    ]
    return html_table(
        ("parameter", "value", "95% interval", "meaning"), rows, numbers={1}, text={3}
    )


def _parameters_by_maturity(fitted: FittedSurface, declared: Sequence[Parameter]) -> str:
    names = fitted.quotes.maturity_names()
    rows = [
        (
            names[expiry.maturity],
            *(f"{expiry.parameters[p.name]:.5g}" for p in declared),
            vol_points(expiry.fit_quality.implied_vol_rmse),
            ", ".join((expiry.status.replace("_", " "), *expiry.boundary_parameters)),
        )
        for expiry in fitted.result.per_maturity or ()
    ]
    head = ("expiry", *map(_letter, declared), "RMSE, vol points", "status")
    return html_table(head, rows, numbers=range(1, len(head) - 1))


def _moments(fitted: FittedSurface) -> str:
    if fitted.result.moments is None:
        return ""
    rows = [
        (
            name.replace("_", " "),
            "not finite" if moment.value is None else f"{moment.value:.6g}",
            _interval(moment.interval),
        )
        for name, moment in fitted.result.moments.items()
    ]
    head = ("log return over a year", "value", "95% interval")
    return f'<div class="scroll">{html_table(head, rows, numbers={1})}</div>'


def _by_maturity(fitted: FittedSurface) -> str:
    names = fitted.quotes.maturity_names()
    rows = [
        (
            names[expiry.maturity],
            f"{expiry.maturity:.4f}",
            f"{expiry.fit_quality.n_quotes:,}",
            f"{expiry.fit_quality.rmse:.4g}",
            vol_points(expiry.fit_quality.implied_vol_rmse),
            vol_points(expiry.mean_vol_error),
        )
        for expiry in fitted.result.fit_by_maturity
    ]
    head = (
        "expiry",
        "years",
        "quotes",
        "RMSE, price",
        "RMSE, vol points",
        "mean error, vol points",
    )
    return f'<div class="scroll">{html_table(head, rows, numbers=range(1, 6))}</div>'


def _letter(p: Parameter) -> str:
    return p.name if p.name == p.symbol else f"{p.symbol} ({p.name})"


def _interval(interval: Interval | None) -> str:
    return "not determined" if interval is None else f"{interval[0]:.5g} … {interval[1]:.5g}"


def smiles(fitted: FittedSurface) -> go.Figure:
    """Return the smile of each expiry, with buttons for the x-axis."""
    surface = fitted.quotes.surface
    curves = smiles_of(surface, fitted.market_vols)
    figure, positions = small_multiples([smile.label for smile in curves])
    for smile, position in zip(curves, positions, strict=True):
        figure.add_trace(_curve(smile, smile.vols_of(fitted.by_maturity[smile.years])), **position)
        figure.add_trace(points(smile), **position)
    strikes = [x for smile in curves for x in (smile.fine.strike, smile.strike)]
    forwards = [smile.forward for smile in curves for _ in range(2)]
    figure.update_layout(updatemenus=[axis_buttons(strikes, forwards)])
    return figure


def heat_map(fitted: FittedSurface) -> go.Figure:
    """Return the mean residual in vol points by expiry and ln(K/F)."""
    surface = fitted.quotes.surface
    log_strike = -surface.quotes.contracts.log_moneyness
    error = 100.0 * (fitted.model_vols - fitted.market_vols)
    defined = np.isfinite(error)
    edges = _edges(log_strike[defined])
    cell = np.clip(np.searchsorted(edges, log_strike, side="right") - 1, 0, edges.size - 2)
    numbers = np.unique(surface.series)
    totals = np.zeros((numbers.size, edges.size - 1))
    counts = np.zeros_like(totals)
    row = np.searchsorted(numbers, surface.series)
    np.add.at(totals, (row[defined], cell[defined]), error[defined])
    np.add.at(counts, (row[defined], cell[defined]), 1.0)
    mean = np.divide(totals, counts, out=np.full_like(totals, np.nan), where=counts > 0)
    # A percentile, so that a few large errors in the wings do not dominate the colour scale.
    limit = float(np.nanpercentile(np.abs(mean), 95)) if defined.any() else 1.0
    middles = (edges[1:] + edges[:-1]) / 2.0
    figure = go.Figure(
        go.Heatmap(
            z=mean,
            x=middles,
            y=[expiry_label(surface, int(series)) for series in numbers],
            customdata=counts,
            colorscale="RdBu_r",
            zmid=0.0,
            zmin=-max(limit, 1e-6),
            zmax=max(limit, 1e-6),
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": "vol points"}, "thickness": 12, "outlinewidth": 0},
            hovertemplate=(
                "%{y}<br>ln(K/F) about %{x:.3f}<br>%{z:+.2f} vol points"
                "<br>%{customdata:.0f} quotes<extra></extra>"
            ),
        )
    )
    figure.update_xaxes(title_text="ln(K/F)", showgrid=False, zeroline=False)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category", automargin=True)
    figure.update_layout(**layout(90 + 30 * max(numbers.size, 4), top=30))
    return figure


def _curve(smile: Smile, vol: np.ndarray) -> go.Scatter:
    return go.Scatter(
        x=np.log(smile.fine.strike / smile.forward),
        y=vol,
        customdata=smile.fine.strike,
        mode="lines",
        line={"color": MODEL, "width": 2},
        hovertemplate="K = %{customdata:g}<br>model %{y:.2%}<extra></extra>",
    )


def _edges(log_strike: np.ndarray) -> np.ndarray:
    """Return edges of equal cells between the 1% and 99% quantiles; the end cells take the rest."""
    if log_strike.size == 0:
        return np.array([-1.0, 1.0])
    low, high = np.percentile(log_strike, [1.0, 99.0])
    cells = int(np.clip(np.sqrt(log_strike.size) * 1.5, 6, _MAX_CELLS))
    width = max(float(high - low), 1e-6)
    return np.asarray(np.linspace(low, low + width, cells + 1))


def errors_by_maturity(fitted: FittedSurface) -> go.Figure:
    """Return RMS and mean error of implied volatility, in vol points, by maturity."""
    expiries = fitted.result.fit_by_maturity
    names = fitted.quotes.maturity_names()
    years = [expiry.maturity for expiry in expiries]
    figure = go.Figure()
    for name, color, errors in (
        ("root mean square", MARKET, [expiry.fit_quality.implied_vol_rmse for expiry in expiries]),
        ("mean", MODEL, [expiry.mean_vol_error for expiry in expiries]),
    ):
        figure.add_trace(
            go.Scatter(
                x=years,
                y=[None if error is None else 100 * error for error in errors],
                customdata=[names[expiry.maturity] for expiry in expiries],
                mode="lines+markers",
                line={"color": color, "width": 2},
                marker={"size": 6},
                hovertemplate=f"%{{customdata}}<br>{name} %{{y:+.2f}} vol points<extra></extra>",
            )
        )
    figure.update_xaxes(**maturity_axis(years))
    figure.update_yaxes(title_text="vol points", gridcolor=GRID, zerolinecolor=SPREAD)
    figure.update_layout(**layout(260, top=16))
    return figure


def parameters_by_maturity(fitted: FittedSurface) -> go.Figure:
    """Return each parameter by maturity, with its interval where available."""
    fits = fitted.result.per_maturity or ()
    names = fitted.quotes.maturity_names()
    parameters = models.get(fitted.result.model_type).parameters()
    rows = -(-len(parameters) // _COLUMNS)
    figure = make_subplots(
        rows=rows,
        cols=min(_COLUMNS, len(parameters)),
        subplot_titles=[f"{p.symbol}: {p.meaning}" for p in parameters],
        horizontal_spacing=0.08,
        vertical_spacing=0.3 / rows if rows > 1 else 0.0,
    )
    for i, p in enumerate(parameters):
        trace = _parameter(p.name, fits, [names[expiry.maturity] for expiry in fits])
        figure.add_trace(trace, row=i // _COLUMNS + 1, col=i % _COLUMNS + 1)
    figure.update_xaxes(**maturity_axis([expiry.maturity for expiry in fits]))
    figure.update_yaxes(gridcolor=GRID, zeroline=False)
    figure.update_annotations(font_size=13)
    figure.update_layout(**layout(_ROW_HEIGHT * rows + 60, top=40))
    return figure


def _parameter(name: str, fits: tuple[MaturityCalibration, ...], labels: list[str]) -> go.Scatter:
    values = [expiry.parameters[name] for expiry in fits]
    ends = [(expiry.intervals or {}).get(name) for expiry in fits]
    return go.Scatter(
        x=[expiry.maturity for expiry in fits],
        y=values,
        customdata=labels,
        mode="lines+markers",
        line={"color": MODEL, "width": 1.5},
        marker={"size": 6, "color": MODEL},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [0.0 if e is None else e[1] - v for e, v in zip(ends, values, strict=True)],
            "arrayminus": [
                0.0 if e is None else v - e[0] for e, v in zip(ends, values, strict=True)
            ],
            "color": SPREAD,
            "width": 3,
        },
        hovertemplate=f"%{{customdata}}<br>{name} = %{{y:.5g}}<extra></extra>",
    )

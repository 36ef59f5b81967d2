"""The report that `levy compare --plot` writes."""

from html import escape
from pathlib import Path
from typing import Final

import numpy as np
import plotly.graph_objects as go

from levy_cli.comparing import ComparedModels
from levy_cli.output import vol_points
from levy_cli.reports.figures import (
    GRID,
    MARKET,
    MODEL,
    axis_buttons,
    layout,
    points,
    small_multiples,
    smiles_of,
)
from levy_cli.reports.fit import dropped_table, expiries_table
from levy_cli.reports.html import html_figure, html_notes, html_numbers, html_table, write_page
from levy_schemas.calibration import FitQuality
from levy_surfaces.summary import market_vols

_N_DRAWN: Final = 8
_N_SHOWN: Final = 3
_COLORS: Final = (
    MODEL,
    "#0f766e",
    "#7c3aed",
    "#b45309",
    "#be185d",
    "#1d4ed8",
    "#4d7c0f",
    "#64748b",
)


def write_comparison_report(compared: ComparedModels, path: str | Path) -> None:
    """Write ranking, errors by expiry and smiles as fit self-contained page."""
    result, quotes = compared.result, compared.quotes
    heading = f"{len(result.results)} models on {quotes.name or 'quotes'}"
    not_fitted = [
        f"{failure.model_type} was not fitted: {failure.detail}" for failure in result.not_fitted
    ]
    parts = {
        "title": escape(heading),
        "heading": escape(heading),
        "subtitle": escape(_subtitle(compared)),
        "figures": html_numbers(_numbers(compared)),
        "notes": html_notes(not_fitted),
        "ranking": html_figure(ranking(compared), with_library=True),
        "models": _models(compared),
        "by_maturity": html_figure(errors_by_model_and_maturity(compared)),
        "smiles": html_figure(compared_smiles(compared)),
        "parameters": _parameters(compared),
        "kept": f"{quotes.surface.size} of {quotes.surface.n_read} quotes were fitted.",
        "dropped": dropped_table(quotes),
        "expiries": expiries_table(quotes),
    }
    write_page("comparison.html", path, parts)


def _subtitle(compared: ComparedModels) -> str:
    result = compared.result
    return (
        f"{len(compared.quotes.surface.forwards)} expiries; weights {result.weights} in "
        f"{1e-3 * result.comparison_time_ms:.1f} s"
    )


def _numbers(compared: ComparedModels) -> list[tuple[str, str]]:
    numbers = [(f"{compared.result.n_quotes:,}", "quotes fitted")]
    for best in compared.result.results[:1]:
        quality = best.held_out_expiries or best.out_of_sample or best.fit_quality
        numbers += [
            (best.model_type, "ranks first"),
            (vol_points(quality.implied_vol_rmse), "out-of-sample RMSE, vol points"),
            (vol_points(best.fit_quality.implied_vol_rmse), "RMSE on all quotes, vol points"),
        ]
        if best.in_spread_share is not None:
            numbers.append((f"{best.in_spread_share:.0%}", "of quotes within the spread"))
    return numbers


def _models(compared: ComparedModels) -> str:
    rows = [
        (
            fit.model_type,
            "–" if fit.in_sample is None else vol_points(fit.in_sample.implied_vol_rmse),
            "–" if fit.out_of_sample is None else vol_points(fit.out_of_sample.implied_vol_rmse),
            "–"
            if fit.held_out_expiries is None
            else vol_points(fit.held_out_expiries.implied_vol_rmse),
            vol_points(fit.fit_quality.implied_vol_rmse),
            f"{fit.fit_quality.rmse:.4g}",
            "–" if fit.in_spread_share is None else f"{fit.in_spread_share:.0%}",
            f"{1e-3 * fit.calibration_time_ms:.1f}",
            ", ".join((fit.status.replace("_", " "), *fit.boundary_parameters)),
        )
        for fit in compared.result.results
    ]
    errors = ("in sample", "strikes held out", "expiries held out", "all quotes")
    head = ("model", *errors, "RMSE, price", "within the spread", "seconds", "status")
    return html_table(head, rows, numbers=range(1, 8))


def _parameters(compared: ComparedModels) -> str:
    rows = [
        (fit.model_type, ", ".join(f"{name} = {v:.5g}" for name, v in fit.parameters.items()))
        for fit in compared.result.results
    ]
    return html_table(("model", "parameters"), rows, text={1})


def ranking(compared: ComparedModels) -> go.Figure:
    """Return errors of implied volatility in and out of sample for each model, best on top."""
    fits = compared.result.results
    names = [fit.model_type for fit in fits]
    kinds = (
        ("out of sample", MODEL, [fit.held_out_expiries or fit.out_of_sample for fit in fits]),
        ("in sample", MARKET, [fit.in_sample or fit.fit_quality for fit in fits]),
    )
    figure = go.Figure()
    for kind, color, qualities in kinds:
        figure.add_trace(
            go.Bar(
                y=names,
                x=[_vol_points(quality) for quality in qualities],
                orientation="h",
                name=kind,
                marker={"color": color},
                hovertemplate=f"%{{y}}, {kind}: %{{x:.3f}} vol points<extra></extra>",
            )
        )
    figure.update_xaxes(title_text="vol points", gridcolor=GRID, zeroline=False)
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_layout(**_with_legend(90 + 30 * max(len(names), 3), top=40), barmode="group")
    return figure


def errors_by_model_and_maturity(compared: ComparedModels) -> go.Figure:
    """Return the RMS error of implied volatility by model and expiry."""
    fits, names = compared.result.results, compared.quotes.maturity_names()
    errors = [[_vol_points(m.fit_quality) for m in fit.fit_by_maturity] for fit in fits]
    values = np.array(errors, dtype=float)
    # A percentile, so that a poor model does not dominate the colour scale.
    limit = float(np.nanpercentile(values, 90)) if np.isfinite(values).any() else 1.0
    figure = go.Figure(
        go.Heatmap(
            z=errors,
            x=list(names.values()),
            y=[fit.model_type for fit in fits],
            colorscale="Oranges",
            zmin=0.0,
            zmax=max(limit, 1e-6),
            xgap=1,
            ygap=1,
            texttemplate="%{z:.2f}",
            colorbar={"title": {"text": "vol points"}, "thickness": 12, "outlinewidth": 0},
            hovertemplate="%{y}, %{x}<br>%{z:.3f} vol points<extra></extra>",
        )
    )
    figure.update_xaxes(type="category", showgrid=False, automargin=True)
    figure.update_yaxes(autorange="reversed", showgrid=False, automargin=True)
    figure.update_layout(**layout(130 + 28 * max(len(fits), 3), top=16))
    return figure


def compared_smiles(compared: ComparedModels) -> go.Figure:
    """Return the smiles of the best models by expiry; the legend shows and hides them."""
    surface = compared.quotes.surface
    curves = smiles_of(surface, market_vols(surface))
    figure, positions = small_multiples([smile.label for smile in curves])
    strikes: list[np.ndarray] = []
    forwards: list[float] = []
    for i, (smile, position) in enumerate(zip(curves, positions, strict=True)):
        for k, (name, model) in enumerate(list(compared.fitted.items())[:_N_DRAWN]):
            strikes.append(smile.fine.strike)
            figure.add_trace(
                go.Scatter(
                    x=np.log(smile.fine.strike / smile.forward),
                    y=smile.vols_of(model),
                    customdata=smile.fine.strike,
                    mode="lines",
                    line={"color": _COLORS[k], "width": 1.8},
                    name=name,
                    legendgroup=name,
                    showlegend=i == 0,
                    visible=True if k < _N_SHOWN else "legendonly",
                    hovertemplate=f"K = %{{customdata:g}}<br>{name} %{{y:.2%}}<extra></extra>",
                ),
                **position,
            )
        strikes.append(smile.strike)
        figure.add_trace(points(smile), **position)
        forwards += [smile.forward] * (len(strikes) - len(forwards))
    height = figure.layout.height
    figure.update_layout(
        **_with_legend(height, top=84), updatemenus=[axis_buttons(strikes, forwards)]
    )
    return figure


def _with_legend(height: float, *, top: int) -> dict[str, object]:
    # To the right of the buttons, above the titles of the plots.
    legend = {
        "orientation": "h",
        "x": 0.16,
        "xanchor": "left",
        "yref": "container",
        "y": 1.0 - 8.0 / height,
        "yanchor": "top",
    }
    return layout(height, top=top) | {"showlegend": True, "legend": legend}


def _vol_points(quality: FitQuality | None) -> float | None:
    if quality is None or quality.implied_vol_rmse is None:
        return None
    return 100.0 * quality.implied_vol_rmse

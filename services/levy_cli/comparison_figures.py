"""The plots of a comparison: the ranking, errors by expiry, and smiles."""

from typing import Final

import numpy as np
import plotly.graph_objects as go

from levy_cli.comparing import ComparedModels
from levy_cli.figures import (
    GRID,
    MARKET,
    MODEL,
    axis_buttons,
    layout,
    points,
    small_multiples,
    smiles_of,
)
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


def ranking(compared: ComparedModels) -> go.Figure:
    """Errors of implied volatility in and out of sample, a pair of bars a model, best on top."""
    found = compared.answer.results
    names = [one.model_type for one in found]
    kinds = (
        ("out of sample", MODEL, [one.out_of_sample for one in found]),
        ("in sample", MARKET, [one.in_sample or one.fit_quality for one in found]),
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
    """Root-mean-square error of implied volatility, model by expiry."""
    found, names = compared.answer.results, compared.quotes.maturity_names()
    errors = [[_vol_points(one.fit_quality) for one in each.fit_by_maturity] for each in found]
    shown = np.array(errors, dtype=float)
    # A model that is far off must not bleach the rest.
    limit = float(np.nanpercentile(shown, 90)) if np.isfinite(shown).any() else 1.0
    figure = go.Figure(
        go.Heatmap(
            z=errors,
            x=list(names.values()),
            y=[one.model_type for one in found],
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
    figure.update_layout(**layout(130 + 28 * max(len(found), 3), top=16))
    return figure


def compared_smiles(compared: ComparedModels) -> go.Figure:
    """Smiles of the best models by expiry; the legend shows and hides them."""
    surface = compared.quotes.surface
    drawn = smiles_of(surface, market_vols(surface))
    figure, places = small_multiples([smile.label for smile in drawn])
    strikes: list[np.ndarray] = []
    forwards: list[float] = []
    for i, (smile, place) in enumerate(zip(drawn, places, strict=True)):
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
                **place,
            )
        strikes.append(smile.strike)
        figure.add_trace(points(smile), **place)
        forwards += [smile.forward] * (len(strikes) - len(forwards))
    height = figure.layout.height
    figure.update_layout(
        **_with_legend(height, top=84), updatemenus=[axis_buttons(strikes, forwards)]
    )
    return figure


def _with_legend(height: float, *, top: int) -> dict[str, object]:
    # Beside the buttons, above the titles of the plots.
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

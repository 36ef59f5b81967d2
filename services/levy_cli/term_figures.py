"""Plots against the maturity: errors, and parameters where each expiry has its own."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from levy_cli.figures import GRID, MARKET, MODEL, SPREAD, layout
from levy_cli.fitting import FittedSurface
from levy_numerics import models
from levy_schemas.calibration import MaturityCalibration

_COLUMNS = 2
_ROW_HEIGHT = 230


def errors_by_maturity(fitted: FittedSurface) -> go.Figure:
    """Root mean square and mean error of implied volatility, in vol points, by maturity."""
    found = fitted.answer.fit_by_maturity
    names = fitted.quotes.maturity_names()
    years = [one.maturity for one in found]
    figure = go.Figure()
    for name, color, errors in (
        ("root mean square", MARKET, [one.fit_quality.implied_vol_rmse for one in found]),
        ("mean", MODEL, [one.mean_vol_error for one in found]),
    ):
        figure.add_trace(
            go.Scatter(
                x=years,
                y=[None if error is None else 100 * error for error in errors],
                customdata=[names[one.maturity] for one in found],
                mode="lines+markers",
                line={"color": color, "width": 2},
                marker={"size": 6},
                hovertemplate=f"%{{customdata}}<br>{name} %{{y:+.2f}} vol points<extra></extra>",
            )
        )
    figure.update_xaxes(title_text="years", type="log", gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title_text="vol points", gridcolor=GRID, zerolinecolor=SPREAD)
    figure.update_layout(**layout(260, top=16))
    return figure


def parameters_by_maturity(fitted: FittedSurface) -> go.Figure:
    """Each parameter against the maturity, with its interval where one can be said."""
    fits = fitted.answer.per_maturity or ()
    names = fitted.quotes.maturity_names()
    parameters = models.get(fitted.answer.model_type).parameters()
    rows = -(-len(parameters) // _COLUMNS)
    figure = make_subplots(
        rows=rows,
        cols=min(_COLUMNS, len(parameters)),
        subplot_titles=[f"{p.symbol}: {p.meaning}" for p in parameters],
        horizontal_spacing=0.08,
        vertical_spacing=0.3 / rows if rows > 1 else 0.0,
    )
    for i, p in enumerate(parameters):
        trace = _parameter(p.name, fits, [names[one.maturity] for one in fits])
        figure.add_trace(trace, row=i // _COLUMNS + 1, col=i % _COLUMNS + 1)
    figure.update_xaxes(type="log", gridcolor=GRID, zeroline=False)
    figure.update_yaxes(gridcolor=GRID, zeroline=False)
    figure.update_annotations(font_size=13)
    figure.update_layout(**layout(_ROW_HEIGHT * rows + 60, top=40))
    return figure


def _parameter(name: str, fits: tuple[MaturityCalibration, ...], labels: list[str]) -> go.Scatter:
    values = [one.parameters[name] for one in fits]
    ends = [(one.intervals or {}).get(name) for one in fits]
    return go.Scatter(
        x=[one.maturity for one in fits],
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

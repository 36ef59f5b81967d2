"""Figures of early exercise, and the report that `levy price --plot` writes."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from levy_cli.fitting import FittedSurface
from levy_cli.reports.figures import GRID, MARKET, MODEL, expiry_label, layout
from levy_cli.reports.html import html_figure, html_notes, html_table, write_page
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.pricing.early_exercise import Terms
from levy_numerics.pricing.early_exercise.premium import early_exercise
from levy_numerics.surface import Surface
from levy_schemas.pricing import PriceRequest, PriceResult
from levy_surfaces.american import AmericanFit

Curve = tuple[str, Sequence[float], Sequence[float | None]]
"""Name, x and y."""

_COLORS: Final = {"put": MODEL, "call": MARKET}
_BOUNDARY_TOLERANCE: Final = 1e-5


def write_price_report(request: PriceRequest, result: PriceResult, path: str | Path) -> None:
    """Write premiums and exercise boundary of American or Bermudan prices as a page.

    Parameters
    ----------
    request : PriceRequest
    result : PriceResult
        With premiums; with Greeks, American options at constant rates have a boundary.
    path : str or Path
    """
    premiums = result.early_exercise_premiums or ()
    curves = [
        (f"{years:g} years", request.strikes, row)
        for years, row in zip(request.maturities, premiums, strict=True)
    ]
    rows = [
        (f"{years:g}", f"{strike:g}", f"{price:.6g}", "" if premium is None else f"{premium:.4g}")
        for years, prices, row in zip(request.maturities, result.prices, premiums, strict=True)
        for strike, price, premium in zip(request.strikes, prices, row, strict=True)
    ]
    found = result.exercise_boundary
    boundary = "<p>The exercise boundary is drawn for American options only.</p>"
    if found is not None:
        curve = (request.option_type, found.time_to_go, found.spot_over_strike)
        boundary = html_figure(boundary_figure([curve]))
    heading = f"{result.model_type} {request.exercise.capitalize()} {request.option_type}s"
    figure = lines(curves, "strike", "premium, currency")
    write_page(
        "early_exercise.html",
        path,
        {
            "title": escape(heading),
            "heading": escape(heading),
            "notes": html_notes(result.warnings),
            "premiums": html_figure(figure, with_library=True),
            "boundary": boundary,
            "prices": html_table(
                ("maturity", "strike", "price", "premium"), rows, numbers=range(4)
            ),
        },
    )


def fitted_section(fitted: FittedSurface) -> str:
    """Return the section of a fit to American quotes; empty for European ones."""
    american = fitted.quotes.american
    if american is None:
        return ""
    premiums = html_figure(premiums_by_expiry(fitted.quotes.surface, american))
    model = next(iter(fitted.by_maturity.values()))
    boundary = html_figure(boundary_figure(boundaries(fitted.quotes.surface, model)))
    return (
        "<section><h2>Early-exercise premium</h2>"
        '<p class="soft">Subtracted from each quote, in vol points by which it would be '
        f"overstated as European; {american.n_fits} fits.</p>{premiums}</section>"
        "<section><h2>Exercise boundary</h2>"
        '<p class="soft">Of the fitted model, at the rate and dividend yield of the last expiry: '
        "puts are exercised below it, calls above.</p>"
        f"{boundary}</section>"
    )


def premiums_by_expiry(surface: Surface, american: AmericanFit[Any]) -> go.Figure:
    """Return the premium of each quote, in vol points, against ln(K/F)."""
    log_strike, vols = -surface.quotes.contracts.log_moneyness, 100.0 * american.premium_vol
    curves: list[Curve] = []
    for series in np.unique(surface.series):
        rows = np.flatnonzero((surface.series == series) & np.isfinite(vols))
        rows = rows[np.argsort(log_strike[rows], kind="stable")]
        label = expiry_label(surface, int(series))
        curves.append((label, log_strike[rows].tolist(), vols[rows].tolist()))
    return lines(curves, "ln(K/F)", "premium, vol points")


def boundaries(surface: Surface, model: Model) -> list[Curve]:
    """Return the exercise boundaries of puts and calls until the last expiry."""
    assert surface.spot is not None, "American quotes have a spot"
    last = max(surface.forwards, key=lambda f: f.maturity_years)
    curves: list[Curve] = []
    for side in _COLORS:
        contract = Contracts.of(
            maturity_years=last.maturity_years,
            strike=last.forward,
            forward=last.forward,
            discount=last.discount,
            is_call=side == "call",
        )
        terms = Terms(exercise="american")
        result = early_exercise(model, contract, terms, surface.spot, _BOUNDARY_TOLERANCE)
        if np.isfinite(result.boundary).any():
            curves.append((side, result.boundary_years.tolist(), result.boundary.tolist()))
    return curves


def boundary_figure(curves: Sequence[Curve]) -> go.Figure:
    """Return exercise boundaries against the time to maturity."""
    return lines(curves, "time to maturity, years", "spot / strike", _COLORS, markers=False)


def lines(
    curves: Sequence[Curve],
    x_title: str,
    y_title: str,
    colors: Mapping[str, str] | None = None,
    *,
    markers: bool = True,
) -> go.Figure:
    """Return curves, from light to dark unless colours are given by name."""
    shades = sample_colorscale("Blues", np.linspace(0.4, 1.0, max(len(curves), 1)).tolist())
    figure = go.Figure()
    for (name, x, y), shade in zip(curves, shades, strict=False):
        figure.add_trace(
            go.Scatter(
                x=list(x),
                y=list(y),
                name=name,
                mode="lines+markers" if markers else "lines",
                line={"color": (colors or {}).get(name, shade), "width": 2},
                marker={"size": 5},
                hovertemplate=f"{name}<br>%{{x:.4g}}: %{{y:.4g}}<extra></extra>",
            )
        )
    figure.update_xaxes(title_text=x_title, gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title_text=y_title, gridcolor=GRID, zeroline=False)
    figure.update_layout(**layout(340, top=16))
    figure.update_layout(showlegend=True)
    return figure

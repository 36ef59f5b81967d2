"""The plots of a fit: smiles by expiry, and a map of where the model is wrong."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from levy_cli.fitting import FittedSurface
from levy_numerics import pricing
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.surface import Surface
from levy_surfaces.maturities import DAYS_PER_YEAR
from levy_surfaces.summary import series_name, vols_of

MARKET: Final = "#33506b"
SPREAD: Final = "rgba(51, 80, 107, 0.35)"
MODEL: Final = "#c2410c"
GRID: Final = "#e8ecf1"
FONT: Final = dict(  # noqa: C408 - a layout reads better as keywords
    family='system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
    size=12,
    color="#1d2530",
)
_COLUMNS: Final = 3
_ROW_HEIGHT: Final = 250
_CURVE_POINTS: Final = 81
_MAX_CELLS: Final = 28


@dataclass(frozen=True)
class Smile:
    """Quotes of one expiry, and strikes to draw a model at."""

    label: str
    years: float
    forward: float
    strike: np.ndarray
    vol: np.ndarray
    below: np.ndarray | None
    above: np.ndarray | None
    fine: Contracts

    def vols_of(self, model: Model) -> np.ndarray:
        """Return the implied volatilities of a model at the fine strikes."""
        prices = pricing.price(model, self.fine)
        return vols_of(prices.value, self.fine, prices.error)


def smiles(fitted: FittedSurface) -> go.Figure:
    """Small multiples, one an expiry, with buttons for the horizontal axis."""
    surface = fitted.quotes.surface
    drawn = smiles_of(surface, fitted.market_vols)
    figure, places = small_multiples([smile.label for smile in drawn])
    for smile, place in zip(drawn, places, strict=True):
        figure.add_trace(_curve(smile, smile.vols_of(fitted.by_maturity[smile.years])), **place)
        figure.add_trace(points(smile), **place)
    strikes = [x for smile in drawn for x in (smile.fine.strike, smile.strike)]
    forwards = [smile.forward for smile in drawn for _ in range(2)]
    figure.update_layout(updatemenus=[axis_buttons(strikes, forwards)])
    return figure


def smiles_of(surface: Surface, market_vols: np.ndarray) -> list[Smile]:
    """Quotes of each expiry, to be drawn."""
    return [_smile(surface, market_vols, int(series)) for series in np.unique(surface.series)]


def small_multiples(titles: list[str]) -> tuple[go.Figure, list[dict[str, int]]]:
    """An empty figure of several plots, and the place of each."""
    columns = min(_COLUMNS, len(titles))
    rows = -(-len(titles) // columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=titles,
        horizontal_spacing=0.06,
        vertical_spacing=0.28 / rows if rows > 1 else 0.0,
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, title_standoff=4)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, tickformat=".0%")
    figure.update_annotations(font_size=13)
    figure.update_layout(**layout(_ROW_HEIGHT * rows + 110, top=84))
    places = [{"row": i // columns + 1, "col": i % columns + 1} for i in range(len(titles))]
    return figure, places


def heat_map(fitted: FittedSurface) -> go.Figure:
    """Mean residual in vol points by expiry and ln(K/F)."""
    surface = fitted.quotes.surface
    log_strike = -surface.quotes.contracts.log_moneyness
    error = 100.0 * (fitted.model_vols - fitted.market_vols)
    known = np.isfinite(error)
    edges = _edges(log_strike[known])
    cell = np.clip(np.searchsorted(edges, log_strike, side="right") - 1, 0, edges.size - 2)
    numbers = np.unique(surface.series)
    totals = np.zeros((numbers.size, edges.size - 1))
    counts = np.zeros_like(totals)
    row = np.searchsorted(numbers, surface.series)
    np.add.at(totals, (row[known], cell[known]), error[known])
    np.add.at(counts, (row[known], cell[known]), 1.0)
    mean = np.divide(totals, counts, out=np.full_like(totals, np.nan), where=counts > 0)
    # A few wings far off must not bleach the rest.
    limit = float(np.nanpercentile(np.abs(mean), 95)) if known.any() else 1.0
    middles = (edges[1:] + edges[:-1]) / 2.0
    figure = go.Figure(
        go.Heatmap(
            z=mean,
            x=middles,
            y=[_label(surface, int(series)) for series in numbers],
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


def _smile(surface: Surface, market_vols: np.ndarray, series: int) -> Smile:
    mine = np.flatnonzero(surface.series == series)
    quotes = surface.quotes.select(mine)
    c = quotes.contracts
    forward, market = float(c.forward[0]), market_vols[mine]
    strikes = np.geomspace(c.strike.min(), c.strike.max(), _CURVE_POINTS)
    fine = Contracts.of(
        maturity_years=c.maturity_years[0],
        strike=strikes,
        forward=forward,
        discount=c.discount[0],
        is_call=strikes >= forward,
    )
    below = above = None
    if quotes.bid is not None and quotes.ask is not None:
        # A bid below intrinsic value has no volatility: its bar reaches down to nothing.
        below = market - np.nan_to_num(vols_of(quotes.bid, c))
        above = np.nan_to_num(vols_of(quotes.ask, c) - market)
    return Smile(
        label=_label(surface, series),
        years=float(c.maturity_years[0]),
        forward=forward,
        strike=c.strike,
        vol=market,
        below=below,
        above=above,
        fine=fine,
    )


def _label(surface: Surface, series: int) -> str:
    first = int(np.argmax(surface.series == series))
    years = float(surface.quotes.contracts.maturity_years[first])
    name = series_name(str(surface.expiry[first]), str(surface.root[first]))
    return f"{name} ({_duration(years)})" if name else _duration(years)


def _duration(years: float) -> str:
    """Return hours up to two days, then days, then years."""
    days = DAYS_PER_YEAR * years
    if days < 2:
        return f"{24 * days:.3g} h"
    return f"{round(days)} d" if years < 1 else f"{years:.2f} y"


def points(smile: Smile) -> go.Scatter:
    """The quotes, with bars from bid to ask."""
    bars: dict[str, Any] = {}
    if smile.below is not None:
        bars["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": smile.above,
            "arrayminus": smile.below,
            "color": SPREAD,
            "thickness": 1.2,
            "width": 0,
        }
    return go.Scatter(
        x=np.log(smile.strike / smile.forward),
        y=smile.vol,
        customdata=smile.strike,
        mode="markers",
        marker={"size": 4.5, "color": MARKET},
        hovertemplate="K = %{customdata:g}<br>market %{y:.2%}<extra></extra>",
        showlegend=False,
        **bars,
    )


def _curve(smile: Smile, vol: np.ndarray) -> go.Scatter:
    return go.Scatter(
        x=np.log(smile.fine.strike / smile.forward),
        y=vol,
        customdata=smile.fine.strike,
        mode="lines",
        line={"color": MODEL, "width": 2},
        hovertemplate="K = %{customdata:g}<br>model %{y:.2%}<extra></extra>",
    )


def axis_buttons(strikes: list[np.ndarray], forwards: list[float]) -> dict[str, Any]:
    """Buttons that draw traces, in their order, against ln(K/F) or the strike."""
    logs = [np.log(x / forward) for x, forward in zip(strikes, forwards, strict=True)]
    return {
        "type": "buttons",
        "direction": "right",
        "buttons": [
            {"label": label, "method": "restyle", "args": [{"x": [x.tolist() for x in xs]}]}
            for label, xs in (("ln(K/F)", logs), ("strike", strikes))
        ],
        "x": 0.0,
        "xanchor": "left",
        "y": 1.0,
        "yanchor": "bottom",
        "pad": {"b": 36},
        "showactive": True,
        "font": {"size": 12},
    }


def _edges(log_strike: np.ndarray) -> np.ndarray:
    """Equal cells over all but the outermost quotes, which fall into the cells at the ends."""
    if log_strike.size == 0:
        return np.array([-1.0, 1.0])
    low, high = np.percentile(log_strike, [1.0, 99.0])
    cells = int(np.clip(np.sqrt(log_strike.size) * 1.5, 6, _MAX_CELLS))
    width = max(float(high - low), 1e-6)
    return np.asarray(np.linspace(low, low + width, cells + 1))


def layout(height: float, *, top: int) -> dict[str, Any]:
    """Return what all figures have in common."""
    return {
        "height": height,
        "showlegend": False,
        "margin": {"l": 50, "r": 16, "t": top, "b": 44},
        "font": FONT,
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "hoverlabel": {"bgcolor": "white"},
    }

"""Elements that the figures of several reports share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

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
_TENORS: Final = (
    *((1 / DAYS_PER_YEAR, "1D"), (7 / DAYS_PER_YEAR, "1W"), (1 / 12, "1M"), (0.25, "3M")),
    *((0.5, "6M"), (1.0, "1Y"), (2.0, "2Y"), (5.0, "5Y"), (10.0, "10Y"), (30.0, "30Y")),
)


@dataclass(frozen=True)
class Smile:
    """Quotes of one expiry, and the strikes at which a model is drawn."""

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


def smiles_of(surface: Surface, market_vols: np.ndarray) -> list[Smile]:
    """Return the smile of each expiry."""
    return [_smile(surface, market_vols, int(series)) for series in np.unique(surface.series)]


def maturity_axis(years: Sequence[float]) -> dict[str, Any]:
    """Return a logarithmic axis of maturities, in years, whose ticks are usual tenors."""
    low, high = min(years), max(years)
    ticks = [(value, label) for value, label in _TENORS if low <= value <= high]
    if len(ticks) < 2:
        ticks = [(value, f"{DAYS_PER_YEAR * value:.0f} days") for value in sorted({low, high})]
    return {
        "type": "log",
        "title_text": "maturity",
        "tickvals": [value for value, _ in ticks],
        "ticktext": [label for _, label in ticks],
        "gridcolor": GRID,
        "zeroline": False,
    }


def small_multiples(titles: list[str]) -> tuple[go.Figure, list[dict[str, int]]]:
    """Return an empty figure with a plot for each title, and the position of each plot."""
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
    positions = [{"row": i // columns + 1, "col": i % columns + 1} for i in range(len(titles))]
    return figure, positions


def _smile(surface: Surface, market_vols: np.ndarray, series: int) -> Smile:
    rows = np.flatnonzero(surface.series == series)
    quotes = surface.quotes.select(rows)
    c = quotes.contracts
    forward, market = float(c.forward[0]), market_vols[rows]
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
        # A bid below intrinsic value has no volatility; its bar extends to zero.
        below = market - np.nan_to_num(vols_of(quotes.bid, c))
        above = np.nan_to_num(vols_of(quotes.ask, c) - market)
    return Smile(
        label=expiry_label(surface, series),
        years=float(c.maturity_years[0]),
        forward=forward,
        strike=c.strike,
        vol=market,
        below=below,
        above=above,
        fine=fine,
    )


def expiry_label(surface: Surface, series: int) -> str:
    """Return the expiry and its time to maturity."""
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
    """Return the quotes, with bars from bid to ask."""
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


def axis_buttons(strikes: list[np.ndarray], forwards: list[float]) -> dict[str, Any]:
    """Return buttons that switch the x-axis of all traces between ln(K/F) and the strike."""
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


def layout(height: float, *, top: int) -> dict[str, Any]:
    """Return the common layout of all figures."""
    return {
        "height": height,
        "showlegend": False,
        "margin": {"l": 50, "r": 16, "t": top, "b": 44},
        "font": FONT,
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "hoverlabel": {"bgcolor": "white"},
    }

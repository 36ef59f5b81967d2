"""The plots of a posterior: marginals, chains, ranks, pairs, and what it expects of quotes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

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
from levy_numerics.distributions import Distribution
from levy_numerics.surface import Surface
from levy_schemas.jobs import PredictiveInterval
from levy_surfaces.summary import market_vols, vols_of

CHAINS: Final = ("#33506b", "#c2410c", "#0f766e", "#7c3aed", "#b45309", "#be185d", "#1d4ed8")
_BAND: Final = "rgba(194, 65, 12, 0.18)"
_PRIOR: Final = "#64748b"
_ROW_HEIGHT: Final = 190
_BINS: Final = 50
_RANK_BINS: Final = 20
_TRACED: Final = 500
_PAIRED: Final = 1000
_OF_THE_DRAWS: Final = (0.001, 0.999)

Draws = Mapping[str, np.ndarray]
"""Of each parameter, shape (n_chains, n_samples)."""


def marginals(draws: Draws, priors: Mapping[str, Distribution]) -> go.Figure:
    """A row a parameter: the density of each chain before its prior, and the chains themselves.

    Parameters
    ----------
    draws : mapping of str to ndarray, shape (n_chains, n_samples)
    priors : mapping of str to Distribution
        Those without one, as the noise, are drawn without.
    """
    figure = _rows(draws, columns=2, widths=[0.42, 0.58])
    for row, (name, chains) in enumerate(draws.items(), start=1):
        low, high = np.quantile(chains, _OF_THE_DRAWS)
        edges = np.linspace(low, max(high, np.nextafter(low, np.inf)), _BINS + 1)
        if name in priors:
            figure.add_trace(_prior(priors[name], edges), row=row, col=1)
        for trace, path in zip(_densities(chains, edges), _traces(chains), strict=True):
            figure.add_trace(trace, row=row, col=1)
            figure.add_trace(path, row=row, col=2)
        figure.update_yaxes(showticklabels=False, row=row, col=1)
    return figure


def ranks(draws: Draws) -> go.Figure:
    """How the draws of each chain rank among all: level where the chains agree.

    Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Rank-normalization, folding, and
    localization: an improved R-hat, Bayesian Analysis 16(2), section 3.
    """
    figure = _rows(draws, columns=1)
    for row, chains in enumerate(draws.values(), start=1):
        ranked = chains.ravel().argsort().argsort().reshape(chains.shape)
        edges = np.linspace(0, chains.size, _RANK_BINS + 1)
        for color, chain in zip(_colors(len(chains)), ranked, strict=True):
            counts, _ = np.histogram(chain, edges)
            share = counts * _RANK_BINS / chains.shape[1]
            figure.add_trace(_steps(edges / chains.size, share, color), row=row, col=1)
        figure.add_hline(y=1.0, line={"color": _PRIOR, "dash": "dot", "width": 1}, row=row, col=1)
        figure.update_yaxes(rangemode="tozero", row=row, col=1)
    return figure


def pairs(draws: Draws) -> go.Figure:
    """Every parameter against every other, by some of the draws of all chains."""
    flat = {name: chains.ravel() for name, chains in draws.items()}
    size = len(next(iter(flat.values())))
    some = np.linspace(0, size - 1, min(size, _PAIRED)).astype(int)
    figure = go.Figure(
        go.Splom(
            dimensions=[{"label": name, "values": x[some]} for name, x in flat.items()],
            showupperhalf=False,
            diagonal={"visible": False},
            marker={"size": 3, "color": MARKET, "opacity": 0.45},
            hovertemplate="%{xaxis.title.text} %{x:.5g}<br>%{yaxis.title.text} %{y:.5g}"
            "<extra></extra>",
        )
    )
    for k in range(1, len(flat) + 1):
        suffix = "" if k == 1 else str(k)
        figure.update_layout(
            {f"{axis}axis{suffix}": {"gridcolor": GRID, "zeroline": False} for axis in "xy"}
        )
    figure.update_layout(**layout(160 * len(flat) + 80, top=20))
    return figure


def predicted_smiles(surface: Surface, predicted: Sequence[PredictiveInterval]) -> go.Figure:
    """Implied volatilities of the quotes, expiry by expiry, on the band of 95%.

    Parameters
    ----------
    surface : Surface
    predicted : sequence of PredictiveInterval
        One for each of its quotes, in their order.
    """
    c = surface.quotes.contracts
    low, high = (vols_of(np.array([one.interval[end] for one in predicted]), c) for end in range(2))
    mean = vols_of(np.array([one.mean for one in predicted]), c)
    drawn = smiles_of(surface, market_vols(surface))
    figure, places = small_multiples([smile.label for smile in drawn])
    across: list[np.ndarray] = []
    forwards: list[float] = []
    for smile, place, number in zip(drawn, places, np.unique(surface.series), strict=True):
        mine = np.flatnonzero(surface.series == number)
        mine = mine[np.argsort(c.strike[mine])]
        log_strike = np.log(c.strike[mine] / smile.forward)
        for trace in _band(log_strike, np.nan_to_num(low[mine]), high[mine], mean[mine]):
            figure.add_trace(trace, **place)
            across.append(c.strike[mine])
        figure.add_trace(points(smile), **place)
        across.append(smile.strike)
        forwards += [smile.forward] * 4
    figure.update_layout(updatemenus=[axis_buttons(across, forwards)])
    return figure


def share_inside(surface: Surface, predicted: Sequence[PredictiveInterval]) -> float:
    """Share of the quotes that lie in their intervals."""
    low, high = np.array([one.interval for one in predicted]).T
    price = surface.quotes.price
    return float(np.mean((low <= price) & (price <= high)))


def _band(
    x: np.ndarray, low: np.ndarray, high: np.ndarray, mean: np.ndarray
) -> Iterator[go.Scatter]:
    yield go.Scatter(x=x, y=low, mode="lines", line={"width": 0}, hoverinfo="skip")
    yield go.Scatter(
        x=x,
        y=high,
        mode="lines",
        line={"width": 0},
        fill="tonexty",
        fillcolor=_BAND,
        hoverinfo="skip",
    )
    yield go.Scatter(
        x=x,
        y=mean,
        mode="lines",
        line={"color": MODEL, "width": 2},
        hovertemplate="expected %{y:.2%}<extra></extra>",
    )


def _rows(draws: Draws, columns: int, widths: list[float] | None = None) -> go.Figure:
    """An empty figure with a row for each parameter."""
    n = len(draws)
    figure = make_subplots(
        rows=n,
        cols=columns,
        column_widths=widths,
        horizontal_spacing=0.06,
        vertical_spacing=0.3 / n,
        subplot_titles=[name if k == 0 else "" for name in draws for k in range(columns)],
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False)
    figure.update_yaxes(gridcolor=GRID, zeroline=False)
    figure.update_annotations(font_size=13)
    figure.update_layout(**layout(_ROW_HEIGHT * n + 60, top=40))
    return figure


def _densities(chains: np.ndarray, edges: np.ndarray) -> Iterator[go.Scatter]:
    for color, chain in zip(_colors(len(chains)), chains, strict=True):
        density, _ = np.histogram(chain, edges, density=True)
        yield _steps(edges, density, color)


def _steps(edges: np.ndarray, height: np.ndarray, color: str) -> go.Scatter:
    """A histogram's outline."""
    return go.Scatter(
        x=edges,
        y=np.append(height, height[-1]),
        mode="lines",
        line={"shape": "hv", "color": color, "width": 1.4},
        hovertemplate="%{x:.5g}<extra></extra>",
    )


def _prior(prior: Distribution, edges: np.ndarray) -> go.Scatter:
    x = np.linspace(edges[0], edges[-1], 4 * _BINS)
    with np.errstate(all="ignore"):
        density = np.exp(np.asarray(prior.log_density(x), dtype=float))
    return go.Scatter(
        x=x,
        y=np.nan_to_num(density),
        mode="lines",
        line={"color": _PRIOR, "dash": "dot", "width": 1.4},
        hovertemplate="prior<extra></extra>",
    )


def _traces(chains: np.ndarray) -> Iterator[go.Scatter]:
    n = chains.shape[1]
    kept = np.linspace(0, n - 1, min(n, _TRACED)).astype(int)
    for color, chain in zip(_colors(len(chains)), chains, strict=True):
        yield go.Scatter(
            x=kept,
            y=chain[kept],
            mode="lines",
            line={"color": color, "width": 0.8},
            opacity=0.8,
            hovertemplate="draw %{x}<br>%{y:.5g}<extra></extra>",
        )


def _colors(n: int) -> list[Any]:
    return [CHAINS[k % len(CHAINS)] for k in range(n)]

"""The report that `levy bayes --plot` writes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
import xarray
from plotly.subplots import make_subplots

from levy_cli.cleaned import CleanedQuotes
from levy_cli.output import (
    POSTERIOR_COLUMNS,
    PREDICTED_COLUMNS,
    option_name,
    posterior_cells,
    predicted_cells,
    sentence,
)
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
from levy_numerics.distributions import Distribution
from levy_numerics.surface import Surface
from levy_schemas.jobs import BayesianResult, PredictiveInterval
from levy_surfaces.summary import market_vols, vols_of

CHAINS: Final = ("#33506b", "#c2410c", "#0f766e", "#7c3aed", "#b45309", "#be185d", "#1d4ed8")
_BAND: Final = "rgba(194, 65, 12, 0.18)"
_PRIOR: Final = "#64748b"
_ROW_HEIGHT: Final = 190
_BINS: Final = 50
_RANK_BINS: Final = 20
_MAX_TRACE_POINTS: Final = 500
_MAX_PAIR_POINTS: Final = 1000
_DRAWN_QUANTILES: Final = (0.001, 0.999)
Draws = Mapping[str, np.ndarray]
"""Draws of each parameter, shape (n_chains, n_samples)."""


@dataclass(frozen=True)
class SampledSurface:
    """Cleaned quotes, the summary of their posterior, and its draws.

    Attributes
    ----------
    quotes : CleanedQuotes
    result : BayesianResult
    draws : bytes
        InferenceData as netCDF.
    priors : mapping of str to Distribution
        Prior of each parameter.
    """

    quotes: CleanedQuotes
    result: BayesianResult
    draws: bytes
    priors: Mapping[str, Distribution]

    def chains(self) -> dict[str, np.ndarray]:
        """Return the draws of each parameter, shape (n_chains, n_samples)."""
        with xarray.open_dataset(
            BytesIO(self.draws), group="posterior", engine="h5netcdf"
        ) as posterior:
            return {name: posterior[name].to_numpy() for name in self.result.parameters}


def write_posterior_report(sampled: SampledSurface, path: str | Path) -> None:
    """Write smiles, marginals, traces, ranks and pairs as one self-contained page."""
    result, quotes, chains = sampled.result, sampled.quotes, sampled.chains()
    heading = f"Posterior of {result.model_type} on {quotes.name or 'quotes'}"
    parts = {
        "title": escape(heading),
        "heading": escape(heading),
        "status": "converged" if result.converged else "not converged",
        "status_class": "" if result.converged else "warn",
        "subtitle": escape(
            f"{result.engine}, likelihood {result.likelihood}, {result.seconds:.1f} s. "
            f"{sentence(result.reason)}."
        ),
        "figures": html_numbers(_numbers(sampled, chains)),
        "notes": html_notes(result.warnings),
        "smiles": html_figure(
            predicted_smiles(quotes.surface, result.predictive), with_library=True
        ),
        "parameters": _parameters(result),
        "predicted": _predicted(result),
        "correlations": _correlations(result),
        "marginals": html_figure(marginals(chains, sampled.priors)),
        "ranks": _ranks(result, chains),
        "pairs": html_figure(pairs(chains)),
        "kept": f"{quotes.surface.size} of {quotes.surface.n_read} quotes were used.",
        "dropped": dropped_table(quotes),
        "expiries": expiries_table(quotes),
    }
    write_page("posterior.html", path, parts)


def _numbers(sampled: SampledSurface, chains: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    result = sampled.result
    inside = fraction_inside(sampled.quotes.surface, result.predictive)
    n_chains, n_samples = next(iter(chains.values())).shape
    numbers = [
        (f"{len(result.predictive):,}", "quotes"),
        (f"{n_chains} × {n_samples:,}", "draws"),
        (f"{inside:.0%}", "of quotes within their 95% intervals"),
    ]
    misfit = result.misfit
    if misfit is not None and misfit.rmse_vol_points is not None:
        numbers.append((f"{misfit.rmse_vol_points:.2f}", "volatility points of error (RMSE)"))
    if misfit is not None and misfit.within_spread is not None:
        numbers.append((f"{misfit.within_spread:.0%}", "of quotes fitted within the spread"))
    parameters = result.parameters.values()
    effective = [p.ess_bulk for p in parameters if p.ess_bulk is not None]
    r_hats = [p.r_hat for p in parameters if p.r_hat is not None]
    if effective:
        numbers.append((f"{min(effective):,.0f}", "smallest bulk ESS"))
        numbers.append((f"{result.divergences}", "divergences"))
    if r_hats:
        numbers.append((f"{max(r_hats):.3f}", "largest R-hat"))
    if result.pareto_k is not None:
        numbers.append((f"{result.pareto_k:.2f}", "Pareto k"))
    return numbers


def _parameters(result: BayesianResult) -> str:
    head = ("parameter", *POSTERIOR_COLUMNS)
    rows = [(name, *posterior_cells(parameter)) for name, parameter in result.parameters.items()]
    return html_table(head, rows, numbers=(1, 2, 3, 5, 6, 7))


def _predicted(result: BayesianResult) -> str:
    """Return the section of predicted options, empty if none were requested."""
    if not result.predicted:
        return ""
    head = ("option", *PREDICTED_COLUMNS)
    rows = [(option_name(option), *predicted_cells(option)) for option in result.predicted]
    return (
        '<section><h2>Predictions</h2><p class="soft">Posterior predictive distribution of other '
        "options: of the model price, and of a quote, whose error is included.</p>"
        f'<div class="scroll">{html_table(head, rows, numbers=(1, 2, 5))}</div></section>'
    )


def _correlations(result: BayesianResult) -> str:
    names = tuple(result.correlations)
    rows = [
        (name, *(f"{result.correlations[name][other]:+.2f}" for other in names)) for name in names
    ]
    return html_table(("correlation", *names), rows, numbers=range(1, len(names) + 1))


def _ranks(result: BayesianResult, chains: dict[str, np.ndarray]) -> str:
    """Return the section of rank plots, empty for independent draws and for a single chain."""
    if all(p.r_hat is None for p in result.parameters.values()):
        return ""
    return (
        '<section><h2>Ranks</h2><p class="soft">Rank histograms of the draws of each chain among '
        "those of all chains; uniform histograms (lines near 1) indicate convergence.</p>"
        f"{html_figure(ranks(chains))}</section>"
    )


def marginals(draws: Draws, priors: Mapping[str, Distribution]) -> go.Figure:
    """Return densities with priors (left) and traces (right) of each parameter.

    Parameters
    ----------
    draws : mapping of str to ndarray, shape (n_chains, n_samples)
    priors : mapping of str to Distribution
        Priors; a parameter without one, such as the noise, is drawn without.
    """
    figure = _rows(draws, columns=2, widths=[0.42, 0.58])
    for row, (name, chains) in enumerate(draws.items(), start=1):
        low, high = np.quantile(chains, _DRAWN_QUANTILES)
        edges = np.linspace(low, max(high, np.nextafter(low, np.inf)), _BINS + 1)
        if name in priors:
            figure.add_trace(_prior(priors[name], edges), row=row, col=1)
        for trace, path in zip(_densities(chains, edges), _traces(chains), strict=True):
            figure.add_trace(trace, row=row, col=1)
            figure.add_trace(path, row=row, col=2)
        figure.update_yaxes(showticklabels=False, row=row, col=1)
    return figure


def ranks(draws: Draws) -> go.Figure:
    """Return rank histograms of each chain, which are uniform if the chains agree.

    Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Rank-normalization, folding, and
    localization: an improved R-hat, Bayesian Analysis 16(2), section 3.
    """
    figure = _rows(draws, columns=1)
    for row, chains in enumerate(draws.values(), start=1):
        ranked = chains.ravel().argsort().argsort().reshape(chains.shape)
        edges = np.linspace(0, chains.size, _RANK_BINS + 1)
        for color, chain in zip(_colors(len(chains)), ranked, strict=True):
            counts, _ = np.histogram(chain, edges)
            density = counts * _RANK_BINS / chains.shape[1]
            figure.add_trace(_steps(edges / chains.size, density, color), row=row, col=1)
        figure.add_hline(y=1.0, line={"color": _PRIOR, "dash": "dot", "width": 1}, row=row, col=1)
        figure.update_yaxes(rangemode="tozero", row=row, col=1)
    return figure


def pairs(draws: Draws) -> go.Figure:
    """Return scatter plots of all pairs of parameters, for a subset of the draws."""
    flat = {name: chains.ravel() for name, chains in draws.items()}
    size = len(next(iter(flat.values())))
    chosen = np.linspace(0, size - 1, min(size, _MAX_PAIR_POINTS)).astype(int)
    figure = go.Figure(
        go.Splom(
            dimensions=[{"label": name, "values": x[chosen]} for name, x in flat.items()],
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
    """Return the quotes of each expiry with their 95% posterior predictive band.

    Parameters
    ----------
    surface : Surface
    predicted : sequence of PredictiveInterval
        One for each quote, in the same order.
    """
    c = surface.quotes.contracts
    low, high = (
        vols_of(np.array([quote.interval[end] for quote in predicted]), c) for end in range(2)
    )
    mean = vols_of(np.array([quote.mean for quote in predicted]), c)
    curves = smiles_of(surface, market_vols(surface))
    figure, positions = small_multiples([smile.label for smile in curves])
    strikes: list[np.ndarray] = []
    forwards: list[float] = []
    for smile, position, number in zip(curves, positions, np.unique(surface.series), strict=True):
        rows = np.flatnonzero(surface.series == number)
        rows = rows[np.argsort(c.strike[rows])]
        log_strike = np.log(c.strike[rows] / smile.forward)
        for trace in _band(log_strike, np.nan_to_num(low[rows]), high[rows], mean[rows]):
            figure.add_trace(trace, **position)
            strikes.append(c.strike[rows])
        figure.add_trace(points(smile), **position)
        strikes.append(smile.strike)
        forwards += [smile.forward] * 4
    figure.update_layout(updatemenus=[axis_buttons(strikes, forwards)])
    return figure


def fraction_inside(surface: Surface, predicted: Sequence[PredictiveInterval]) -> float:
    """Return the fraction of the quotes that are within their intervals."""
    low, high = np.array([quote.interval for quote in predicted]).T
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
    """Return an empty figure with a row for each parameter."""
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
    """Return the outline of a histogram."""
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
    kept = np.linspace(0, n - 1, min(n, _MAX_TRACE_POINTS)).astype(int)
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

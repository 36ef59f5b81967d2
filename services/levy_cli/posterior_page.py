"""The page that `levy bayes --plot` writes: one file that opens without a network."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
import xarray

from levy_cli.cleaned import CleanedQuotes
from levy_cli.fit_page import dropped_table, expiries_table
from levy_cli.output import sentence
from levy_cli.page import html_figure, html_notes, html_numbers, html_table, write_page
from levy_cli.posterior_figures import marginals, pairs, predicted_smiles, ranks, share_inside
from levy_cli.posterior_rows import (
    POSTERIOR_COLUMNS,
    PREDICTED_COLUMNS,
    option_name,
    posterior_cells,
    predicted_cells,
)
from levy_numerics.distributions import Distribution
from levy_schemas.jobs import BayesianResult


@dataclass(frozen=True)
class SampledSurface:
    """Cleaned quotes, their posterior as it would go over the wire, and its draws.

    Attributes
    ----------
    quotes : CleanedQuotes
    result : BayesianResult
    draws : bytes
        As netCDF.
    priors : mapping of str to Distribution
        By parameter.
    """

    quotes: CleanedQuotes
    result: BayesianResult
    draws: bytes
    priors: Mapping[str, Distribution]

    def chains(self) -> dict[str, np.ndarray]:
        """Draws of each parameter, shape (n_chains, n_samples)."""
        held = BytesIO(self.draws)
        with xarray.open_dataset(held, group="posterior", engine="h5netcdf") as posterior:
            return {name: posterior[name].to_numpy() for name in self.result.parameters}


def write_posterior_page(sampled: SampledSurface, path: str | Path) -> None:
    """Write bands, marginals, chains, ranks and pairs as one self-contained page."""
    result, quotes, chains = sampled.result, sampled.quotes, sampled.chains()
    heading = f"Posterior of {result.model_type} on {quotes.name or 'quotes'}"
    parts = {
        "title": escape(heading),
        "heading": escape(heading),
        "status": "converged" if result.converged else "not converged",
        "status_class": "" if result.converged else "warn",
        "subtitle": escape(f"{result.engine}, {result.seconds:.1f} s. {sentence(result.reason)}."),
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
    inside = share_inside(sampled.quotes.surface, result.predictive)
    n_chains, n_samples = next(iter(chains.values())).shape
    shown = [
        (f"{len(result.predictive):,}", "quotes"),
        (f"{n_chains} × {n_samples:,}", "draws"),
        (f"{inside:.0%}", "of quotes in their 95% intervals"),
    ]
    told = result.parameters.values()
    effective = [one.ess_bulk for one in told if one.ess_bulk is not None]
    r_hats = [one.r_hat for one in told if one.r_hat is not None]
    if effective:
        shown.append((f"{min(effective):,.0f}", "least bulk ESS"))
        shown.append((f"{result.divergences}", "divergences"))
    if r_hats:
        shown.append((f"{max(r_hats):.3f}", "largest R-hat"))
    if result.pareto_k is not None:
        shown.append((f"{result.pareto_k:.2f}", "Pareto k"))
    return shown


def _parameters(result: BayesianResult) -> str:
    head = ("parameter", *POSTERIOR_COLUMNS)
    rows = [(name, *posterior_cells(one)) for name, one in result.parameters.items()]
    return html_table(head, rows, numbers=(1, 2, 3, 5, 6, 7))


def _predicted(result: BayesianResult) -> str:
    """What was asked to be predicted; nothing where nothing was."""
    if not result.predicted:
        return ""
    head = ("option", *PREDICTED_COLUMNS)
    rows = [(option_name(one), *predicted_cells(one)) for one in result.predicted]
    return (
        '<section><h2>Other options</h2><p class="soft">What the posterior expects of options that '
        "were asked for: of the model's price, and of a quote, its own error included.</p>"
        f'<div class="scroll">{html_table(head, rows, numbers=(1, 2, 5))}</div></section>'
    )


def _correlations(result: BayesianResult) -> str:
    names = tuple(result.correlations)
    rows = [
        (name, *(f"{result.correlations[name][other]:+.2f}" for other in names)) for name in names
    ]
    return html_table(("correlation", *names), rows, numbers=range(1, len(names) + 1))


def _ranks(result: BayesianResult, chains: dict[str, np.ndarray]) -> str:
    """Ranks say nothing of draws that are independent by construction, or of a single chain."""
    told = any(one.r_hat is not None for one in result.parameters.values())
    if not told:
        return ""
    return (
        '<section><h2>Ranks</h2><p class="soft">Where the draws of each chain rank among those of '
        "all chains: level lines about 1 are chains that agree.</p>"
        f"{html_figure(ranks(chains))}</section>"
    )

"""`levy compare`."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from levy_cli.cleaned import CleanedQuotes
from levy_cli.comparing import ComparedModels, compare_models, models_named
from levy_cli.output import console, print_json, refuse_unwritable, show_warnings, table, vol_points
from levy_cli.progress import progress
from levy_schemas.comparison import ComparedModel
from levy_surfaces.printable import printable

if TYPE_CHECKING:
    from rich.console import Console


def run(options: argparse.Namespace) -> int:
    """Fit the models; print and write their ranking."""
    refuse_unwritable(options.plot, inputs=[options.quotes])
    selected = models_named(options.models)
    quotes = CleanedQuotes.of(options)
    with progress("Comparing: models") as advance:
        compared = compare_models(
            quotes, selected, weights=options.weights, workers=options.workers, progress=advance
        )
    if options.plot:
        from levy_cli.reports.comparison import write_comparison_report

        write_comparison_report(compared, options.plot)
    if options.json:
        print_json(compared.as_document())
    else:
        _show(compared)
        if options.plot:
            console().print(f"Report written to {printable(options.plot)}")
    return 0


def _show(compared: ComparedModels) -> None:
    from rich.text import Text

    out, result = console(), compared.result
    compared.quotes.show(out)
    _show_ranking(out, compared)
    for failure in result.not_fitted:
        text = f" {failure.model_type}: {failure.detail}"
        out.print(Text.assemble(("Not fitted:", "yellow"), text))
    out.print(
        f"Errors of implied volatility in vol points, weights {result.weights}; ranked by "
        f"error on {_judged(result.results)}. In spread: fraction of all quotes. "
        f"{1e-3 * result.comparison_time_ms:.1f} s."
    )
    for best in result.results[:1]:
        out.print(f"Best: {best.model_type}, {_parameters(best)}")
    show_warnings(out, result.warnings)


def _show_ranking(out: "Console", compared: ComparedModels) -> None:
    listing = table(
        left=["model"],
        right=[
            "in sample",
            "strikes out",
            "expiries out",
            "all",
            "price RMSE",
            "in spread",
            "seconds",
        ],
        last=["status"],
    )
    for fit in compared.result.results:
        listing.add_row(
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
            ", ".join(fit.boundary_parameters) or fit.status,
        )
    out.print(listing)


def _judged(results: Sequence[ComparedModel]) -> str:
    if any(fit.held_out_expiries for fit in results):
        return "alternate expiries, held out (expiries out)"
    return "alternate strikes, held out (strikes out)"


def _parameters(fit: ComparedModel) -> str:
    return ", ".join(f"{name} = {value:.5g}" for name, value in fit.parameters.items())

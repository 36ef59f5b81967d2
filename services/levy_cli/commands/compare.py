"""`levy compare`."""

import argparse
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
    """Fit every model, and say or draw how they rank."""
    refuse_unwritable(options.plot, inputs=[options.quotes])
    wanted = models_named(options.models)
    quotes = CleanedQuotes.of(options)
    with progress("Comparing: models") as advance:
        compared = compare_models(
            quotes, wanted, weights=options.weights, workers=options.workers, progress=advance
        )
    if options.plot:
        from levy_cli.comparison_page import write_comparison_page

        write_comparison_page(compared, options.plot)
    if options.json:
        print_json(compared.as_document())
    else:
        _show(compared)
        if options.plot:
            console().print(f"Plots are in {printable(options.plot)}")
    return 0


def _show(compared: ComparedModels) -> None:
    from rich.text import Text

    out, answer = console(), compared.answer
    compared.quotes.show(out)
    _show_ranking(out, compared)
    for left in answer.not_fitted:
        out.print(Text.assemble(("Not fitted:", "yellow"), f" {left.model_type}: {left.detail}"))
    out.print(
        f"Errors of implied volatility in vol points, by weights {answer.weights}; ranked by those "
        "out of sample: on alternate strikes that the fit had not seen. In spread: share of all "
        f"quotes. {1e-3 * answer.comparison_time_ms:.1f} s."
    )
    for one in answer.results[:1]:
        out.print(f"Best is {one.model_type}: {_parameters(one)}")
    show_warnings(out, answer.warnings)


def _show_ranking(out: "Console", compared: ComparedModels) -> None:
    shown = table(
        left=["model"],
        right=["in sample", "out of sample", "all", "price RMSE", "in spread", "seconds"],
        last=["status"],
    )
    for one in compared.answer.results:
        shown.add_row(
            one.model_type,
            "–" if one.in_sample is None else vol_points(one.in_sample.implied_vol_rmse),
            "–" if one.out_of_sample is None else vol_points(one.out_of_sample.implied_vol_rmse),
            vol_points(one.fit_quality.implied_vol_rmse),
            f"{one.fit_quality.rmse:.4g}",
            "–" if one.in_spread_share is None else f"{one.in_spread_share:.0%}",
            f"{1e-3 * one.calibration_time_ms:.1f}",
            ", ".join(one.limits) or one.status,
        )
    out.print(shown)


def _parameters(one: ComparedModel) -> str:
    return ", ".join(f"{name} = {value:.5g}" for name, value in one.parameters.items())

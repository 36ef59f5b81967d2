"""`levy calibrate`."""

import argparse
from typing import TYPE_CHECKING

from levy_cli.cleaned import CleanedQuotes
from levy_cli.fitting import FittedSurface, fit_surface, refuse
from levy_cli.output import (
    console,
    print_json,
    refuse_unwritable,
    sentence,
    show_warnings,
    table,
    vol_points,
)
from levy_cli.progress import progress
from levy_cli.trained import champion
from levy_numerics import models
from levy_numerics.calibration.hybrid import FitStrategy
from levy_schemas.calibration import Interval
from levy_surfaces.printable import printable
from levy_surfaces.surface import check_surface_name, write_surface

if TYPE_CHECKING:
    from rich.console import Console


def run(options: argparse.Namespace) -> int:
    """Fit, then print, write or plot the result."""
    refuse_unwritable(options.plot, options.surface, inputs=[options.quotes])
    if options.surface:
        check_surface_name(options.surface)
    refuse(options.model, options.method, options.uncertainty, per_maturity=options.per_maturity)
    needed = len(models.get(options.model).parameters()) if options.per_maturity else 1
    quotes = CleanedQuotes.of(options, fewest_per_maturity=needed)
    counted = "expiries" if options.per_maturity else "starts"
    with progress(f"Fitting {options.model}: {counted}") as advance:
        fitted = fit_surface(
            quotes,
            model_type=options.model,
            strategy=FitStrategy(
                options.method,
                options.weights,
                options.per_maturity,
                options.starts,
                options.seed,
            ),
            uncertainty=options.uncertainty,
            choose=champion,
            progress=advance,
        )
    if options.surface:
        write_surface(quotes.surface, options.surface)
    if options.plot:
        from levy_cli.fit_page import write_fit_page

        write_fit_page(fitted, options.plot)
    if options.json:
        print_json(fitted.as_document())
    else:
        _show(fitted)
        if options.plot:
            console().print(f"Plots are in {printable(options.plot)}")
    return 0


def _show(fitted: FittedSurface) -> None:
    out = console()
    fitted.quotes.show(out)
    if fitted.answer.per_maturity is None:
        _show_parameters(out, fitted)
        _show_functionals(out, fitted)
        _show_fit_by_maturity(out, fitted)
    else:
        _show_term_structure(out, fitted)
    _show_quality(out, fitted)


def _show_parameters(out: "Console", fitted: FittedSurface) -> None:
    answer = fitted.answer
    limits = f" ({', '.join(answer.limits)})" if answer.limits else ""
    shown = table(
        left=["parameter"],
        right=["value"],
        last=["95% interval", "meaning"],
        title=f"{answer.model_type}: {answer.status}{limits}",
    )
    intervals = answer.intervals or {}
    for p in models.get(answer.model_type).parameters():
        value = (answer.parameters or {})[p.name]
        shown.add_row(p.name, f"{value:.6g}", _interval(intervals.get(p.name)), p.meaning)
    out.print(shown)


def _show_functionals(out: "Console", fitted: FittedSurface) -> None:
    shown = table(left=["S/F at one year"], right=["value"], last=["95% interval"])
    for name, one in (fitted.answer.functionals or {}).items():
        value = "not finite" if one.value is None else f"{one.value:.6g}"
        shown.add_row(name.replace("_", " "), value, _interval(one.interval))
    out.print(shown)


def _show_fit_by_maturity(out: "Console", fitted: FittedSurface) -> None:
    if len(fitted.answer.fit_by_maturity) == 1:
        return
    names = fitted.quotes.maturity_names()
    shown = table(
        left=["expiry"],
        right=["years", "quotes", "price RMSE", "vol RMSE, points", "mean vol error"],
    )
    for one in fitted.answer.fit_by_maturity:
        shown.add_row(
            names[one.maturity],
            f"{one.maturity:.4f}",
            str(one.fit_quality.n_quotes),
            f"{one.fit_quality.rmse:.4g}",
            vol_points(one.fit_quality.implied_vol_rmse),
            vol_points(one.mean_vol_error),
        )
    out.print(shown)


def _show_term_structure(out: "Console", fitted: FittedSurface) -> None:
    answer, names = fitted.answer, fitted.quotes.maturity_names()
    parameters = [p.name for p in models.get(answer.model_type).parameters()]
    shown = table(
        left=["expiry"],
        right=["years", "quotes", *parameters, "vol RMSE"],
        last=["status"],
        title=f"{answer.model_type}, expiry by expiry: {answer.status}",
    )
    for one in answer.per_maturity or ():
        shown.add_row(
            names[one.maturity],
            f"{one.maturity:.4f}",
            str(one.fit_quality.n_quotes),
            *(f"{one.parameters[name]:.4g}" for name in parameters),
            vol_points(one.fit_quality.implied_vol_rmse),
            ", ".join(one.limits) or one.status,
        )
    out.print(shown)


def _show_quality(out: "Console", fitted: FittedSurface) -> None:
    answer, quality = fitted.answer, fitted.answer.fit_quality
    vol_error = quality.implied_vol_rmse
    counted = quality.n_implied_vols
    of_these = "" if counted in (None, quality.n_quotes) else f" over {counted} quotes"
    in_vol = "" if vol_error is None else f", {vol_points(vol_error)} vol points{of_these}"
    out.print(
        f"RMSE {quality.rmse:.4g}{in_vol}; mean error {quality.aae:.4g} "
        f"({quality.ape:.2%} of the mean price, {quality.relative_error:.2%} of each); "
        f"{answer.calibration_time_ms:.0f} ms, {answer.n_evaluations} evaluations"
    )
    out.print(f"{sentence(answer.reason).rstrip('.')}.")
    show_warnings(out, answer.warnings)


def _interval(interval: Interval | None) -> str:
    return "not determined" if interval is None else f"{interval[0]:.6g} to {interval[1]:.6g}"

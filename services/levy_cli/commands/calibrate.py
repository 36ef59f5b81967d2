"""`levy calibrate`."""

import argparse
from typing import TYPE_CHECKING, Any, Final

from levy_cli.cleaned import CleanedQuotes
from levy_cli.fitting import FittedSurface, check_options, fit_surface
from levy_cli.networks import champion
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
from levy_numerics import calibration, models
from levy_numerics.calibration.hybrid import FitStrategy
from levy_numerics.errors import InvalidInputError
from levy_numerics.pricing.early_exercise.terms import require_stationary_increments
from levy_numerics.surface import Surface
from levy_schemas.calibration import Interval
from levy_surfaces.american import AmericanTable, fit_american
from levy_surfaces.printable import printable
from levy_surfaces.surface import write_surface
from levy_surfaces.writing import check_table_name

if TYPE_CHECKING:
    from rich.console import Console

_MOST_INFLUENTIAL: Final = 10


def run(options: argparse.Namespace) -> int:
    """Fit the model; print and write the results."""
    refuse_unwritable(options.plot, options.surface, inputs=[options.quotes])
    if options.surface:
        check_table_name(options.surface)
    check_options(
        options.model,
        options.method,
        options.uncertainty,
        per_maturity=options.per_maturity,
        explain=options.explain,
    )
    quotes = _quotes(options)
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
            explain=options.explain,
        )
    if options.surface:
        write_surface(quotes.surface, options.surface)
    if options.plot:
        from levy_cli.reports.fit import write_fit_report

        write_fit_report(fitted, options.plot)
    if options.json:
        print_json(fitted.as_document())
    else:
        _show(fitted)
        if options.plot:
            console().print(f"Report written to {printable(options.plot)}")
    return 0


def _quotes(options: argparse.Namespace) -> CleanedQuotes:
    """Return cleaned quotes; of American ones, the European equivalents."""
    model = models.get(options.model)

    def fit(surface: Surface, last: calibration.CalibrationResult | None) -> Any:
        return calibration.calibrate(
            model,
            surface.quotes,
            weights=options.weights,
            start=None if last is None else last.parameters,
            seed=options.seed,
        )

    def fit_quotes(quotes: AmericanTable) -> Any:
        if options.per_maturity:
            raise InvalidInputError(
                "American options require one model for all expiries; omit --per-maturity, or pass "
                "--exercise european to ignore early exercise"
            )
        require_stationary_increments(model.example())
        with progress(f"Removing early-exercise premiums by {options.model}: fits"):
            return fit_american(quotes, fit)

    needed = len(model.parameters()) if options.per_maturity else 1
    return CleanedQuotes.of(options, fewest_per_maturity=needed, fit_quotes=fit_quotes)


def _show(fitted: FittedSurface) -> None:
    out = console()
    fitted.quotes.show(out)
    if fitted.result.per_maturity is None:
        _show_parameters(out, fitted)
        _show_moments(out, fitted)
        _show_fit_by_maturity(out, fitted)
    else:
        _show_term_structure(out, fitted)
    _show_influence(out, fitted)
    _show_quality(out, fitted)


def _show_influence(out: "Console", fitted: FittedSurface) -> None:
    influence = fitted.result.influence
    if not influence:
        return
    names = tuple(influence[0].without)
    listing = table(
        left=["expiry"],
        right=["strike", "type", "leverage", "Cook", *(f"{name}/vol point" for name in names)],
        title="Quotes of most influence on the fit (changes per vol point of the quote)",
    )
    maturities = fitted.quotes.maturity_names()
    for quote in influence[:_MOST_INFLUENTIAL]:
        listing.add_row(
            maturities[quote.maturity],
            f"{quote.strike:g}",
            quote.option_type,
            f"{quote.leverage:.3f}",
            f"{quote.cook_distance:.3g}",
            *(f"{quote.per_vol_point[name]:.3g}" for name in names),
        )
    out.print(listing)


def _show_parameters(out: "Console", fitted: FittedSurface) -> None:
    result = fitted.result
    limits = f" ({', '.join(result.boundary_parameters)})" if result.boundary_parameters else ""
    listing = table(
        left=["parameter"],
        right=["value"],
        last=["95% interval", "meaning"],
        title=f"{result.model_type}: {result.status}{limits}",
    )
    intervals = result.intervals or {}
    for p in models.get(result.model_type).parameters():
        value = (result.parameters or {})[p.name]
        listing.add_row(p.name, f"{value:.6g}", _interval(intervals.get(p.name)), p.meaning)
    out.print(listing)


def _show_moments(out: "Console", fitted: FittedSurface) -> None:
    listing = table(left=["log return over a year"], right=["value"], last=["95% interval"])
    for name, moment in (fitted.result.moments or {}).items():
        value = "not finite" if moment.value is None else f"{moment.value:.6g}"
        listing.add_row(name.replace("_", " "), value, _interval(moment.interval))
    out.print(listing)


def _show_fit_by_maturity(out: "Console", fitted: FittedSurface) -> None:
    if len(fitted.result.fit_by_maturity) == 1:
        return
    names = fitted.quotes.maturity_names()
    listing = table(
        left=["expiry"],
        right=["years", "quotes", "price RMSE", "vol RMSE, points", "mean vol error"],
    )
    for expiry in fitted.result.fit_by_maturity:
        listing.add_row(
            names[expiry.maturity],
            f"{expiry.maturity:.4f}",
            str(expiry.fit_quality.n_quotes),
            f"{expiry.fit_quality.rmse:.4g}",
            vol_points(expiry.fit_quality.implied_vol_rmse),
            vol_points(expiry.mean_vol_error),
        )
    out.print(listing)


def _show_term_structure(out: "Console", fitted: FittedSurface) -> None:
    result, names = fitted.result, fitted.quotes.maturity_names()
    parameters = [p.name for p in models.get(result.model_type).parameters()]
    listing = table(
        left=["expiry"],
        right=["years", "quotes", *parameters, "vol RMSE"],
        last=["status"],
        title=f"{result.model_type}, fit of each expiry: {result.status}",
    )
    for expiry in result.per_maturity or ():
        listing.add_row(
            names[expiry.maturity],
            f"{expiry.maturity:.4f}",
            str(expiry.fit_quality.n_quotes),
            *(f"{expiry.parameters[name]:.4g}" for name in parameters),
            vol_points(expiry.fit_quality.implied_vol_rmse),
            ", ".join(expiry.boundary_parameters) or expiry.status,
        )
    out.print(listing)


def _show_quality(out: "Console", fitted: FittedSurface) -> None:
    result, quality = fitted.result, fitted.result.fit_quality
    vol_error = quality.implied_vol_rmse
    counted = quality.n_implied_vols
    basis = "" if counted in (None, quality.n_quotes) else f" over {counted} quotes"
    in_vol = "" if vol_error is None else f", {vol_points(vol_error)} vol points{basis}"
    out.print(
        f"RMSE {quality.rmse:.4g}{in_vol}; mean error {quality.aae:.4g} "
        f"({quality.ape:.2%} of the mean price, {quality.relative_error:.2%} of each); "
        f"{result.calibration_time_ms:.0f} ms, {result.n_evaluations} evaluations"
    )
    out.print(f"{sentence(result.reason).rstrip('.')}.")
    show_warnings(out, result.warnings)


def _interval(interval: Interval | None) -> str:
    return "not determined" if interval is None else f"{interval[0]:.6g} to {interval[1]:.6g}"

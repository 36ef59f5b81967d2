"""The page that `levy calibrate --plot` writes: one file that opens without a network."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from levy_cli.cleaned import CleanedQuotes
from levy_cli.figures import heat_map, smiles
from levy_cli.fitting import FittedSurface
from levy_cli.output import EXPIRY_COLUMNS, expiry_cells, vol_points
from levy_cli.page import html_figure, html_notes, html_numbers, html_table, write_page
from levy_cli.term_figures import errors_by_maturity, parameters_by_maturity
from levy_numerics import models
from levy_numerics.parameters import Parameter
from levy_schemas.calibration import Interval
from levy_surfaces.reasons import Reason
from levy_surfaces.summary import summary


def write_fit_page(fitted: FittedSurface, path: str | Path) -> None:
    """Write smiles, residuals, parameters and cleaning as one self-contained page."""
    answer, quotes = fitted.answer, fitted.quotes
    heading = f"{answer.model_type} on {quotes.name or 'quotes'}"
    status = ", ".join((answer.status.replace("_", " "), *answer.limits))
    parts = {
        "title": escape(heading),
        "heading": escape(heading),
        "status": escape(status),
        "status_class": "" if answer.status == "converged" else "warn",
        "subtitle": escape(_subtitle(fitted)),
        "figures": html_numbers(_numbers(fitted)),
        "notes": html_notes(answer.warnings),
        "with_sides": " from bid to ask" if quotes.surface.quotes.bid is not None else "",
        "smiles": html_figure(smiles(fitted), with_library=True),
        "term_structure": _term_structure(fitted),
        "parameters": _parameters(fitted),
        "functionals": _functionals(fitted),
        "by_maturity": html_figure(errors_by_maturity(fitted)) + _by_maturity(fitted),
        "heat_map": html_figure(heat_map(fitted)),
        "kept": f"{quotes.surface.size} of {quotes.surface.n_read} quotes were fitted.",
        "dropped": dropped_table(quotes),
        "expiries": expiries_table(quotes),
    }
    write_page("fit.html", path, parts)


def dropped_table(quotes: CleanedQuotes) -> str:
    """What cleaning dropped, by reason."""
    counts = quotes.surface.dropped_by_reason
    if not counts:
        return "<p>None was dropped.</p>"
    rows = [
        (f"{n:,}", reason.replace("_", " "), Reason(reason).meaning) for reason, n in counts.items()
    ]
    return html_table(("dropped", "reason", "meaning"), rows, numbers={0}, text={2})


def expiries_table(quotes: CleanedQuotes) -> str:
    """Every expiry with its forward."""
    head = ("expiry", "years", "discount", *EXPIRY_COLUMNS, "forward from")
    rows = [
        (
            line.name,
            f"{line.forward.maturity_years:.4f}",
            f"{line.forward.discount:.6f}",
            *expiry_cells(line),
            line.forward.source,
        )
        for line in summary(quotes.surface)
    ]
    return html_table(head, rows, numbers=range(1, 9), text={9})


def _subtitle(fitted: FittedSurface) -> str:
    answer, surface = fitted.answer, fitted.quotes.surface
    at = "" if surface.spot is None else f"spot {surface.spot:g}, "
    each = " each on its own" if answer.per_maturity is not None else ""
    return (
        f"{at}{len(surface.forwards)} expiries{each}; {answer.method.replace('_', ' ')} in "
        f"{answer.calibration_time_ms:.0f} ms, {answer.n_evaluations} evaluations"
    )


def _numbers(fitted: FittedSurface) -> Sequence[tuple[str, str]]:
    quality = fitted.answer.fit_quality
    vol_error = quality.implied_vol_rmse
    return (
        (f"{quality.n_quotes:,}", "quotes fitted"),
        ("none" if vol_error is None else vol_points(vol_error), "RMSE, vol points"),
        (f"{quality.rmse:.4g}", "RMSE, price"),
        (f"{quality.aae:.4g}", "mean absolute error"),
        (f"{quality.ape:.2%}", "of the mean price (APE)"),
        (f"{quality.relative_error:.2%}", "mean relative error (ARPE)"),
    )


def _term_structure(fitted: FittedSurface) -> str:
    if fitted.answer.per_maturity is None:
        return ""
    figure = html_figure(parameters_by_maturity(fitted))
    return (
        "<section><h2>Term structure of the parameters</h2>"
        '<p class="soft">One fit for each expiry, with 95% intervals.</p>'
        f"{figure}</section>"
    )


def _parameters(fitted: FittedSurface) -> str:
    answer = fitted.answer
    declared = models.get(answer.model_type).parameters()
    if answer.per_maturity is not None:
        return _parameters_by_maturity(fitted, declared)
    intervals, values = answer.intervals or {}, answer.parameters or {}
    rows = [
        (_letter(p), f"{values[p.name]:.6g}", _interval(intervals.get(p.name)), p.meaning)
        for p in declared
    ]
    return html_table(
        ("parameter", "value", "95% interval", "meaning"), rows, numbers={1}, text={3}
    )


def _parameters_by_maturity(fitted: FittedSurface, declared: Sequence[Parameter]) -> str:
    names = fitted.quotes.maturity_names()
    rows = [
        (
            names[one.maturity],
            *(f"{one.parameters[p.name]:.5g}" for p in declared),
            vol_points(one.fit_quality.implied_vol_rmse),
            ", ".join((one.status.replace("_", " "), *one.limits)),
        )
        for one in fitted.answer.per_maturity or ()
    ]
    head = ("expiry", *map(_letter, declared), "RMSE, vol points", "status")
    return html_table(head, rows, numbers=range(1, len(head) - 1))


def _functionals(fitted: FittedSurface) -> str:
    if fitted.answer.functionals is None:
        return ""
    rows = [
        (
            name.replace("_", " "),
            "not finite" if one.value is None else f"{one.value:.6g}",
            _interval(one.interval),
        )
        for name, one in fitted.answer.functionals.items()
    ]
    head = ("S/F at one year", "value", "95% interval")
    return f'<div class="scroll">{html_table(head, rows, numbers={1})}</div>'


def _by_maturity(fitted: FittedSurface) -> str:
    names = fitted.quotes.maturity_names()
    rows = [
        (
            names[one.maturity],
            f"{one.maturity:.4f}",
            f"{one.fit_quality.n_quotes:,}",
            f"{one.fit_quality.rmse:.4g}",
            vol_points(one.fit_quality.implied_vol_rmse),
            vol_points(one.mean_vol_error),
        )
        for one in fitted.answer.fit_by_maturity
    ]
    head = ("expiry", "years", "quotes", "RMSE, price", "RMSE, vol points", "mean, vol points")
    return f'<div class="scroll">{html_table(head, rows, numbers=range(1, 6))}</div>'


def _letter(p: Parameter) -> str:
    return p.name if p.name == p.symbol else f"{p.symbol} ({p.name})"


def _interval(interval: Interval | None) -> str:
    return "not determined" if interval is None else f"{interval[0]:.5g} … {interval[1]:.5g}"

"""The page that `levy compare --plot` writes: one file that opens without a network."""

from html import escape
from pathlib import Path

from levy_cli.comparing import ComparedModels
from levy_cli.comparison_figures import compared_smiles, errors_by_model_and_maturity, ranking
from levy_cli.fit_page import dropped_table, expiries_table
from levy_cli.output import vol_points
from levy_cli.page import html_figure, html_notes, html_numbers, html_table, write_page


def write_comparison_page(compared: ComparedModels, path: str | Path) -> None:
    """Write ranking, errors by expiry and smiles as one self-contained page."""
    answer, quotes = compared.answer, compared.quotes
    heading = f"{len(answer.results)} models on {quotes.name or 'quotes'}"
    not_fitted = [f"{left.model_type} was not fitted: {left.detail}" for left in answer.not_fitted]
    parts = {
        "title": escape(heading),
        "heading": escape(heading),
        "subtitle": escape(_subtitle(compared)),
        "figures": html_numbers(_numbers(compared)),
        "notes": html_notes(not_fitted),
        "ranking": html_figure(ranking(compared), with_library=True),
        "models": _models(compared),
        "by_maturity": html_figure(errors_by_model_and_maturity(compared)),
        "smiles": html_figure(compared_smiles(compared)),
        "parameters": _parameters(compared),
        "kept": f"{quotes.surface.size} of {quotes.surface.n_read} quotes were fitted.",
        "dropped": dropped_table(quotes),
        "expiries": expiries_table(quotes),
    }
    write_page("comparison.html", path, parts)


def _subtitle(compared: ComparedModels) -> str:
    answer = compared.answer
    return (
        f"{len(compared.quotes.surface.forwards)} expiries; by weights {answer.weights} in "
        f"{1e-3 * answer.comparison_time_ms:.1f} s"
    )


def _numbers(compared: ComparedModels) -> list[tuple[str, str]]:
    shown = [(f"{compared.answer.n_quotes:,}", "quotes fitted")]
    for best in compared.answer.results[:1]:
        judged = best.out_of_sample or best.fit_quality
        shown += [
            (best.model_type, "ranks first"),
            (vol_points(judged.implied_vol_rmse), "its RMSE out of sample, vol points"),
            (vol_points(best.fit_quality.implied_vol_rmse), "on all quotes, vol points"),
        ]
        if best.in_spread_share is not None:
            shown.append((f"{best.in_spread_share:.0%}", "of quotes within the spread"))
    return shown


def _models(compared: ComparedModels) -> str:
    rows = [
        (
            one.model_type,
            "–" if one.in_sample is None else vol_points(one.in_sample.implied_vol_rmse),
            "–" if one.out_of_sample is None else vol_points(one.out_of_sample.implied_vol_rmse),
            vol_points(one.fit_quality.implied_vol_rmse),
            f"{one.fit_quality.rmse:.4g}",
            "–" if one.in_spread_share is None else f"{one.in_spread_share:.0%}",
            f"{1e-3 * one.calibration_time_ms:.1f}",
            ", ".join((one.status.replace("_", " "), *one.limits)),
        )
        for one in compared.answer.results
    ]
    errors = ("in sample", "out of sample", "all quotes")
    head = ("model", *errors, "RMSE, price", "within the spread", "seconds", "status")
    return html_table(head, rows, numbers=range(1, 7))


def _parameters(compared: ComparedModels) -> str:
    rows = [
        (one.model_type, ", ".join(f"{name} = {v:.5g}" for name, v in one.parameters.items()))
        for one in compared.answer.results
    ]
    return html_table(("model", "parameters"), rows, text={1})

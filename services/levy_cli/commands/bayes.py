"""`levy bayes`."""

import argparse
import json
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter, ValidationError

from levy_bayesian.handlers.sample import Sampling
from levy_bayesian.progress import Progress
from levy_bayesian.summary import NOISE
from levy_cli.cleaned import CleanedQuotes
from levy_cli.output import (
    POSTERIOR_COLUMNS,
    PREDICTED_COLUMNS,
    console,
    option_name,
    posterior_cells,
    predicted_cells,
    print_json,
    refuse_unwritable,
    sentence,
    show_warnings,
    table,
)
from levy_cli.progress import progress
from levy_numerics import models
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts
from levy_numerics.surface import Surface
from levy_schemas.jobs import BayesianResult, Diagnostics, Prior
from levy_schemas.wire import MAX_OPTIONS
from levy_service import strict_json
from levy_surfaces.atomic_files import write_atomically
from levy_surfaces.printable import printable
from levy_surfaces.reading import read_options
from levy_surfaces.surface import contracts_on

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MIN_DRAWS: Final = 100
"""Minimum draws of a chain, and of its warm-up, for meaningful diagnostics."""
_PRIORS: Final = TypeAdapter(dict[str, Prior])


def run(options: argparse.Namespace) -> int:
    """Sample the posterior; print and write the results."""
    import jax

    refuse_unwritable(options.out, options.plot, inputs=[options.quotes, options.predict])
    for name in ("samples", "warmup"):
        if getattr(options, name) < _MIN_DRAWS:
            raise InvalidInputError(f"--{name} must be at least {_MIN_DRAWS}")
    sampling = Sampling(
        options.model,
        options.engine,
        num_chains=options.chains,
        num_samples=options.samples,
        num_warmup=options.warmup,
        seed=options.seed,
        priors=_priors(options.priors),
        likelihood=options.likelihood,
        weights=options.weights,
    )
    models.get(options.model)
    quotes = CleanedQuotes.of(options)
    predict, warnings = None, quotes.surface.warnings
    if options.predict:
        predict, file_warnings = _to_predict(options, quotes.surface)
        warnings = tuple(dict.fromkeys((*warnings, *file_warnings)))
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call] # JAX's own
    with progress(f"Sampling {options.model}: percent") as advance:
        result, draws = sampling.run(
            quotes.surface.quotes,
            lambda state: advance(*_steps(state)),
            quote_warnings=warnings,
            predict=predict,
        )
    if options.out:
        write_atomically(options.out, draws)
    if options.plot:
        from levy_cli.reports.posterior import SampledSurface, write_posterior_report

        sampled = SampledSurface(quotes, result, draws, sampling.priors_by_parameter())
        write_posterior_report(sampled, options.plot)
    if options.json:
        print_json({**result.model_dump(mode="json"), **quotes.as_document()})
        return 0
    out = console()
    quotes.show(out)
    _show(out, result)
    if result.predicted:
        out.print(_predicted(result))
    if options.out:
        out.print(f"Draws written to {printable(options.out)}", soft_wrap=True)
    if options.plot:
        out.print(f"Report written to {printable(options.plot)}", soft_wrap=True)
    return 0


def _to_predict(options: argparse.Namespace, surface: Surface) -> tuple[Contracts, tuple[str, ...]]:
    """Return the options of a file in the market of the quotes, and warnings about the file.

    Raises
    ------
    InvalidInputError
        The file has no options, too many, or one at a maturity that is not quoted.
    """
    frame, warnings = read_options(
        options.predict, quote_date=surface.quote_date, expiry_time=options.expiry_time
    )
    if len(frame) > MAX_OPTIONS:
        raise InvalidInputError(
            f"{len(frame)} options in {options.predict}; at most {MAX_OPTIONS} can be predicted"
        )
    return contracts_on(surface, frame), warnings


def _steps(state: Progress) -> tuple[int, int | None, str]:
    """Return the percentage, its total, unknown before the first draws, and a note."""
    parts = (state.stage, note_of(state.diagnostics))
    total = 100 if state.share > 0.0 else None
    return round(100 * state.share), total, ", ".join(filter(None, parts))


def note_of(diagnostics: Diagnostics | None) -> str:
    """Return the diagnostics of the draws so far as one line."""
    if diagnostics is None:
        return ""
    values = {
        "{} draws": diagnostics.draws,
        "R-hat {:.4f}": diagnostics.r_hat,
        "{} diverged": diagnostics.divergences,
        "acceptance {:.2f}": diagnostics.acceptance_rate,
        "step {:.2g}": diagnostics.step_size,
        "ELBO {:.2f}": diagnostics.elbo,
        "Pareto k {:.2f}": diagnostics.pareto_k,
    }
    return ", ".join(form.format(value) for form, value in values.items() if value is not None)


def _priors(text: str) -> dict[str, dict[str, Any]]:
    """Parse priors in the format of a request.

    Raises
    ------
    InvalidInputError
        It is not a JSON object of distributions.
    """
    try:
        priors = _PRIORS.validate_python(strict_json.loads(text))
    except strict_json.RepeatedKeyError as error:
        raise InvalidInputError(f"--priors{error.pointer}: {error.msg}; give it once") from None
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"--priors is not valid JSON: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise InvalidInputError(f"--priors{' ' + path if path else ''}: {first['msg']}") from None
    return {name: prior.spec() for name, prior in priors.items()}


def _predicted(result: BayesianResult) -> "Table":
    listing = table(
        left=["option"], right=[*PREDICTED_COLUMNS], title="Posterior predictive of other options"
    )
    for option in result.predicted:
        listing.add_row(option_name(option), *predicted_cells(option))
    return listing


def misfit_of(result: BayesianResult) -> str:
    """Return the errors of the posterior mean as a sentence, empty without a volatility."""
    misfit = result.misfit
    if misfit is None or misfit.rmse_vol_points is None:
        return ""
    within = misfit.within_spread
    spread = "" if within is None else f", {within:.0%} of the quotes within the spread"
    return (
        f" Root mean square error of the posterior mean: {misfit.rmse_vol_points:.2f} volatility "
        f"points{spread}."
    )


def _show(out: "Console", result: BayesianResult) -> None:
    verdict = "converged" if result.converged else "not converged"
    listing = table(
        left=["parameter"],
        right=[*POSTERIOR_COLUMNS],
        last=["meaning"],
        title=f"{result.model_type} by {result.engine}: {verdict}",
    )
    meaning = {p.name: p.meaning for p in models.get(result.model_type).parameters()}
    meaning[NOISE] = "scale of the quotes' independent errors, in the unit of the weights"
    for name, parameter in result.parameters.items():
        listing.add_row(name, *posterior_cells(parameter), meaning[name])
    out.print(listing)
    out.print(f"{sentence(result.reason)}. {result.draws:,} draws, {result.seconds:.1f} s.")
    out.print(f"Likelihood: {result.likelihood}.{misfit_of(result)}")
    show_warnings(out, result.warnings)

"""Compare models on one surface."""

import math
import time
from collections.abc import Callable, Iterable, Iterator

from levy_calibration.handlers.calibrate import raising
from levy_calibration.handlers.parameter_intervals import student_t_intervals
from levy_calibration.handlers.responses import fit_by_maturity, fitted_model, quality
from levy_numerics import models
from levy_numerics.calibration import (
    Comparison,
    compare_one,
    default_weights,
    in_spread_share,
    ranked,
)
from levy_numerics.errors import LevyError, UnknownModelError, UnsupportedError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_schemas.comparison import (
    ComparedModel,
    ComparisonRequest,
    ComparisonResult,
    ModelNotFitted,
)
from levy_schemas.problems import pointer
from levy_schemas.surface import DroppedQuote
from levy_surfaces.requested import reported, surface_of

Outcome = tuple[str, Comparison | LevyError, float]
"""A model's name, its comparison or the error, and the duration in seconds."""


def compare(
    request: ComparisonRequest,
    *,
    model_version: str,
    n_starts: int | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> ComparisonResult:
    """Fit every requested model to one surface, and rank them.

    Parameters
    ----------
    request : ComparisonRequest
        The quotes, and the models.
    model_version : str
        Returned in the result.
    n_starts : int, optional
        Starts of each fit; by default until starts agree.
    checkpoint : callable, optional
        Called every few evaluations; raises when the deadline has passed.

    Raises
    ------
    LevyError
        A model is unknown, or the quotes are too few for all of them.
    """
    started = time.perf_counter()
    requested = _models(request)
    smallest = min(requested, key=lambda model: len(model.parameters()))
    surface = surface_of(request, n_parameters=len(smallest.parameters()), model_type=smallest.name)
    outcomes = [
        outcome_of(
            model,
            surface.quotes,
            weights=request.weights,
            holdout=request.holdout,
            n_starts=n_starts,
            should_stop=raising(checkpoint),
        )
        for model in requested
    ]
    return comparison(
        outcomes,
        surface.quotes,
        dropped=reported(surface.dropped),
        quote_warnings=surface.warnings,
        model_version=model_version,
        seconds=time.perf_counter() - started,
    )


def outcome_of(
    model: type[Model],
    quotes: Quotes,
    *,
    weights: str | None = None,
    holdout: bool = True,
    n_starts: int | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Fit one model; an error is returned, so that the other models are still fitted."""
    started = time.perf_counter()
    outcome: Comparison | LevyError
    try:
        outcome = compare_one(
            model,
            quotes,
            weights=weights,
            holdout=holdout,
            n_starts=n_starts,
            should_stop=should_stop,
        )
        if not all(math.isfinite(value) for value in outcome.result.parameters.values()):
            message = f"the fit of {model.name} diverged: {outcome.result.reason}"
            outcome = UnsupportedError(message)
    except LevyError as error:
        outcome = error
    return model.name, outcome, time.perf_counter() - started


def comparison(
    outcomes: Iterable[Outcome],
    quotes: Quotes,
    *,
    dropped: tuple[DroppedQuote, ...] = (),
    quote_warnings: tuple[str, ...] = (),
    model_version: str,
    seconds: float,
) -> ComparisonResult:
    """Rank the fits and build the response.

    Parameters
    ----------
    outcomes : iterable of Outcome
        One for each model.
    quotes : Quotes
        The quotes that were fitted.
    dropped : tuple of DroppedQuote
        Quotes that were not fitted.
    quote_warnings : tuple of str
        Warnings of the cleaning.
    model_version : str
        Returned in the result.
    seconds : float
        Duration of the comparison.
    """
    outcomes = list(outcomes)
    fitted = [fit for _, fit, _ in outcomes if isinstance(fit, Comparison)]
    seconds_of = {name: duration for name, _, duration in outcomes}
    return ComparisonResult(
        results=tuple(_compared(fit, quotes, seconds_of[fit.name]) for fit in ranked(fitted)),
        not_fitted=tuple(_not_fitted(outcomes)),
        weights=fitted[0].result.weights if fitted else default_weights(quotes),
        n_quotes=quotes.size,
        comparison_time_ms=1e3 * seconds,
        model_version=model_version,
        dropped=dropped,
        warnings=quote_warnings,
    )


def _models(request: ComparisonRequest) -> list[type[Model]]:
    classes = {}
    for i, name in enumerate(models.names() if request.models is None else request.models):
        try:
            model = models.get(name)
        except UnknownModelError as error:
            error.details["pointer"] = pointer("models", i)
            raise
        classes[model.name] = model
    return list(classes.values())


def _compared(fit: Comparison, quotes: Quotes, seconds: float) -> ComparedModel:
    share = in_spread_share(quotes, fit.result.model_prices)
    intervals = student_t_intervals(fit.result)
    return ComparedModel(
        **fitted_model(fit.result, intervals),
        model_type=fit.name,
        fit_by_maturity=fit_by_maturity(fit.result, intervals),
        in_sample=None if fit.in_sample is None else quality(fit.in_sample),
        out_of_sample=None if fit.out_of_sample is None else quality(fit.out_of_sample),
        held_out_expiries=(
            None if fit.held_out_expiries is None else quality(fit.held_out_expiries)
        ),
        in_spread_share=share if math.isfinite(share) else None,
        calibration_time_ms=1e3 * seconds,
    )


def _not_fitted(outcomes: Iterable[Outcome]) -> Iterator[ModelNotFitted]:
    for name, error, _ in outcomes:
        if isinstance(error, LevyError):
            yield ModelNotFitted(model_type=name, code=error.code, detail=error.message)

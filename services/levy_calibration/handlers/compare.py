"""Comparing models on one surface."""

import math
import time
from collections.abc import Callable, Iterable, Iterator

from levy_calibration.handlers.parameter_intervals import gauss_newton
from levy_calibration.handlers.responses import fit_by_maturity, fitted_model, quality
from levy_numerics import models
from levy_numerics.calibration import Comparison, compare_one, in_spread_share, ranked
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
from levy_schemas.surface import DroppedQuote, Weights
from levy_surfaces.requested import reported, surface_of

Outcome = tuple[str, Comparison | LevyError, float]
"""A model's name, its comparison or why there is none, and the seconds it took."""


def compare(
    request: ComparisonRequest,
    *,
    model_version: str,
    n_starts: int | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> ComparisonResult:
    """Fit every model asked for to one surface, and rank them.

    Parameters
    ----------
    request : ComparisonRequest
        The quotes, and the models.
    model_version : str
        Told in the answer.
    n_starts : int, optional
        Starts of each fit; as many as it takes to confirm the best if absent.
    checkpoint : callable, optional
        Called between starts; raises when nobody waits for the answer any more.

    Raises
    ------
    LevyError
        A model is unknown, or the quotes are too few for all of them.
    """
    started = time.perf_counter()
    asked = _models(request)
    least = min(asked, key=lambda model: len(model.parameters()))
    surface = surface_of(request, n_parameters=len(least.parameters()), model_type=least.name)
    outcomes = [
        outcome_of(
            model,
            surface.quotes,
            weights=request.weights,
            holdout=request.holdout,
            n_starts=n_starts,
            progress=lambda _done, _all: checkpoint(),
        )
        for model in asked
    ]
    return comparison(
        outcomes,
        surface.quotes,
        weights=request.weights,
        dropped=reported(surface.dropped),
        quote_warnings=surface.warnings,
        model_version=model_version,
        seconds=time.perf_counter() - started,
    )


def outcome_of(
    model: type[Model],
    quotes: Quotes,
    *,
    weights: str,
    holdout: bool = True,
    n_starts: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Fit one model; that it cannot be fitted does not keep the others from being."""
    started = time.perf_counter()
    found: Comparison | LevyError
    try:
        found = compare_one(
            model, quotes, weights=weights, holdout=holdout, n_starts=n_starts, progress=progress
        )
        if not all(math.isfinite(value) for value in found.result.parameters.values()):
            message = f"the fit of {model.name} diverged: {found.result.reason}"
            found = UnsupportedError(message)
    except LevyError as error:
        found = error
    return model.name, found, time.perf_counter() - started


def comparison(
    outcomes: Iterable[Outcome],
    quotes: Quotes,
    *,
    weights: Weights,
    dropped: tuple[DroppedQuote, ...] = (),
    quote_warnings: tuple[str, ...] = (),
    model_version: str,
    seconds: float,
) -> ComparisonResult:
    """Rank what was found, and shape it as it goes over the wire.

    Parameters
    ----------
    outcomes : iterable of Outcome
        One for each model.
    quotes : Quotes
        What they were fitted to.
    weights : str
        With which.
    dropped : tuple of DroppedQuote
        Quotes that were not fitted.
    quote_warnings : tuple of str
        What cleaning noticed about the quotes.
    model_version : str
        Told in the answer.
    seconds : float
        The time it all took.
    """
    outcomes = list(outcomes)
    fitted = [found for _, found, _ in outcomes if isinstance(found, Comparison)]
    seconds_of = {name: took for name, _, took in outcomes}
    return ComparisonResult(
        results=tuple(_compared(one, quotes, seconds_of[one.name]) for one in ranked(fitted)),
        not_fitted=tuple(_not_fitted(outcomes)),
        weights=weights,
        n_quotes=quotes.size,
        comparison_time_ms=1e3 * seconds,
        model_version=model_version,
        dropped=dropped,
        warnings=quote_warnings,
    )


def _models(request: ComparisonRequest) -> list[type[Model]]:
    found = {}
    for i, name in enumerate(models.names() if request.models is None else request.models):
        try:
            found[name] = models.get(name)
        except UnknownModelError as error:
            error.details["pointer"] = pointer("models", i)
            raise
    return list(found.values())


def _compared(one: Comparison, quotes: Quotes, seconds: float) -> ComparedModel:
    share = in_spread_share(quotes, one.result.model_prices)
    return ComparedModel(
        **fitted_model(one.result, gauss_newton(one.result), with_errors=True),
        model_type=one.name,
        fit_by_maturity=fit_by_maturity(one.result),
        in_sample=None if one.in_sample is None else quality(one.in_sample),
        out_of_sample=None if one.out_of_sample is None else quality(one.out_of_sample),
        in_spread_share=share if math.isfinite(share) else None,
        calibration_time_ms=1e3 * seconds,
    )


def _not_fitted(outcomes: Iterable[Outcome]) -> Iterator[ModelNotFitted]:
    for name, found, _ in outcomes:
        if isinstance(found, LevyError):
            yield ModelNotFitted(model_type=name, code=found.code, detail=found.message)

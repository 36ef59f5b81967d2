"""Calibration to American quotes of a request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from levy_numerics import calibration
from levy_numerics.calibration.hybrid import Fit, FitStrategy, Proposer
from levy_numerics.errors import UnsupportedError
from levy_numerics.models.base import Model
from levy_numerics.pricing.early_exercise.terms import require_stationary_increments
from levy_numerics.surface import Surface
from levy_schemas.calibration import (
    CalibrationRequest,
    EarlyExercisePremium,
    QuotedForward,
    RemovedEarlyExercise,
)
from levy_schemas.finite import finite_or_none
from levy_surfaces.american import AmericanFit, fit_american
from levy_surfaces.american_requests import RequestedAmericanQuotes
from levy_surfaces.request_rows import RequestRows


@dataclass(frozen=True)
class EquivalentFit:
    """A fit to European equivalents.

    Attributes
    ----------
    fit : Fit
    model : Model
        The fitted model.
    """

    fit: Fit
    model: Model


def fit_american_request(
    request: CalibrationRequest,
    model: type[Model],
    strategy: FitStrategy,
    proposers: Sequence[Proposer],
    should_stop: Callable[[], bool],
) -> AmericanFit[EquivalentFit]:
    """Fit a model to American quotes: first by the strategy, then from the last fit.

    Parameters
    ----------
    request : CalibrationRequest
    model : type of Model
    strategy : FitStrategy
    proposers : sequence of Proposer
        Networks to try, in order.
    should_stop : callable
        Called every few evaluations and before each sweep of premiums; raises at the deadline.

    Raises
    ------
    LevyError
        The increments of the model are not stationary, the quotes are too few, or the fit failed.
    """
    try:
        require_stationary_increments(model.example())
    except UnsupportedError as error:
        error.details["pointer"] = "/model_type"
        raise
    quotes = RequestedAmericanQuotes.of(
        request, n_parameters=len(model.parameters()), model_type=model.name
    )

    def fit(surface: Surface, last: EquivalentFit | None) -> EquivalentFit:
        should_stop()
        if last is None:
            first = strategy.fit(model, surface.quotes, proposers, should_stop=should_stop)
            fitted = EquivalentFit(first, first.results[0].model)
        else:
            result = calibration.calibrate(
                model,
                surface.quotes,
                weights=strategy.weights,
                start=last.model.as_mapping(),
                should_stop=should_stop,
            )
            fitted = EquivalentFit(replace(last.fit, result=result), result.model)
        should_stop()
        return fitted

    return fit_american(quotes, fit)


def removed_early_exercise(
    request: CalibrationRequest, american: AmericanFit[EquivalentFit]
) -> RemovedEarlyExercise:
    """Return the premiums that were subtracted, in the form of the wire."""
    pointer_to = RequestRows.of(request).pointer_to
    vols = american.premium_vol
    return RemovedEarlyExercise(
        method="de-americanised with the premium of the fitted model",
        n_fits=american.n_fits,
        converged=american.converged,
        change=american.change,
        largest_premium=float(american.premium.max()),
        largest_premium_vol=float(np.nanmax(vols)) if np.isfinite(vols).any() else None,
        premiums=tuple(
            EarlyExercisePremium(
                pointer=pointer_to(int(row)), premium=premium, premium_vol=finite_or_none(vol)
            )
            for row, premium, vol in zip(
                american.surface.row, american.premium.tolist(), vols.tolist(), strict=True
            )
        ),
        forwards=tuple(
            QuotedForward(
                maturity=f.maturity_years, forward=f.forward, discount=f.discount, source=f.source
            )
            for f in american.surface.forwards
        ),
    )

"""Calibrating one surface."""

import time
from collections.abc import Callable

from levy_calibration.handlers.answers import answer
from levy_calibration.handlers.surface import surface_of
from levy_numerics import calibration, models
from levy_numerics.errors import UnsupportedError
from levy_schemas.calibration import CalibrationMethod, CalibrationRequest, CalibrationResult


def calibrate(
    request: CalibrationRequest,
    *,
    model_version: str,
    n_starts: int | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> CalibrationResult:
    """Fit a model to quotes, or to each expiry of them, by least squares on the exact pricer.

    Parameters
    ----------
    request : CalibrationRequest
        The quotes, and how to fit them.
    model_version : str
        Told in the answer.
    n_starts : int, optional
        Starts of the fit, the best of which answers; as many as it takes to confirm the best
        if absent.
    checkpoint : callable, optional
        Called between starts; raises when nobody waits for the answer any more.

    Raises
    ------
    LevyError
        The model is unknown, the quotes are too few, or what is asked is not built yet.
    """
    started = time.perf_counter()
    model = models.get(request.model_type)
    _refuse_what_is_not_there(request)
    if request.per_maturity:
        refuse_term_structure_of_its_own(request.model_type)
    surface = surface_of(
        request,
        n_parameters=len(model.parameters()),
        model_type=model.name,
        at_each_maturity=request.per_maturity,
    )
    fit_all = calibration.calibrate_each_maturity if request.per_maturity else calibration.calibrate
    fit = fit_all(
        model,
        surface.quotes,
        weights=request.weights,
        n_starts=n_starts,
        progress=lambda _done, _all: checkpoint(),
    )
    return answer(
        fit,
        method=request.method,
        uncertainty=request.uncertainty,
        dropped=surface.dropped,
        model_version=model_version,
        seconds=time.perf_counter() - started,
    )


def refuse_neural(model_type: str, method: CalibrationMethod) -> None:
    """Raise `UnsupportedError` if a network alone is to answer: none is trained."""
    if method == "neural":
        message = f"no network is trained for {model_type}; ask hybrid or least_squares"
        raise UnsupportedError(message, pointer="/method")


def refuse_term_structure_of_its_own(model_type: str) -> None:
    """Raise `UnsupportedError` if one expiry alone cannot determine the model."""
    if not models.get(model_type).stationary:
        message = (
            f"{model_type} has a term structure of its own, which one expiry cannot determine; "
            "fit it to the whole surface, or a Lévy model per maturity"
        )
        raise UnsupportedError(message, pointer="/per_maturity")


def _refuse_what_is_not_there(request: CalibrationRequest) -> None:
    refuse_neural(request.model_type, request.method)
    if request.uncertainty == "psis":
        message = "importance-weighted intervals are not built yet; ask laplace or none"
        raise UnsupportedError(message, pointer="/uncertainty")

"""Coverage of intervals: how often they contain the truth, or agree between two surfaces."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from levy_numerics import models
from levy_numerics.calibration import CalibrationResult, calibrate, half_width
from levy_numerics.calibration.uncertainty import ErrorModel
from levy_validation.simulation import Simulated, annual_deviation, two_listings

ERROR_MODELS: Final[tuple[ErrorModel, ...]] = ("robust", "discrepancy", "laplace_iid")
Counts = dict[str, list[int]]
"""Hits and trials, by `error model/quantity`."""


def fit_to_truth(simulated: Simulated, weights: str | None = None) -> CalibrationResult:
    """Fit the model of a simulated surface to it, from the truth."""
    return calibrate(
        type(simulated.truth), simulated.quotes, weights=weights, start=simulated.parameters
    )


def fits_to_listings(
    name: str, market: str, seed: int, weights: str | None = None
) -> tuple[CalibrationResult, CalibrationResult]:
    """Fit a model to two listings of one market that it does not contain."""
    model = models.get(name)
    first, second = (calibrate(model, q, weights=weights) for q in two_listings(market, seed))
    return first, second


def hits(
    fit: CalibrationResult,
    truth: Simulated,
    level: float,
    error_models: Sequence[ErrorModel] = ERROR_MODELS,
) -> Counts:
    """Count the intervals of parameters, and of the variance at one year, that contain the truth.

    Parameters
    ----------
    fit : CalibrationResult
    truth : Simulated
    level : float
        Nominal coverage.
    error_models : sequence of str
    """
    counts: Counts = {}
    variance, parameters = annual_deviation(truth.truth) ** 2, truth.parameters
    for error_model in error_models:
        of_model = fit.with_uncertainty(error_model)
        ends = of_model.intervals(level)
        judged = [name for name in ends if is_judged(fit, name)]
        contained = sum(ends[name][0] <= parameters[name] <= ends[name][1] for name in judged)
        counts[f"{error_model}/parameters"] = [contained, len(judged)]
        low, high = of_model.moments["variance"].interval(level)
        counts[f"{error_model}/variance"] = [int(low <= variance <= high), 1]
    return counts


def is_judged(fit: CalibrationResult, name: str) -> bool:
    """Return whether a parameter is fitted, and does not run to a limit."""
    is_limit = any(limit.split(" ")[0] == name for limit in fit.boundary_parameters)
    (parameter,) = (p for p in fit.model.parameters() if p.name == name)
    return not is_limit and parameter.typical_range[0] < parameter.typical_range[1]


def agreement(
    first: CalibrationResult,
    second: CalibrationResult,
    level: float,
    error_models: Sequence[ErrorModel] = ERROR_MODELS,
) -> Counts:
    """Count the parameters, and variances, that differ by less than the combined interval.

    Combined half-widths are √(w₁² + w₂²).
    """
    counts: Counts = {}
    for error_model in error_models:
        both = [fit.with_uncertainty(error_model) for fit in (first, second)]
        agreeing = []
        for name in first.parameters:
            if is_judged(first, name) and is_judged(second, name):
                values = [fit.parameters[name] for fit in both]
                errors = [fit.standard_errors[name] for fit in both]
                agreeing.append(_agree(values, errors, both, level))
        counts[f"{error_model}/parameters"] = [sum(agreeing), len(agreeing)]
        moments = [fit.moments["variance"] for fit in both]
        values, errors = [m.value for m in moments], [m.standard_error for m in moments]
        counts[f"{error_model}/variance"] = [int(_agree(values, errors, both, level)), 1]
    return counts


def _agree(
    values: list[float], errors: list[float], fits: list[CalibrationResult], level: float
) -> bool:
    widths = [
        half_width(error, fit.uncertainty.degrees_of_freedom, level)
        for error, fit in zip(errors, fits, strict=True)
    ]
    return abs(values[0] - values[1]) <= math.hypot(*widths)


def add(total: Counts, counts: Mapping[str, Sequence[int]]) -> None:
    """Add hits and trials to a total."""
    for key, (n_hits, n_trials) in counts.items():
        entry = total.setdefault(key, [0, 0])
        entry[0] += n_hits
        entry[1] += n_trials

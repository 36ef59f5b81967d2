"""Calibration from an initial guess that is probably good; restarts where others may fit better."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from levy_numerics.calibration import trust_region
from levy_numerics.calibration.fit_quality import FitQuality, PricingErrors
from levy_numerics.calibration.initial_guesses import initial_guesses
from levy_numerics.calibration.least_squares import (
    multistart_agreement,
    require_enough_quotes,
    result_of,
    select_best,
    solve_from_each,
)
from levy_numerics.calibration.objective import Objective
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.calibration.solver_problem import Solution
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer

# Root-mean-square volatility error of a fit that needs no restart: a tenth of a point.
_CLOSE_FIT: Final = 1e-3
_N_RESTARTS: Final = 12
# Relative excess of cost at which the initial guess still counts as having led to the best fit.
_SAME_COST: Final = 1e-6


@dataclass(frozen=True)
class LocalFit:
    """A fit, and whether its initial guess was good.

    Attributes
    ----------
    result : CalibrationResult
    start_accepted : bool
        Whether the initial guess led to the best fit found.
    """

    result: CalibrationResult
    start_accepted: bool


@dataclass(frozen=True)
class LocalSolution:
    """The best solution from an initial guess and, where that was not close, from other starts.

    Attributes
    ----------
    best : Solution
    errors : PricingErrors, optional
        Of the best solution, where they were needed to accept it.
    n_evaluations : int
        Of all starts.
    start_accepted : bool
        Whether the initial guess led to the best solution.
    """

    best: Solution
    errors: PricingErrors | None
    n_evaluations: int
    start_accepted: bool


def fit_from(
    quotes: Quotes,
    start: Model,
    *,
    weights: str | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    pricer: SinhPricer | None = None,
) -> LocalFit:
    """Fit from `start`; restart until starts agree, where others may fit better.

    Parameters
    ----------
    quotes : Quotes
        n of them.
    start : Model
        One parameter set.
    weights, seed, progress, should_stop
        As in `calibrate`.
    pricer : SinhPricer, optional
        Of these contracts, with tables computed before.

    Raises
    ------
    InvalidInputError
        Fewer quotes than parameters.
    """
    model, objective = type(start), Objective.of(quotes, weights, pricer)
    solution = solve_from(
        model,
        objective,
        _coordinates(start),
        seed=seed,
        progress=progress,
        should_stop=should_stop,
    )
    result = result_of(model, objective, solution.best, solution.n_evaluations, solution.errors)
    return LocalFit(result, solution.start_accepted)


def solve_from(
    model: type[Model],
    objective: Objective,
    start: np.ndarray,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> LocalSolution:
    """Return the solution from an initial guess, or the best of several starts.

    A fit is accepted where the start led to it directly and the model's surfaces hardly ever have a
    second minimum (`Model.min_repeat_hits` is 1), or where it is close: then it is the global
    optimum up to a tenth of a volatility point. Otherwise as many screened starts as the model
    requires must agree on the best fit.

    Parameters
    ----------
    objective : Objective
    start : ndarray, shape (n_coordinates,)
    seed, progress, should_stop
        As in `calibrate`.

    Raises
    ------
    InvalidInputError
        Fewer quotes than parameters.
    """
    require_enough_quotes(model, objective.quotes)
    problem = objective.problem(model)
    first = trust_region.solve(problem, start, should_stop=should_stop)
    if multistart_agreement([first], problem.floor, model.min_repeat_hits):
        return LocalSolution(first, None, first.n_evaluations, start_accepted=True)
    if first.status == "converged":
        errors = objective.errors(first.values)
        if _is_close(errors):
            return LocalSolution(first, errors, first.n_evaluations, start_accepted=True)
    if progress is not None:
        progress(1, 1 + _N_RESTARTS)
    solutions = solve_from_each(
        model,
        objective,
        initial_guesses(model, objective, n_starts=_N_RESTARTS, seed=seed),
        before=[(start, first)],
        progress=progress,
        should_stop=should_stop,
    )
    best = select_best(solutions)
    return LocalSolution(
        best,
        None,
        sum(solution.n_evaluations for solution in solutions),
        start_accepted=first.cost <= best.cost * (1.0 + _SAME_COST),
    )


def _is_close(errors: PricingErrors) -> bool:
    return FitQuality.of_errors(errors).implied_vol_rmse <= _CLOSE_FIT


def evaluate_at(
    quotes: Quotes, proposed: Model, *, weights: str | None = None
) -> CalibrationResult:
    """Return prices, errors and local geometry of a parameter set as it is, without a fit."""
    objective = Objective.of(quotes, weights)
    solution = trust_region.solve(
        objective.problem(type(proposed)), _coordinates(proposed), max_evaluations=1
    )
    result = result_of(type(proposed), objective, solution, 1)
    return replace(result, reason="as proposed, without a fit", warnings=())


def _coordinates(model: Model) -> np.ndarray:
    return np.asarray(model.to_coordinates(), dtype=float)

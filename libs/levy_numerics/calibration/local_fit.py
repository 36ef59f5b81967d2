"""Calibration from an initial guess that is probably good: a local fit, and restarts in doubt."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from levy_numerics.calibration.fit_quality import FitQuality, PricingErrors
from levy_numerics.calibration.initial_guesses import screened_starts
from levy_numerics.calibration.least_squares import (
    best_of,
    confirmed,
    in_box,
    require_enough_quotes,
    result_of,
)
from levy_numerics.calibration.objective import Objective
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.calibration.solvers import levenberg_marquardt
from levy_numerics.calibration.solvers.problem import Solution
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer

_CLOSE_FIT: Final = 1e-3
"""Root-mean-square volatility error of a fit that needs no restart: a tenth of a point."""
_N_RESTARTS: Final = 12
_FIRST_DAMPING: Final = 1e-8
"""Lower than from elsewhere: the whole step is usually right, and saves a tenth of the rest."""
_NO_BETTER: Final = 1e-6


@dataclass(frozen=True)
class Polished:
    """A fit, and whether its initial guess was good.

    Attributes
    ----------
    result : CalibrationResult
    start_was_good : bool
        Whether the initial guess led to the best fit found.
    """

    result: CalibrationResult
    start_was_good: bool


@dataclass(frozen=True)
class LocalSolution:
    """The best solution found from an initial guess and, where that was not close, from others.

    Attributes
    ----------
    best : Solution
    n_evaluations : int
        Of all starts.
    start_accepted : bool
        Whether the initial guess led to the best solution.
    """

    best: Solution
    n_evaluations: int
    start_accepted: bool


def polish(
    quotes: Quotes,
    start: Model,
    *,
    weights: str = "price",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    pricer: SinhPricer | None = None,
) -> Polished:
    """Fit from `start`; where that fit is not close, restart from elsewhere until confirmed.

    Parameters
    ----------
    quotes : Quotes
        n of them.
    start : Model
        One parameter set.
    weights, seed, progress
        As in `calibrate`.
    pricer : SinhPricer, optional
        Of these contracts, with tables computed before.

    Raises
    ------
    InvalidInputError
        Fewer quotes than parameters.
    """
    model, objective = type(start), Objective.of(quotes, weights, pricer)
    found = fit_locally(model, objective, _coordinates(start), seed=seed, progress=progress)
    return Polished(
        result_of(model, objective, found.best, found.n_evaluations), found.start_accepted
    )


def fit_locally(
    model: type[Model],
    objective: Objective,
    start: np.ndarray,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LocalSolution:
    """Return the solution from an initial guess, or the best of several starts.

    A close fit is the global optimum but for the rest of a tenth of a vol point. Real surfaces
    may be far from every model: there the fit must be found again from a screened start, and if
    that finds a better one, several starts decide.

    Parameters
    ----------
    objective : Objective
    start : ndarray, shape (n_coordinates,)
    seed, progress
        As in `calibrate`.

    Raises
    ------
    InvalidInputError
        Fewer quotes than parameters.
    """
    require_enough_quotes(model, objective.quotes)
    problem = objective.problem(model)
    first = levenberg_marquardt.solve(problem, start, first_damping=_FIRST_DAMPING)
    is_exact = 2.0 * first.cost <= problem.floor**2
    if first.status == "converged" and (is_exact or _is_close(objective.quotes, first)):
        return LocalSolution(first, first.n_evaluations, start_accepted=True)
    solutions: list[Solution] = [first]
    if progress is not None:
        progress(1, 1 + _N_RESTARTS)
    starts = screened_starts(model, objective, n_starts=_N_RESTARTS, seed=seed)
    for z in starts:
        solutions.append(levenberg_marquardt.solve(problem, z))
        if progress is not None:
            progress(len(solutions), 1 + len(starts))
        begun = in_box(problem, [start, *starts[: len(solutions) - 1]])
        if confirmed(solutions, problem.floor, model.min_repeat_hits, begun):
            break
    best = best_of(solutions)
    return LocalSolution(
        best,
        sum(solution.n_evaluations for solution in solutions),
        start_accepted=first.cost <= best.cost * (1.0 + _NO_BETTER),
    )


def _is_close(quotes: Quotes, solution: Solution) -> bool:
    errors = PricingErrors.of(quotes, solution.values)
    return FitQuality.of_errors(errors).implied_vol_rmse <= _CLOSE_FIT


def unpolished(quotes: Quotes, proposed: Model, *, weights: str = "price") -> CalibrationResult:
    """What a parameter set is worth as it stands: its prices, errors and local geometry."""
    objective = Objective.of(quotes, weights)
    solution = levenberg_marquardt.solve(
        objective.problem(type(proposed)), _coordinates(proposed), max_evaluations=1
    )
    found = result_of(type(proposed), objective, solution, 1)
    return replace(found, reason="as proposed, without a fit", warnings=())


def _coordinates(model: Model) -> np.ndarray:
    return np.asarray(model.to_coordinates(), dtype=float)

"""Calibration from a start that is probably good: one local fit, and a second opinion in doubt."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from levy_numerics.calibration.least_squares import (
    best_of,
    confirmed,
    require_enough_quotes,
    result_of,
)
from levy_numerics.calibration.objective import Objective
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.calibration.solvers import levenberg_marquardt
from levy_numerics.calibration.solvers.problem import Solution
from levy_numerics.calibration.starts import screened_starts
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model

_CLOSE_FIT: Final = 1e-3
"""Volatility error, root-mean-square, of a fit that needs no second opinion: a tenth of a point."""
_SECOND_OPINIONS: Final = 12
_FIRST_DAMPING: Final = 1e-8
"""Lower than from elsewhere: the whole step is usually right, and saves a tenth of the rest."""
_NO_BETTER: Final = 1e-6


@dataclass(frozen=True)
class Polished:
    """A fit, and whether the start deserves the credit.

    Attributes
    ----------
    result : CalibrationResult
    start_was_good : bool
        Whether the start led to the best fit found.
    """

    result: CalibrationResult
    start_was_good: bool


def polish(
    quotes: Quotes,
    start: Model,
    *,
    weights: str = "price",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Polished:
    """Fit from `start`; where the fit is not close, also from elsewhere until one is confirmed.

    A close fit is the global optimum but for the rest of a tenth of a vol point. Real surfaces
    may be far from every model: there the fit must be found again from a screened start, and if
    that finds a better one, several starts answer.

    Parameters
    ----------
    quotes : Quotes
        n of them.
    start : Model
        One parameter set.
    weights, seed, progress
        As in `calibrate`.

    Raises
    ------
    InvalidInputError
        Fewer quotes than parameters.
    """
    model_type = type(start)
    require_enough_quotes(model_type, quotes)
    objective = Objective.of(quotes, weights)
    problem = objective.problem(model_type)
    first = levenberg_marquardt.solve(problem, _coordinates(start), first_damping=_FIRST_DAMPING)
    result = result_of(model_type, objective, first, first.n_evaluations)
    if first.status == "converged" and result.fit.implied_vol_rmse <= _CLOSE_FIT:
        return Polished(result, start_was_good=True)
    solutions: list[Solution] = [first]
    if progress is not None:
        progress(1, 1 + _SECOND_OPINIONS)
    starts = screened_starts(model_type, objective, n_starts=_SECOND_OPINIONS, seed=seed)
    for z in starts:
        solutions.append(levenberg_marquardt.solve(problem, z))
        if progress is not None:
            progress(len(solutions), 1 + len(starts))
        if confirmed(solutions, problem.floor, model_type.confirmations):
            break
    n_evaluations = sum(solution.n_evaluations for solution in solutions)
    best = best_of(solutions)
    if best is not first:
        result = result_of(model_type, objective, best, n_evaluations)
    return Polished(
        replace(result, n_evaluations=n_evaluations),
        start_was_good=first.cost <= best.cost * (1.0 + _NO_BETTER),
    )


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

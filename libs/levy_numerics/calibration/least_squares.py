"""Calibration by least squares on exact prices, with an exact Jacobian."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from levy_numerics.calibration import trust_region
from levy_numerics.calibration.boundaries import degenerate_limits
from levy_numerics.calibration.fit_quality import (
    FitQuality,
    PricingErrors,
    fit_by_maturity,
    misfits_term_structure,
)
from levy_numerics.calibration.identifiability import Identifiability
from levy_numerics.calibration.initial_guesses import initial_guesses
from levy_numerics.calibration.objective import Objective
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.calibration.solver_problem import LeastSquaresProblem, Solution
from levy_numerics.calibration.thinning import distinct_minima, thinned_objective
from levy_numerics.calibration.uncertainty import FitUncertainty
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.models.compiled import from_coordinates_with_jacobian

_MAX_STARTS: Final = 1000
# Real quotes rarely need more for starts to agree; what then disagrees, more starts do not settle.
_MAX_AUTOMATIC_STARTS: Final = 12
# Relative difference of costs that are equal up to rounding and the solver's tolerance.
_SAME_COST: Final = 1e-6
_SAME_COST_OF_STALLED: Final = 1e-3
# Share of the search box, along some coordinate, between starts whose agreement counts: starts
# close together lead to the same local minimum.
_FAR_APART: Final = 0.1
# Edges of the box attract: more starts must agree on a solution there.
_MORE_AT_A_BOUND: Final = 2
# Evaluations within which a start leads to its solution directly. Of 340 fits to real and
# misspecified surfaces by Variance Gamma, NIG and CGMY, all of those were the best of 36 starts;
# the one that was not had wandered for 19.
_DIRECT: Final = 10
# Starts that must agree where one would suffice but has wandered.
_UNLESS_DIRECT: Final = 2
# Evaluations of usual cost after which half the agreement suffices, and after which no other start
# is tried, so that slow models end in reasonable time.
_MUCH_WORK: Final = 500
_TOO_MUCH_WORK: Final = 3000
# Nodes of the quadrature for an evaluation of usual cost. Many jumps of nearly one size take a
# hundred times as many: their characteristic function decays along the real line only.
_USUAL_NODES: Final = 200
# Cost after some evaluations, relative to the best so far, above which a start is given up: jumps
# of one size make every evaluation a hundred times as dear and the steps small, so that starts that
# wander there would take most of the time, and do not lead to the best fit.
_HOPELESS: Final = 1.5
# Quotes from which starts are compared on a part of them.
MANY_QUOTES: Final = 400


def calibrate(
    model: type[Model],
    quotes: Quotes,
    *,
    weights: str | None = None,
    start: Mapping[str, Any] | None = None,
    n_starts: int | None = None,
    seed: int = 0,
    max_evaluations: int = 200,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> CalibrationResult:
    """Fit a model to quotes.

    Minimises the sum of squared weighted errors in the model's coordinates.

    Parameters
    ----------
    model : type of Model
    quotes : Quotes
        n of them.
    weights : {"price", "vega", "bid_ask"}, optional
        Unit of an error: see `weights.weighting`; by default `weights.default_weights`.
    start : mapping, optional
        Parameters to begin from, instead of the screened starts.
    n_starts : int, optional
        Solutions to compare; the best is returned. By default as many as it takes for the fit to
        be exact, or for as many starts far apart to agree as the model's `min_repeat_hits` require
        (half as many after 500 evaluations of usual cost), at most 12, and none after 3,000.
    seed : int
        Of the Sobol points among which starts are screened.
    max_evaluations : int
        For each start.
    progress : callable, optional
        Called with (starts done, starts in all).
    should_stop : callable, optional
        Called every few evaluations, for deadlines: once it returns true, the best fit so far is
        the result.

    Returns
    -------
    CalibrationResult
        Check its `status` for convergence.

    Raises
    ------
    InvalidInputError
        Fewer quotes than parameters, or `n_starts` below one.
    InvalidParameterError
        `start` is not an admissible parameter set.
    """
    require_enough_quotes(model, quotes)
    if n_starts is not None and not (1 <= n_starts <= _MAX_STARTS):
        raise InvalidInputError(f"n_starts = {n_starts} must lie between 1 and {_MAX_STARTS}")
    objective = Objective.of(quotes, weights)
    if start is None:
        n = _MAX_AUTOMATIC_STARTS if n_starts is None else n_starts
        starts = initial_guesses(model, objective, n_starts=n, seed=seed)
    else:
        starts = [np.asarray(model.from_mapping(start).to_coordinates(), dtype=float)]
    solve_starts = partial(
        solve_from_each,
        model,
        max_evaluations=max_evaluations,
        progress=progress,
        should_stop=should_stop,
    )
    n_evaluations = 0
    if start is None and n_starts is None and quotes.size >= MANY_QUOTES:
        thinned = solve_starts(thinned_objective(objective), starts)
        n_evaluations = sum(solution.n_evaluations for solution in thinned)
        starts = distinct_minima(thinned)
        solutions = solve_starts(objective, starts, until_agreement=False)
    else:
        solutions = solve_starts(objective, starts, until_agreement=n_starts is None)
    best = select_best(solutions)
    if best.status == "stalled" and not (should_stop is not None and should_stop()):
        # A flat valley, where the trust region may have shrunk: restart from there.
        problem = objective.problem(model)
        solutions.append(
            trust_region.solve(
                problem, best.point, max_evaluations=max_evaluations, should_stop=should_stop
            )
        )
        best = select_best(solutions)
    n_evaluations += sum(solution.n_evaluations for solution in solutions)
    return result_of(model, objective, best, n_evaluations)


def solve_from_each(
    model: type[Model],
    objective: Objective,
    starts: Sequence[np.ndarray],
    *,
    before: Sequence[tuple[np.ndarray, Solution]] = (),
    until_agreement: bool = True,
    max_evaluations: int = 200,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Solution]:
    """Return solutions from several starts, until enough of them agree on the best.

    Parameters
    ----------
    starts : sequence of ndarray, shape (n_coordinates,)
    before : sequence of (start, Solution)
        Solutions that exist already; they are the first of those returned.
    until_agreement : bool
        Whether later starts are left out once earlier ones agree, or have cost too much.
    max_evaluations, progress, should_stop
        As in `calibrate`.
    """
    problem = objective.problem(model)
    tried = unit_box(problem, [*(z for z, _ in before), *starts])
    solutions = [solution for _, solution in before]
    work = 0.0
    for z in starts:
        if solutions and should_stop is not None and should_stop():
            break
        best_cost = min((s.cost for s in solutions), default=math.inf)
        solutions.append(
            trust_region.solve(
                problem,
                z,
                max_evaluations=max_evaluations,
                give_up_above=_HOPELESS * best_cost,
                should_stop=should_stop,
            )
        )
        if progress is not None:
            progress(len(solutions), len(tried))
        work += solutions[-1].n_evaluations * max(objective.pricer.n_nodes / _USUAL_NODES, 1.0)
        needed = model.min_repeat_hits
        if work >= _MUCH_WORK:
            needed = max(needed // 2, 1)
        if until_agreement and (
            work >= _TOO_MUCH_WORK or multistart_agreement(solutions, problem.floor, needed, tried)
        ):
            break
    return solutions


def unit_box(problem: LeastSquaresProblem, starts: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return starts as shares of the search box."""
    return [(z - problem.low) / (problem.high - problem.low) for z in starts]


def require_enough_quotes(model: type[Model], quotes: Quotes) -> None:
    """Raise `InvalidInputError` where there are fewer quotes than parameters."""
    n_parameters = len(model.parameters())
    if quotes.size < n_parameters:
        raise InvalidInputError(
            f"{quotes.size} quotes cannot determine the {n_parameters} parameters of {model.name}"
        )


def multistart_agreement(
    solutions: list[Solution], floor: float, needed: int, starts: Sequence[np.ndarray] = ()
) -> bool:
    """Return whether the best fit is exact, or enough starts far apart agree on it.

    Parameters
    ----------
    solutions : list of Solution
    floor : float
        Norm of the residuals below which they are rounding.
    needed : int
        Starts that must agree, two more on an edge of the box. One suffices where `needed` is one
        and it led to the best fit directly, within 10 evaluations; otherwise two must agree.
    starts : sequence of ndarray, optional
        Initial guesses of the solutions, as shares of the search box. Of those that agree, only
        starts far apart from each other count; all count where none are given.
    """
    best = min(solutions, key=lambda solution: solution.cost)
    if 2.0 * best.cost <= floor**2:
        return True
    # Solutions that stall in a valley that falls ever slower stop a little short of its end.
    slack = _SAME_COST_OF_STALLED if best.status == "stalled" else _SAME_COST
    agreeing = [k for k, s in enumerate(solutions) if s.cost <= best.cost * (1.0 + slack)]
    n_needed = _n_agreeing(best, needed)
    if not starts:
        return len(agreeing) >= n_needed
    distinct: list[np.ndarray] = []
    for k in agreeing:
        if all(np.abs(starts[k] - other).max() >= _FAR_APART for other in distinct):
            distinct.append(starts[k])
    return len(distinct) >= n_needed


def _n_agreeing(best: Solution, needed: int) -> int:
    """Return how many starts must lead to a solution for it to be taken for the global optimum."""
    if needed == 1:
        has_arrived = best.status in ("converged", "at_bound")
        return 1 if has_arrived and best.n_evaluations <= _DIRECT else _UNLESS_DIRECT
    return needed if best.status == "converged" else needed + _MORE_AT_A_BOUND


def select_best(solutions: list[Solution]) -> Solution:
    """Return the solution of least cost; ties up to rounding prefer a converged one."""
    lowest = min(solution.cost for solution in solutions)
    tied = [s for s in solutions if s.cost <= lowest * (1.0 + _SAME_COST)]
    return min(tied, key=lambda s: (s.status not in ("converged", "at_bound"), s.cost))


def result_of(
    model: type[Model],
    objective: Objective,
    solution: Solution,
    n_evaluations: int,
    errors: PricingErrors | None = None,
) -> CalibrationResult:
    """Return the calibration result of a solution: fit quality, identifiability and warnings.

    `errors` are those of the solution's values, if they have been computed before.
    """
    quotes = objective.quotes
    member, by_coordinate = from_coordinates_with_jacobian(model, solution.point)
    fitted = solution.values
    if not np.isfinite(solution.cost):
        # Raises where the model has no prices.
        fitted, errors = objective.pricer.price(member).value, None
    if errors is None:
        errors = objective.errors(fitted)
    misfit = model.has_stationary_increments and misfits_term_structure(quotes.contracts, errors)
    problem = objective.problem(model)
    geometry = Identifiability.of(solution, problem.low, problem.high)
    contracts = quotes.contracts
    uncertainty = FitUncertainty.of("robust", member, by_coordinate, geometry, contracts)
    limits = degenerate_limits(member, solution, problem, objective)
    # Close to the Gaussian limit the cost is flat, so that solvers may not end there.
    is_gaussian = bool(limits) and limits == member.gaussian_limit()
    if limits and (
        solution.status == "converged"
        or (is_gaussian and solution.status in ("stalled", "max_evaluations"))
    ):
        solution = replace(solution, status="at_bound")
    return CalibrationResult(
        model=member,
        status=solution.status,
        reason=solution.reason,
        weights=objective.weights,
        weighting=objective.weighting,
        uncertainty=uncertainty,
        identifiability=geometry,
        boundary_parameters=limits,
        model_prices=fitted,
        residuals=errors.price,
        fit=FitQuality.of_errors(errors),
        by_maturity=fit_by_maturity(quotes.contracts, errors),
        cost=solution.cost,
        n_evaluations=n_evaluations,
        warnings=tuple(_warnings(model, solution, geometry, limits, misfit)),
        contracts=contracts,
    )


def _warnings(
    model: type[Model],
    solution: Solution,
    geometry: Identifiability,
    limits: tuple[str, ...],
    misfit: bool,
) -> Iterator[str]:
    if solution.status not in ("converged", "at_bound"):
        yield f"The fit did not converge ({solution.status}): {solution.reason}."
    if limits:
        yield (
            f"The best fit is a limit of {model.name}: {', '.join(limits)}. Parameters that run to "
            "a limit have no meaning on their own; the moments show what the quotes determine."
        )
    n_quotes, n_coordinates = solution.jacobian.shape
    if not geometry.degrees_of_freedom:
        yield (
            f"{n_quotes} quotes and {n_coordinates} free parameters of {model.name} leave no "
            "degrees of freedom to estimate the quotes' error, so the fit has no intervals. Add "
            "quotes, or request uncertainty = psis, which puts a prior on the error."
        )
    n_null_directions = int(np.sum(~geometry.identified))
    if n_null_directions:
        yield (
            f"The quotes do not determine {n_null_directions} of the {solution.point.size} "
            f"directions in which parameters of {model.name} can move; intervals along them are "
            "infinite."
        )
    if misfit:
        yield (
            f"{model.name} has stationary increments and misses the term structure: errors have a "
            "level and slope of their own at each expiry. An additive process, a Sato process, a "
            "stochastic clock or one fit per maturity follows it."
        )

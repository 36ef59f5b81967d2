"""Nonlinear least squares in a box, for a handful of variables and hundreds of residuals.

Gauss-Newton steps in a rectangular trust region. Close to the optimum, where the residuals that are
left are noise and misfit, the curvature that Gauss-Newton leaves out is learned from the steps:
misfit otherwise makes the iterations converge as slowly as a geometric series.

The algorithm is a state and two compiled functions: `propose` sets the next point to evaluate,
`judge` accepts or rejects it. `solve` alternates them with evaluations in Python; where a problem
has compiled iterations, these run the same two functions without the interpreter.

The residuals at the end of the last step are often known well enough without an evaluation: see
`_accept_unevaluated`.

References
----------
Conn, Gould and Toint (2000), Trust-Region Methods, SIAM, chapter 7, for regions that are boxes.
Dennis, Gay and Welsch (1981), ACM Transactions on Mathematical Software 7(3), 348-368, for the
curvature. Deuflhard (2004), Newton methods for nonlinear problems, Springer, section 4.3, for the
contraction of successive Gauss-Newton steps.
"""

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from levy_numerics.calibration.gauss_newton import step_in_box, triangle_of, update_curvature
from levy_numerics.calibration.solver_problem import (
    Evaluation,
    LeastSquaresProblem,
    Solution,
    Status,
)
from levy_numerics.jit import compiled_in_order

_STEP_TOLERANCE: Final = 1e-9
_REDUCTION_TOLERANCE: Final = 1e-13
# A fit ends within this share of its parameters' standard errors. The squared distance from the
# optimum, in standard errors, is the reduction that is left over the cost, per degree of freedom.
NEGLIGIBLE_ERROR: Final = 1e-3
# The same where a step would still be evaluated: the next one costs as much as this one.
_LEAST_ERROR: Final = 1e-4
# Share of a negligible reduction below which a direction is not followed.
_SHARE_OF_A_DIRECTION: Final = 1e-3
# Some valleys fall ever slower: so many evaluations must reduce the cost by at least this share.
_STALL_EVALUATIONS: Final = 30
_WORTHWHILE_REDUCTION: Final = 3e-4
# Trust region: the largest change of a coordinate, most of which are logarithms.
_FIRST_RADIUS: Final = 1.5
_LARGEST_RADIUS: Final = 3.0
_SMALLEST_RADIUS: Final = 1e-12
_POOR_PREDICTION: Final = 0.25
_GOOD_PREDICTION: Final = 0.75
_SHRINK: Final = 0.5
_GROW: Final = 2.0
_MOST_SHRINK: Final = 0.1
# Share of the cost that may be left to reduce where curvature is learned. Far from the optimum it
# changes too much from step to step; in the curved valleys of jump models it is needed early.
_NEAR: Final = 0.1
# In coordinates: the Jacobian is off by as much at the step's end.
_SHORT_STEP: Final = 1e-3
# Evaluations from which a start is compared with the best solution of other starts.
_HOPELESS_EVALUATIONS: Final = 40

_OUTCOMES: Final[tuple[tuple[Status | None, str], ...]] = (
    (None, "running"),
    (None, "the next point must be evaluated"),
    ("diverged", "the start cannot be priced"),
    ("max_evaluations", "stopped after {n} evaluations"),
    ("max_evaluations", "stopped on request after {n} evaluations"),
    ("max_evaluations", "given up after {n} evaluations: another start fits much better"),
    (
        "stalled",
        f"{_STALL_EVALUATIONS} steps improve the fit by less than {_WORTHWHILE_REDUCTION:.2%}",
    ),
    ("stalled", "no step improves the fit"),
    ("converged", "residuals are down to rounding"),
    ("converged", "no step could improve the fit"),
    ("converged", "no further step could matter"),
    ("converged", "the step vanishes"),
    ("converged", "the fit no longer improves"),
    ("converged", "no step improves the fit"),
)
# Codes: positions in `_OUTCOMES`.
(
    RUNNING,
    EVALUATE,
    DIVERGED,
    STOPPED,
    STOPPED_ON_REQUEST,
    GIVEN_UP,
    STALLED,
    SHRUNK,
    EXACT,
    OPTIMAL,
    UNEVALUATED,
    VANISHED,
    FLAT,
    REJECTED,
) = range(len(_OUTCOMES))

_NUMBERS: Final = np.dtype(
    [
        (name, np.float64)
        for name in (
            "cost",
            "radius",
            "reduction",
            "predicted",
            "predicted_before",
            "checkpoint_cost",
            "floor",
            "give_up_above",
        )
    ]
    + [
        (name, np.int64)
        for name in ("n_evaluations", "max_evaluations", "checkpoint", "has_curvature")
    ]
)


class Iterate(NamedTuple):
    """A point, shape (n,), and the arrays of its `Evaluation`; the Jacobian by variable, (n, m)."""

    point: np.ndarray
    residuals: np.ndarray
    by_variable: np.ndarray
    values: np.ndarray
    residual_derivative: np.ndarray


class State(NamedTuple):
    """State of a solution: the box, the best iterate, the next one, and one record of numbers.

    `curvature`, shape (n, n), is what the steps have shown of Σᵢ rᵢ∇²rᵢ.
    """

    low: np.ndarray
    high: np.ndarray
    current: Iterate
    trial: Iterate
    curvature: np.ndarray
    numbers: np.ndarray


def solve(
    problem: LeastSquaresProblem,
    start: np.ndarray,
    *,
    max_evaluations: int = 200,
    give_up_above: float = math.inf,
    should_stop: Callable[[], bool] | None = None,
) -> Solution:
    """Minimise from `start`.

    Parameters
    ----------
    start : ndarray, shape (n,)
        Clipped to the box.
    max_evaluations : int
        Of residuals with their Jacobian.
    give_up_above : float
        Cost above which the solution is given up after 40 evaluations.
    should_stop : callable, optional
        Called between iterations; once it returns true, the best point so far is the solution.
    """
    state = _initial(problem, start, max_evaluations, give_up_above)
    iterate: Callable[[State], int] = problem.iterate or propose
    code = RUNNING
    while code == RUNNING:
        begun = int(state.numbers["n_evaluations"][0]) > 0
        if begun and should_stop is not None and should_stop():
            code = STOPPED_ON_REQUEST
            break
        code = iterate(state)
        if code == EVALUATE:
            _store(problem.evaluate(state.trial.point), state.trial)
            code = judge(state)
    return _solution(state, code)


@compiled_in_order
def propose(state: Any) -> int:
    """Set the next point to evaluate and return `EVALUATE`, or why the current point is final."""
    low, high, current, trial, curvature, numbers = state
    s = numbers[0]
    if s.n_evaluations == 0:
        return EVALUATE
    if s.n_evaluations >= s.max_evaluations:
        return STOPPED
    if math.sqrt(2.0 * s.cost) <= s.floor:
        return EXACT
    triangle, rotated, is_finite = triangle_of(current.residuals, current.by_variable)
    if not is_finite:
        return SHRUNK
    unit = _reduction_of_one_error(state)
    least = _SHARE_OF_A_DIRECTION * NEGLIGIBLE_ERROR**2 * unit
    below, above = low - current.point, high - current.point
    step, s.reduction = step_in_box(triangle, rotated, curvature, False, below, above, least)
    if s.reduction <= _LEAST_ERROR**2 * unit:
        return OPTIMAL
    if s.n_evaluations >= _HOPELESS_EVALUATIONS and s.cost > s.give_up_above:
        return GIVEN_UP
    if s.n_evaluations >= s.checkpoint:
        if s.checkpoint_cost - s.cost < _WORTHWHILE_REDUCTION * s.cost:
            return STALLED
        s.checkpoint, s.checkpoint_cost = s.n_evaluations + _STALL_EVALUATIONS, s.cost
    s.predicted = 0.0
    below, above = np.maximum(below, -s.radius), np.minimum(above, s.radius)
    if s.has_curvature:
        newton, s.predicted = step_in_box(triangle, rotated, curvature, True, below, above, least)
        if s.predicted > 0.0:
            step = newton
    if not s.predicted > 0.0:
        s.predicted = s.reduction
        if np.abs(step).max() > s.radius:
            step, s.predicted = step_in_box(
                triangle, rotated, curvature, False, below, above, least
            )
    # Steps shrink at least as they did: as one over another for residuals that are not zero, and
    # as the square of one where they are.
    if s.predicted_before > 0.0:
        remaining = s.predicted**2 / s.predicted_before
        if remaining <= NEGLIGIBLE_ERROR**2 * unit and _accept_unevaluated(state, step):
            return UNEVALUATED
    for j in range(len(step)):
        trial.point[j] = min(max(current.point[j] + step[j], low[j]), high[j])
    return VANISHED if np.abs(step).max() <= _STEP_TOLERANCE else EVALUATE


@compiled_in_order
def _reduction_of_one_error(state: Any) -> float:
    """Return the reduction of the cost by a step of one standard error."""
    n, m = state.current.by_variable.shape
    return float(state.numbers[0].cost / max(m - n, 1))


@compiled_in_order
def judge(state: Any) -> int:
    """Accept or reject the trial, which has been evaluated; return `RUNNING`, or why to end."""
    current, trial, s = state.current, state.trial, state.numbers[0]
    cost = 0.0
    for i in range(len(trial.residuals)):
        cost += 0.5 * trial.residuals[i] * trial.residuals[i]
    s.n_evaluations += 1
    reduction = s.cost - cost
    if s.n_evaluations == 1:
        _accept(current, trial)
        s.cost = s.checkpoint_cost = cost
        return RUNNING if math.isfinite(cost) else DIVERGED
    size = np.abs(trial.point - current.point).max()
    if math.isfinite(cost) and reduction > 0.0:
        small = reduction <= _REDUCTION_TOLERANCE * s.cost and s.predicted <= 2.0 * reduction
        is_near = s.reduction < _NEAR * s.cost
        s.has_curvature = 1 if is_near and _learn_curvature(state) else 0
        if reduction < _POOR_PREDICTION * s.predicted:
            s.radius = _SHRINK * size
        elif reduction > _GOOD_PREDICTION * s.predicted and size >= 0.99 * s.radius:
            s.radius = min(_GROW * s.radius, _LARGEST_RADIUS)
        _accept(current, trial)
        s.cost, s.predicted_before = cost, s.predicted
        return FLAT if small else RUNNING
    if s.reduction <= NEGLIGIBLE_ERROR**2 * _reduction_of_one_error(state):
        return REJECTED
    s.radius = _shrinkage(state, cost) * size
    s.predicted_before, s.has_curvature = 0.0, 0
    return SHRUNK if s.radius < _SMALLEST_RADIUS else RUNNING


@compiled_in_order
def _shrinkage(state: Any, cost: float) -> float:
    """Return the share of a rejected step at which a parabola through both ends is lowest."""
    current, trial, s = state.current, state.trial, state.numbers[0]
    if not math.isfinite(cost):
        return _MOST_SHRINK
    slope = 0.0
    for j in range(len(current.point)):
        moved = trial.point[j] - current.point[j]
        for i in range(len(current.residuals)):
            slope += current.residuals[i] * current.by_variable[j, i] * moved
    share = -0.5 * slope / (cost - s.cost - slope)
    return float(min(max(share, _MOST_SHRINK), _SHRINK))


@compiled_in_order
def _learn_curvature(state: Any) -> bool:
    """Update the curvature by the accepted trial, before it replaces the current point."""
    current, trial, curvature = state.current, state.trial, state.curvature
    n, m = current.by_variable.shape
    if not state.numbers[0].has_curvature:
        curvature[:] = 0.0
    by_jacobian, by_gradient = np.zeros(n), np.zeros(n)
    for j in range(n):
        for i in range(m):
            after, before = trial.by_variable[j, i], current.by_variable[j, i]
            by_jacobian[j] += (after - before) * trial.residuals[i]
            by_gradient[j] += after * trial.residuals[i] - before * current.residuals[i]
    return update_curvature(curvature, trial.point - current.point, by_jacobian, by_gradient)


@compiled_in_order
def _accept(current: Any, trial: Any) -> None:
    current.point[:] = trial.point
    current.residuals[:] = trial.residuals
    current.by_variable[:] = trial.by_variable
    current.values[:] = trial.values
    current.residual_derivative[:] = trial.residual_derivative


@compiled_in_order
def _accept_unevaluated(state: Any, step: np.ndarray) -> bool:
    """Move the current point by a step, linearly, unless it is long or ends at the box.

    For steps after which no reduction is left: the residuals bend by as little on so short a way.
    """
    low, high, current = state.low, state.high, state.current
    for j in range(len(step)):
        moved = current.point[j] + step[j]
        if not abs(step[j]) <= _SHORT_STEP or moved <= low[j] or moved >= high[j]:
            return False
    for i in range(len(current.residuals)):
        change = 0.0
        for j in range(len(step)):
            change += current.by_variable[j, i] * step[j]
        current.residuals[i] += change
        current.values[i] += change / current.residual_derivative[i]
    for j in range(len(step)):
        current.point[j] += step[j]
    return True


def _initial(
    problem: LeastSquaresProblem,
    start: np.ndarray,
    max_evaluations: int,
    give_up_above: float,
) -> State:
    n, m = len(problem.low), problem.n_residuals
    current, trial = _empty(n, m), _empty(n, m)
    trial.point[:] = np.minimum(np.maximum(start, problem.low), problem.high)
    numbers = np.zeros(1, _NUMBERS)
    numbers["radius"] = _FIRST_RADIUS
    numbers["floor"], numbers["give_up_above"] = problem.floor, give_up_above
    numbers["max_evaluations"], numbers["checkpoint"] = max_evaluations, _STALL_EVALUATIONS
    return State(problem.low, problem.high, current, trial, np.zeros((n, n)), numbers)


def _empty(n: int, m: int) -> Iterate:
    return Iterate(np.empty(n), np.empty(m), np.empty((n, m)), np.empty(m), np.empty(m))


def _store(evaluation: Evaluation, trial: Iterate) -> None:
    trial.residuals[:] = evaluation.residuals
    trial.by_variable[:] = evaluation.jacobian.T
    trial.values[:] = evaluation.values
    trial.residual_derivative[:] = evaluation.residual_derivative


def _solution(state: State, code: int) -> Solution:
    status, reason = _OUTCOMES[code]
    point, n_evaluations = state.current.point, int(state.numbers["n_evaluations"][0])
    if status == "converged" and np.any((point <= state.low) | (point >= state.high)):
        status = "at_bound"
    assert status is not None
    return Solution(
        point,
        state.current.residuals,
        state.current.by_variable.T,
        state.current.values,
        status,
        reason.format(n=n_evaluations),
        n_evaluations,
    )

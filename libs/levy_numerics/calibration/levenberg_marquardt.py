"""Levenberg-Marquardt in a box, for a handful of variables and hundreds of residuals.

The algorithm is a state and two compiled functions: `propose` sets the next point to evaluate,
`judge` accepts or rejects it. `solve` alternates them with evaluations in Python; where a problem
has compiled iterations, these run the same two functions without the interpreter.

The residuals at the end of the last step are often known well enough without an evaluation: see
`_accept_unevaluated`.

References
----------
Moré (1978), The Levenberg-Marquardt algorithm: implementation and theory, LNM 630, 105-116.
Nielsen (1999), Damping parameter in Marquardt's method, IMM-REP-1999-05, for the damping.
Transtrum and Sethna (2012), arXiv:1201.5885, for why the damping is not scaled by the Jacobian
where parameters may be unidentified. Deuflhard (2004), Newton methods for nonlinear problems,
Springer, section 4.3, for the contraction of successive Gauss-Newton steps.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from levy_numerics.calibration.gauss_newton import damped_step, decompose
from levy_numerics.jit import compiled_in_order

Status = Literal["converged", "at_bound", "max_evaluations", "stalled", "diverged"]

_FIRST_DAMPING: Final = 1e-6
_STEP_TOLERANCE: Final = 1e-9
_REDUCTION_TOLERANCE: Final = 1e-13
# Share of the cost: where no step could reduce it further, the fit lies within a few
# ten-thousandths of a standard error of its optimum, unless the quotes are exact.
NEGLIGIBLE_REDUCTION: Final = 1e-10
# Share of the cost: where no step could reduce it further and one has failed, the rest is rounding.
_WITHIN_NOISE: Final = 1e-8
# Some valleys fall ever slower: so many evaluations must reduce the cost by at least this share.
_STALL_EVALUATIONS: Final = 30
_WORTHWHILE_REDUCTION: Final = 3e-4
_LARGEST_DAMPING: Final = 1e16
# In coordinates, most of them logarithms: the Jacobian is off by as much at the step's end.
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
    DAMPED_OUT,
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
            "damping",
            "damping_factor",
            "reduction",
            "reduction_before",
            "predicted",
            "squared_norm",
            "checkpoint_cost",
            "floor",
            "give_up_above",
        )
    ]
    + [(name, np.int64) for name in ("n_evaluations", "max_evaluations", "checkpoint")]
)


class Iterate(NamedTuple):
    """A point, shape (n,), and the arrays of its `Evaluation`; the Jacobian by variable, (n, m)."""

    point: np.ndarray
    residuals: np.ndarray
    by_variable: np.ndarray
    values: np.ndarray
    residual_derivative: np.ndarray


class State(NamedTuple):
    """State of a solution: the box, the best iterate, the next one, and one record of numbers."""

    low: np.ndarray
    high: np.ndarray
    current: Iterate
    trial: Iterate
    numbers: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """Residuals at a point and their derivatives.

    Attributes
    ----------
    residuals : ndarray, shape (m,)
    jacobian : ndarray, shape (m, n)
        ∂ residuals/∂z.
    values : ndarray, shape (m,)
        The quantity, such as a price, of which each residual is a function.
    residual_derivative : ndarray, shape (m,)
        ∂ residual/∂ value.
    """

    residuals: np.ndarray
    jacobian: np.ndarray
    values: np.ndarray
    residual_derivative: np.ndarray


@dataclass(frozen=True)
class LeastSquaresProblem:
    """Minimise ½‖r(z)‖² in a box.

    Attributes
    ----------
    evaluate : callable
        z, shape (n,) ↦ Evaluation.
    low, high : ndarray, shape (n,)
    floor : float
        Norm of the residuals below which they are rounding.
    n_residuals : int
        m.
    iterate : callable, optional
        Runs iterations in compiled code, from a solver's state to the first point that only
        `evaluate` can handle, and returns the solver's code.
    """

    evaluate: Callable[[np.ndarray], Evaluation]
    low: np.ndarray
    high: np.ndarray
    floor: float
    n_residuals: int
    iterate: "Callable[[State], int] | None" = None


@dataclass(frozen=True)
class Solution:
    """The point at which a solver stopped, and the reason.

    Attributes
    ----------
    point : ndarray, shape (n,)
    residuals : ndarray, shape (m,)
    jacobian : ndarray, shape (m, n)
    values : ndarray, shape (m,)
        The quantities of which the residuals are functions.
    status : Status
    reason : str
        A sentence.
    n_evaluations : int
    """

    point: np.ndarray
    residuals: np.ndarray
    jacobian: np.ndarray
    values: np.ndarray
    status: Status
    reason: str
    n_evaluations: int

    @property
    def cost(self) -> float:
        """½‖r‖², or infinity where it is not a number."""
        cost = 0.5 * float(self.residuals @ self.residuals)
        return cost if np.isfinite(cost) else np.inf


def solve(
    problem: LeastSquaresProblem,
    start: np.ndarray,
    *,
    first_damping: float = _FIRST_DAMPING,
    max_evaluations: int = 200,
    give_up_above: float = math.inf,
    should_stop: Callable[[], bool] | None = None,
) -> Solution:
    """Minimise from `start`.

    Parameters
    ----------
    start : ndarray, shape (n,)
        Clipped to the box.
    first_damping : float
        Relative to the square of the largest singular value; small where the start is good.
    max_evaluations : int
        Of residuals with their Jacobian.
    give_up_above : float
        Cost above which the solution is given up after 40 evaluations.
    should_stop : callable, optional
        Called between iterations; once it returns true, the best point so far is the solution.
    """
    state = _initial(problem, start, first_damping, max_evaluations, give_up_above)
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
    low, high, current, trial, numbers = state
    s = numbers[0]
    if s.n_evaluations == 0:
        return EVALUATE
    if s.n_evaluations >= s.max_evaluations:
        return STOPPED
    if math.sqrt(2.0 * s.cost) <= s.floor:
        return EXACT
    linear = decompose(current.residuals, current.by_variable, current.point, low, high)
    s.reduction = linear[4]
    if s.reduction <= NEGLIGIBLE_REDUCTION * s.cost:
        return OPTIMAL
    if s.n_evaluations >= _HOPELESS_EVALUATIONS and s.cost > s.give_up_above:
        return GIVEN_UP
    if s.n_evaluations >= s.checkpoint:
        if s.checkpoint_cost - s.cost < _WORTHWHILE_REDUCTION * s.cost:
            return STALLED
        s.checkpoint, s.checkpoint_cost = s.n_evaluations + _STALL_EVALUATIONS, s.cost
    s.squared_norm = linear[2][0] ** 2 if len(linear[2]) else 1.0
    step, s.predicted = damped_step(linear, s.damping * s.squared_norm)
    # Steps shrink at least as they did: as one over another for residuals that are not zero, and
    # as the square of one where they are.
    remaining = np.inf
    if s.reduction_before > 0.0:
        remaining = s.reduction - s.predicted + s.reduction**2 / s.reduction_before
    if remaining <= _WITHIN_NOISE * s.cost and _accept_unevaluated(state, step):
        return UNEVALUATED
    moved = 0.0
    for j in range(len(step)):
        trial.point[j] = min(max(current.point[j] + step[j], low[j]), high[j])
        moved += (trial.point[j] - current.point[j]) ** 2
    return VANISHED if math.sqrt(moved) <= _STEP_TOLERANCE else EVALUATE


@compiled_in_order
def judge(state: Any) -> int:
    """Accept or reject the trial, which has been evaluated; return `RUNNING`, or why to end."""
    current, trial, s = state[2], state[3], state[4][0]
    cost = 0.0
    for i in range(len(trial.residuals)):
        cost += 0.5 * trial.residuals[i] * trial.residuals[i]
    s.n_evaluations += 1
    reduction = s.cost - cost
    if s.n_evaluations == 1:
        _accept(current, trial)
        s.cost = s.checkpoint_cost = cost
        return RUNNING if math.isfinite(cost) else DIVERGED
    if math.isfinite(cost) and reduction > 0.0:
        small = reduction <= _REDUCTION_TOLERANCE * s.cost and s.predicted <= 2.0 * reduction
        _accept(current, trial)
        s.cost, s.reduction_before = cost, s.reduction
        s.damping *= max(1.0 / 5.0, 1.0 - (2.0 * reduction / s.predicted - 1.0) ** 3)
        s.damping_factor = 2.0
        return FLAT if small else RUNNING
    if s.reduction <= _WITHIN_NOISE * s.cost:
        return REJECTED
    s.damping *= s.damping_factor
    s.damping_factor *= 2.0
    s.reduction_before = 0.0
    return DAMPED_OUT if s.damping > _LARGEST_DAMPING * s.squared_norm else RUNNING


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
    low, high, current, _, _ = state
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
    damping: float,
    max_evaluations: int,
    give_up_above: float,
) -> State:
    n, m = len(problem.low), problem.n_residuals
    current, trial = _empty(n, m), _empty(n, m)
    trial.point[:] = np.minimum(np.maximum(start, problem.low), problem.high)
    numbers = np.zeros(1, _NUMBERS)
    numbers["damping"], numbers["damping_factor"] = damping, 2.0
    numbers["floor"], numbers["give_up_above"] = problem.floor, give_up_above
    numbers["max_evaluations"], numbers["checkpoint"] = max_evaluations, _STALL_EVALUATIONS
    return State(problem.low, problem.high, current, trial, numbers)


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

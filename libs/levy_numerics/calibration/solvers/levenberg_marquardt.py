"""Levenberg-Marquardt in a box, for a handful of variables and hundreds of residuals.

Each iteration costs one evaluation, and what `linearised` makes of it. Where the last step leads is
often known without an evaluation there: see `_foreseen`.

References
----------
Moré (1978), The Levenberg-Marquardt algorithm: implementation and theory, LNM 630, 105-116.
Nielsen (1999), Damping parameter in Marquardt's method, IMM-REP-1999-05, for the damping.
Transtrum and Sethna (2012), arXiv:1201.5885, for why the damping is not scaled by the Jacobian
where parameters may be unidentified. Deuflhard (2004), Newton methods for nonlinear problems,
Springer, section 4.3, for contraction as what foretells the next step of Gauss-Newton.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from levy_numerics.calibration.solvers.linearised import Linearised
from levy_numerics.calibration.solvers.problem import (
    Evaluation,
    LeastSquaresProblem,
    Solution,
    Status,
)

_FIRST_DAMPING: Final = 1e-6
_STEP_TOLERANCE: Final = 1e-9
_GAIN_TOLERANCE: Final = 1e-13
NEGLIGIBLE_GAIN: Final = 1e-10
"""Share of the cost: where no step could gain more, the fit lies within a few ten-thousandths of a
standard error of its optimum, unless the quotes are exact."""
_WITHIN_NOISE: Final = 1e-8
"""Share of the cost: where no step could gain more and one has failed, the rest is rounding."""
_PATIENCE: Final = 30
_WORTHWHILE_GAIN: Final = 3e-4
"""Share of the cost that so many evaluations gain at least: some valleys fall ever slower."""
_LARGEST_DAMPING: Final = 1e16
_SHORT_STEP: Final = 1e-3
"""In coordinates, most of them logarithms: the Jacobian is as much off at its end."""


@dataclass
class _Iterate:
    point: np.ndarray
    at: Evaluation

    @cached_property
    def cost(self) -> float:
        return 0.5 * float(self.at.residuals @ self.at.residuals)


def solve(
    problem: LeastSquaresProblem,
    start: np.ndarray,
    *,
    first_damping: float = _FIRST_DAMPING,
    max_evaluations: int = 200,
    should_stop: Callable[[], bool] | None = None,
) -> Solution:
    """Minimise from `start`.

    Parameters
    ----------
    start : ndarray, shape (n,)
        Clipped into the box.
    first_damping : float
        Relative to the square of the largest singular value; less where the start is good.
    max_evaluations : int
        Of residuals with their Jacobian.
    should_stop : callable, optional
        Asked before each evaluation but the first; if so, the best so far is the answer.
    """
    point = _into_the_box(problem, start)
    current = _Iterate(point, problem.evaluate(point))
    if not math.isfinite(current.cost):
        return _solution(problem, current, "diverged", "the start cannot be priced", 1)
    damping, growth = first_damping, 2.0
    evaluations, gain_before = 1, 0.0
    milestone, cost_there = _PATIENCE, current.cost
    while evaluations < max_evaluations:
        if math.sqrt(2.0 * current.cost) <= problem.floor:
            return _finished(problem, current, "residuals are down to rounding", evaluations)
        model = Linearised.of(problem, current.point, current.at)
        if model.possible_gain <= NEGLIGIBLE_GAIN * current.cost:
            return _finished(problem, current, "no step could improve the fit", evaluations)
        if evaluations >= milestone:
            if cost_there - current.cost < _WORTHWHILE_GAIN * current.cost:
                reason = f"{_PATIENCE} steps improve the fit by less than {_WORTHWHILE_GAIN:.2%}"
                return _solution(problem, current, "stalled", reason, evaluations)
            milestone, cost_there = evaluations + _PATIENCE, current.cost
        if should_stop is not None and should_stop():
            reason = f"stopped on request after {evaluations} evaluations"
            return _solution(problem, current, "max_evaluations", reason, evaluations)
        step, predicted = model.step(damping)
        if model.left_over(predicted, gain_before) <= _WITHIN_NOISE * current.cost:
            ahead = _foreseen(problem, current, step)
            if ahead is not None:
                return _finished(problem, ahead, "no further step could matter", evaluations)
        trial_point = _into_the_box(problem, current.point + step)
        moved = math.dist(trial_point, current.point)
        if moved <= _STEP_TOLERANCE:
            return _finished(problem, current, "the step vanishes", evaluations)
        trial = _Iterate(trial_point, problem.evaluate(trial_point))
        evaluations += 1
        gain = current.cost - trial.cost
        if math.isfinite(trial.cost) and gain > 0:
            small = gain <= _GAIN_TOLERANCE * current.cost and predicted <= 2.0 * gain
            current, gain_before = trial, model.possible_gain
            damping *= max(1.0 / 5.0, 1.0 - (2.0 * gain / predicted - 1.0) ** 3)
            growth = 2.0
            if small:
                return _finished(problem, current, "the fit no longer improves", evaluations)
        else:
            if model.possible_gain <= _WITHIN_NOISE * current.cost:
                return _finished(problem, current, "no step improves the fit", evaluations)
            damping, growth, gain_before = damping * growth, growth * 2.0, 0.0
            if damping > _LARGEST_DAMPING * model.scale:
                return _solution(
                    problem, current, "stalled", "no step improves the fit", evaluations
                )
    return _solution(
        problem, current, "max_evaluations", f"stopped after {evaluations} evaluations", evaluations
    )


def _into_the_box(problem: LeastSquaresProblem, point: np.ndarray) -> np.ndarray:
    return np.asarray(np.minimum(np.maximum(point, problem.low), problem.high))


def _foreseen(problem: LeastSquaresProblem, current: _Iterate, step: np.ndarray) -> _Iterate | None:
    """Where a step leads, without an evaluation; None where it is too long to say, or is stopped.

    Only steps after which nothing is left to gain are asked for: what the residuals bend on so
    short a way is as little.
    """
    point = current.point + step
    if np.abs(step).max() > _SHORT_STEP or np.any((point <= problem.low) | (point >= problem.high)):
        return None
    return _Iterate(point, current.at.moved(step))


def _finished(
    problem: LeastSquaresProblem, current: _Iterate, reason: str, evaluations: int
) -> Solution:
    at_bound = np.any((current.point <= problem.low) | (current.point >= problem.high))
    status: Status = "at_bound" if at_bound else "converged"
    return _solution(problem, current, status, reason, evaluations)


def _solution(
    problem: LeastSquaresProblem, current: _Iterate, status: Status, reason: str, evaluations: int
) -> Solution:
    return Solution(
        current.point,
        current.at.residuals,
        current.at.jacobian,
        current.at.values,
        status,
        reason,
        evaluations,
    )

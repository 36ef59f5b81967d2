"""Least squares made linear about a point: what steps from there gain, and the best of them.

One QR factorisation of the Jacobian with the residuals beside it, and one singular value
decomposition of its small triangle, from which the step for any damping follows.
"""

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from levy_numerics.calibration.solvers.problem import Evaluation, LeastSquaresProblem
from levy_numerics.jit import compiled_in_order

_LONGEST_STEP: Final = 1.5


@dataclass(frozen=True)
class Linearised:
    """Residuals as linear functions of the variables that are free to move.

    Attributes
    ----------
    free : ndarray of bool, shape (n,)
        Held are variables at an end of the box that the gradient pushes out of it.
    left : ndarray, shape (n_free,)
        The residuals along the left singular vectors of the Jacobian.
    singular : ndarray, shape (n_free,)
        Its singular values, decreasing.
    right : ndarray, shape (n_free, n_free)
        Its right singular vectors, as rows.
    possible_gain : float
        Of cost, by the step without damping; NaN where the Jacobian is not finite.
    """

    free: np.ndarray
    left: np.ndarray
    singular: np.ndarray
    right: np.ndarray
    possible_gain: float

    @classmethod
    def of(cls, problem: LeastSquaresProblem, point: np.ndarray, at: Evaluation) -> Self:
        """Take the problem's residuals at a point, shape (n,), and their derivatives there."""
        by_variable = np.ascontiguousarray(at.jacobian.T)
        return cls(*_decomposed(at.residuals, by_variable, point, problem.low, problem.high))

    @property
    def scale(self) -> float:
        """What damping is relative to: the square of the largest singular value."""
        return float(self.singular[0]) ** 2 if self.singular.size else 1.0

    def left_over(self, predicted: float, gain_before: float) -> float:
        """What could still be gained after a step, if steps go on shrinking as they did.

        They do, or shrink faster: as one over another for residuals that are not zero, and as the
        square of one where they are.

        Parameters
        ----------
        predicted : float
            Gain of the step.
        gain_before : float
            Possible where the step that led here began; zero if that is not known.
        """
        if gain_before <= 0.0:
            return math.inf
        return self.possible_gain - predicted + self.possible_gain**2 / gain_before

    def step(self, damping: float) -> tuple[np.ndarray, float]:
        """Step for a damping relative to `scale`, shape (n,); and the gain it predicts."""
        return _step(self.free, self.left, self.singular, self.right, damping * self.scale)


@compiled_in_order
def _decomposed(
    residuals: np.ndarray,
    by_variable: np.ndarray,
    point: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
    """Attributes of `Linearised` from residuals, and their derivatives in each variable, as rows.

    The triangle's last column is Qᵀr, and below it what no step can reach.
    """
    free = np.empty(len(point), dtype=np.bool_)
    beside = np.empty((len(point) + 1, len(residuals)))
    n, finite = 0, True
    for j in range(len(point)):
        slope = 0.0
        for i in range(len(residuals)):
            beside[n, i] = by_variable[j, i]
            slope += by_variable[j, i] * residuals[i]
        finite = finite and math.isfinite(slope)
        pushed_out = (point[j] <= low[j] and slope > 0.0) or (point[j] >= high[j] and slope < 0.0)
        free[j] = not pushed_out
        n += free[j]
    for i in range(len(residuals)):
        beside[n, i] = residuals[i]
    left = np.zeros(n)
    if n == 0 or not finite:
        return free, left, np.zeros(n), np.zeros((n, n)), 0.0 if finite else np.nan
    _, triangle = np.linalg.qr(beside[: n + 1].T)
    u, singular, right = np.linalg.svd(triangle[:n, :n].copy())
    gain = 0.0
    for j in range(n):
        for i in range(n):
            left[j] += triangle[i, n] * u[i, j]
        gain += 0.5 * left[j] * left[j]
    return free, left, singular, right, gain


@compiled_in_order
def _step(
    free: np.ndarray, left: np.ndarray, singular: np.ndarray, right: np.ndarray, shift: float
) -> tuple[np.ndarray, float]:
    """Step for a shift of the squared singular values, no longer than the longest; and its gain."""
    along, square = np.empty(len(left)), 0.0
    for i in range(len(left)):
        along[i] = -singular[i] / (singular[i] ** 2 + shift) * left[i]
        square += along[i] ** 2
    shrink = min(1.0, _LONGEST_STEP / math.sqrt(square)) if square > 0.0 else 1.0
    predicted = 0.0
    for i in range(len(left)):
        along[i] *= shrink
        moved = singular[i] * along[i]
        predicted -= moved * (left[i] + 0.5 * moved)
    step, k = np.zeros(len(free)), 0
    for j in range(len(free)):
        if free[j]:
            for i in range(len(along)):
                step[j] += along[i] * right[i, k]
            k += 1
    return step, max(predicted, np.finfo(np.float64).tiny)

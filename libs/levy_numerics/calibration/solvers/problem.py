"""What a solver is given and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Status = Literal["converged", "at_bound", "max_evaluations", "stalled", "diverged"]


@dataclass(frozen=True)
class Evaluation:
    """Residuals at a point, and what they were made of.

    Attributes
    ----------
    residuals : ndarray, shape (m,)
    jacobian : ndarray, shape (m, n)
        ∂ residuals/∂z.
    values : ndarray, shape (m,)
        What each residual is a function of.
    slopes : ndarray, shape (m,)
        ∂ residual/∂ value.
    """

    residuals: np.ndarray
    jacobian: np.ndarray
    values: np.ndarray
    slopes: np.ndarray

    def moved(self, step: np.ndarray) -> "Evaluation":
        """What it is a step away, shape (n,), where all is linear."""
        change = self.jacobian @ step
        values = self.values + change / self.slopes
        return Evaluation(self.residuals + change, self.jacobian, values, self.slopes)


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
    """

    evaluate: Callable[[np.ndarray], Evaluation]
    low: np.ndarray
    high: np.ndarray
    floor: float


@dataclass(frozen=True)
class Solution:
    """Where a solver stopped, and why.

    Attributes
    ----------
    point : ndarray, shape (n,)
    residuals : ndarray, shape (m,)
    jacobian : ndarray, shape (m, n)
    values : ndarray
        What the residuals were made of.
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

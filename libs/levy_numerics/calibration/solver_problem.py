"""A nonlinear least-squares problem in a box, and the solution of a solver."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Status = Literal["converged", "at_bound", "max_evaluations", "stalled", "diverged"]


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
    iterate: Callable[[Any], int] | None = None


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

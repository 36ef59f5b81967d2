"""Least squares penalised towards a prediction: the mode of a Gaussian prior and of the quotes."""

import numpy as np

from levy_numerics.calibration import trust_region
from levy_numerics.calibration.objective import Objective
from levy_numerics.calibration.solver_problem import Evaluation, LeastSquaresProblem, Solution
from levy_numerics.models.base import Model


def solve_penalised(
    model: type[Model],
    objective: Objective,
    mean: np.ndarray,
    precision: np.ndarray,
    error_variance: float,
) -> Solution:
    """Minimise ‖r(z)‖²/σ² + (z − m)ᵀP⁻¹(z − m), beginning at m.

    This is the update of the iterated extended Kalman filter (Bell and Cathey, 1993): Gauss-Newton
    steps on the posterior of z given one day's quotes.

    Parameters
    ----------
    model : type of Model
    objective : Objective
        Of n quotes.
    mean : ndarray, shape (k,)
        m, in the model's coordinates.
    precision : ndarray, shape (k, k)
        P⁻¹, positive semi-definite.
    error_variance : float
        σ², of a weighted error.

    Returns
    -------
    Solution
        Its residuals and Jacobian are those of the quotes, without the penalty.

    References
    ----------
    Bell and Cathey (1993), The iterated Kalman filter update as a Gauss-Newton method, IEEE
    Transactions on Automatic Control 38(2), 294-297.
    """
    problem = objective.problem(model)
    root = np.sqrt(error_variance) * _root(precision)
    found = trust_region.solve(_with_penalty(problem, mean, root), mean)
    n = problem.n_residuals
    return Solution(
        found.point,
        found.residuals[:n],
        found.jacobian[:n],
        found.values[:n],
        found.status,
        found.reason,
        found.n_evaluations,
    )


def _with_penalty(
    problem: LeastSquaresProblem, mean: np.ndarray, root: np.ndarray
) -> LeastSquaresProblem:
    ones = np.ones(len(root))

    def evaluate(z: np.ndarray) -> Evaluation:
        of_quotes, penalty = problem.evaluate(z), root @ (z - mean)
        return Evaluation(
            np.concatenate([of_quotes.residuals, penalty]),
            np.concatenate([of_quotes.jacobian, root]),
            np.concatenate([of_quotes.values, penalty]),
            np.concatenate([of_quotes.residual_derivative, ones]),
        )

    return LeastSquaresProblem(
        evaluate, problem.low, problem.high, problem.floor, problem.n_residuals + len(root)
    )


def _root(precision: np.ndarray) -> np.ndarray:
    """Return R with RᵀR = P⁻¹; semi-definite matrices have no Cholesky factor."""
    values, vectors = np.linalg.eigh(precision)
    root: np.ndarray = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    return root

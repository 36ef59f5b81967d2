"""Least squares of each day, penalised towards the day before as much as predicts best."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from levy_numerics.calibration.least_squares import calibrate, require_enough_quotes, result_of
from levy_numerics.calibration.objective import Objective
from levy_numerics.calibration.solver_problem import LeastSquaresProblem
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.sequential.followers import Followed, Follower
from levy_numerics.sequential.penalised import solve_penalised

STRENGTHS: Final = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Candidates for the strength of the penalty, relative to a day's quotes."""
# Latest days whose errors decide the strength.
_WINDOW: Final = 60
# Logarithm of squared errors on the day, by which a penalised fit may exceed that of least squares.
_MOST_MISFIT: Final = 2.0 * np.log(1.03)


class PenalisedFollower(Follower):
    """Minimise ‖r(z)‖² + λ Σ dᵢ (zᵢ − mᵢ)², with the day before's fit m and its diag(JᵀJ) = d.

    With d, λ has no unit: a coordinate that only few combinations of quotes determine is free to
    move in a least-squares fit, and pays here as much as one that all determine. Each candidate
    for λ follows the days by itself. Of those whose errors on the day itself are at most 3% larger
    than without a penalty, the one is used whose parameters fitted the quotes of the next day best
    so far. This is cross-validation in the order of time: no quote is predicted from later ones.
    Squared weighted errors of several days are averaged by their logarithms, so that days count
    equally.
    """

    def __init__(self, model: type[Model], weights: str | None = None) -> None:
        super().__init__(model, weights)
        self._points: np.ndarray | None = None
        self._scales: np.ndarray | None = None
        self._predicted_errors: list[np.ndarray] = []
        self._fitted_errors: list[np.ndarray] = []

    @property
    def strength(self) -> float:
        """Return the strength that has predicted best so far."""
        return STRENGTHS[self._best()]

    def update(self, quotes: Quotes) -> Followed:
        """Fit the quotes of the next day."""
        require_enough_quotes(self.model, quotes)
        if self._points is None or self._scales is None:
            fit = calibrate(self.model, quotes, weights=self.weights)
            point = np.asarray(fit.model.to_coordinates(), dtype=float)
            geometry = fit.identifiability
            root = geometry.singular_values[:, None] * geometry.directions
            self._points = np.tile(point, (len(STRENGTHS), 1))
            self._scales = np.tile((root**2).sum(axis=0), (len(STRENGTHS), 1))
            return Followed(fit)
        predicted = self.model.from_coordinates(self._points[self._best()])
        objective = Objective.of(quotes, self.weights)
        problem = objective.problem(self.model)
        errors = [_log_squares(problem, problem.evaluate(z).residuals) for z in self._points]
        self._predicted_errors.append(np.array(errors))
        solutions = [
            solve_penalised(self.model, objective, point, np.diag(strength * scale), 1.0)
            for strength, point, scale in zip(STRENGTHS, self._points, self._scales, strict=True)
        ]
        self._points = np.array([solution.point for solution in solutions])
        self._scales = np.array([(solution.jacobian**2).sum(axis=0) for solution in solutions])
        errors = [_log_squares(problem, solution.residuals) for solution in solutions]
        self._fitted_errors.append(np.array(errors))
        del self._predicted_errors[:-_WINDOW], self._fitted_errors[:-_WINDOW]
        evaluations = len(STRENGTHS) + sum(solution.n_evaluations for solution in solutions)
        fit = result_of(self.model, objective, solutions[self._best()], evaluations)
        return Followed(fit, predicted, strength=self.strength)

    def memory(self) -> dict[str, Any]:
        """Return the last fit and the prediction errors of each candidate."""
        return {
            "points": None if self._points is None else self._points.tolist(),
            "scales": None if self._scales is None else self._scales.tolist(),
            "predicted_errors": [errors.tolist() for errors in self._predicted_errors],
            "fitted_errors": [errors.tolist() for errors in self._fitted_errors],
        }

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Continue with the candidates of a memory."""
        if memory["points"] is not None:
            self._points, self._scales = (np.array(memory[name]) for name in ("points", "scales"))
        self._predicted_errors = [np.array(errors) for errors in memory["predicted_errors"]]
        self._fitted_errors = [np.array(errors) for errors in memory["fitted_errors"]]

    def _best(self) -> int:
        if not self._predicted_errors:
            return 0
        misfit = np.mean(self._fitted_errors, axis=0)
        allowed = misfit <= misfit[0] + _MOST_MISFIT
        return int(np.argmin(np.where(allowed, np.mean(self._predicted_errors, axis=0), np.inf)))


def _log_squares(problem: LeastSquaresProblem, residuals: np.ndarray) -> float:
    """Return the logarithm of the sum of squares; infinity where the model has no forward."""
    squares = float(residuals @ residuals)
    return float(np.log(max(squares, problem.floor**2))) if np.isfinite(squares) else np.inf

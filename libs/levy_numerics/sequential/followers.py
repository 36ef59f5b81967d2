"""Estimators that follow one model through a sequence of surfaces."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import ndtri

from levy_numerics.calibration.cluster_jackknife import error_clusters, jackknife_covariance
from levy_numerics.calibration.least_squares import calibrate, require_enough_quotes, result_of
from levy_numerics.calibration.objective import TOLERANCE, Objective
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models.base import Model
from levy_numerics.sequential.kalman import FilterState, Information, learned_process_variance
from levy_numerics.sequential.penalised import solve_penalised

# Days between two estimates of the process noise.
_LEARN_EVERY: Final = 5
# Latest days whose likelihood decides the process noise and the variance of errors.
_WINDOW: Final = 60
_MATURITY_OF_RETURNS: Final = 0.25


@dataclass(frozen=True)
class Followed:
    """One day: its fit, and what was predicted for it.

    Attributes
    ----------
    fit : CalibrationResult
    predicted : Model, optional
        Parameters before the day's quotes, given its forwards; None on the first day.
    prediction : FilterState, optional
        The state from which these are taken. None where an estimator has no state.
    state : FilterState, optional
        Given all quotes so far.
    strength : float, optional
        λ of the penalty, see `PenalisedFollower`; None for other estimators, and on the first day.
    """

    fit: CalibrationResult
    predicted: Model | None = None
    prediction: FilterState | None = None
    state: FilterState | None = None
    strength: float | None = None

    def intervals(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Return intervals by parameter: of the state, or of the fit where there is none."""
        if self.state is None:
            return self.fit.intervals(level)
        model = self.fit.model
        z = np.asarray(model.to_coordinates(), dtype=float)
        by_coordinate = model.coordinate_jacobian(z)
        covariance = by_coordinate @ self.state.point_covariance @ by_coordinate.T
        widths = float(ndtri(0.5 + 0.5 * level)) * np.sqrt(np.diag(covariance))
        return {
            p.name: (max(value - width, p.domain.low), min(value + width, p.domain.high))
            for p, value, width in zip(
                model.parameters(), self.fit.parameters.values(), widths.tolist(), strict=True
            )
        }


class Follower(ABC):
    """Fits a model to one surface after another."""

    def __init__(self, model: type[Model], weights: str | None = None) -> None:
        self.model = model
        self.weights = weights

    @abstractmethod
    def update(self, quotes: Quotes) -> Followed:
        """Fit the quotes of the next day.

        Raises
        ------
        InvalidInputError
            Fewer quotes than parameters; the follower is unchanged.
        """

    @abstractmethod
    def memory(self) -> dict[str, Any]:
        """Return what the next update depends on, as JSON."""

    @abstractmethod
    def restore(self, memory: Mapping[str, Any]) -> None:
        """Continue after the last update of the follower whose memory this is."""


class WarmStart(Follower):
    """Least squares of each day, which begins at the parameters of the day before."""

    def __init__(self, model: type[Model], weights: str | None = None) -> None:
        super().__init__(model, weights)
        self._last: dict[str, float] | None = None

    def update(self, quotes: Quotes) -> Followed:
        """Fit the quotes of the next day."""
        last = self._last
        fit = calibrate(self.model, quotes, weights=self.weights, start=last)
        self._last = fit.parameters
        return Followed(fit, None if last is None else self.model.from_mapping(last))

    def memory(self) -> dict[str, Any]:
        """Return the last parameters."""
        return {"parameters": self._last}

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Begin the next fit at the last parameters."""
        self._last = memory["parameters"]


class KalmanFollower(Follower):
    """An iterated extended Kalman filter, see `kalman`.

    The variance of errors is that of weighted errors times their design effect: errors along a
    smile are correlated, so that many quotes inform as few.
    """

    def __init__(self, model: type[Model], weights: str | None = None) -> None:
        super().__init__(model, weights)
        low, high = (np.array(end, dtype=float) for end in model.coordinate_bounds())
        self._bounds = low, high
        self._prior = FilterState.prior(low, high)
        self._state: FilterState | None = None
        self._history: list[Information] = []
        self._error_variances: list[float] = []
        self._process_variance: np.ndarray | None = None
        self._log_forward = 0.0

    def update(self, quotes: Quotes) -> Followed:
        """Fit the quotes of the next day."""
        require_enough_quotes(self.model, quotes)
        log_forward = log_forward_of(quotes.contracts)
        if self._state is None:
            followed = self._first(quotes)
        else:
            followed = self._next(self._state, quotes, log_forward - self._log_forward)
        self._state, self._log_forward = followed.state, log_forward
        del self._history[:-_WINDOW], self._error_variances[:-_WINDOW]
        return followed

    def _first(self, quotes: Quotes) -> Followed:
        fit = calibrate(self.model, quotes, weights=self.weights)
        point = np.asarray(fit.model.to_coordinates(), dtype=float)
        variance = effective_error_variance(fit)
        geometry = fit.identifiability
        root = geometry.singular_values[:, None] * geometry.directions
        matrix = root.T @ root / variance
        self._history.append(Information(matrix, matrix @ point, 0.0))
        self._error_variances.append(variance)
        return Followed(fit, state=self._prior.updated(point, matrix))

    def _next(self, state: FilterState, quotes: Quotes, log_return: float) -> Followed:
        if self._process_variance is None or len(self._history) % _LEARN_EVERY == 0:
            self._process_variance = learned_process_variance(
                self._prior, self._history, self._process_variance
            )
        prediction = state.predicted(log_return, self._process_variance)
        mean = np.clip(prediction.point, *self._bounds)
        precision = np.linalg.inv(prediction.point_covariance)
        variance = float(np.median(self._error_variances))
        objective = Objective.of(quotes, self.weights)
        solution = solve_penalised(self.model, objective, mean, precision, variance)
        fit = result_of(self.model, objective, solution, solution.n_evaluations)
        matrix = solution.jacobian.T @ solution.jacobian / variance
        vector = matrix @ solution.point - solution.jacobian.T @ solution.residuals / variance
        self._history.append(Information(matrix, vector, log_return))
        self._error_variances.append(effective_error_variance(fit))
        predicted = self.model.from_coordinates(mean)
        return Followed(fit, predicted, prediction, prediction.updated(solution.point, matrix))

    def memory(self) -> dict[str, Any]:
        """Return the state, the window of days and what was learned from it."""
        state, variance = self._state, self._process_variance
        return {
            "mean": None if state is None else state.mean.tolist(),
            "covariance": None if state is None else state.covariance.tolist(),
            "history": [
                [day.matrix.tolist(), day.vector.tolist(), day.log_return] for day in self._history
            ],
            "error_variances": self._error_variances,
            "process_variance": None if variance is None else variance.tolist(),
            "log_forward": self._log_forward,
        }

    def restore(self, memory: Mapping[str, Any]) -> None:
        """Continue with a state and a window of days."""
        mean, variance = memory["mean"], memory["process_variance"]
        self._state = None
        if mean is not None:
            self._state = FilterState(np.array(mean), np.array(memory["covariance"]))
        self._history = [
            Information(np.array(matrix), np.array(vector), log_return)
            for matrix, vector, log_return in memory["history"]
        ]
        self._error_variances = list(memory["error_variances"])
        self._process_variance = None if variance is None else np.array(variance)
        self._log_forward = memory["log_forward"]


def effective_error_variance(fit: CalibrationResult) -> float:
    """Return the variance of weighted errors, times how much less correlated errors inform.

    The factor, the design effect (Kish, 1965), is the mean variance of the estimate along the
    identified directions by the jackknife over expiries, relative to that of independent errors.
    The variance is at least that of the rounding of prices, for quotes that the model fits exactly.
    """
    geometry = fit.identifiability
    directions = geometry.left[:, geometry.identified]
    clusters = error_clusters(fit.contracts)
    covariance, _ = jackknife_covariance(directions, geometry.residuals, clusters)
    c = fit.contracts
    rounding = TOLERANCE * c.discount * c.forward
    rounding = rounding * fit.weighting.residual_derivative(fit.model_prices)
    of_direction = np.trace(covariance) / directions.shape[1]
    return float(max(of_direction, geometry.residual_variance, np.mean(rounding**2)))


def log_forward_of(contracts: Contracts) -> float:
    """Return the log forward at three months, or at the nearest quoted maturity."""
    years, expiry = contracts.by_maturity.maturity_groups
    first = np.unique(expiry, return_index=True)[1]
    return float(np.interp(_MATURITY_OF_RETURNS, years, np.log(contracts.forward[first])))

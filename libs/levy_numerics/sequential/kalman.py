"""A Kalman filter of a model's coordinates, whose levels follow the return of the underlying.

State: coordinates z, shape (k,), and their sensitivities b to the return of the underlying:

    z(t) = z(t−1) + b·x(t) + w(t),    w ~ N(0, Q),  Q diagonal,    b constant,

where x is the log return of the forward since the day before. An index's volatility falls when the
index rises (leverage); quotes of the next day are priced given its forward, which is known.

Quotes inform z alone. Their information is kept as a matrix I and a vector y: the likelihood is
exp(−½zᵀIz + yᵀz) up to a factor, so that directions that one day does not determine need no
special case.

References
----------
Lindström, Ströjby, Brodén, Wiktorsson and Holst (2008), Sequential calibration of options,
Computational Statistics and Data Analysis 52(6), 2877-2891.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from scipy.optimize import minimize

# Prior standard deviation of a sensitivity: 1% of return changes a coordinate, mostly a logarithm,
# by up to about 5%.
_SENSITIVITY: Final = 5.0
# Prior of a coordinate's daily move: its median, and the standard deviation of its logarithm.
_DAILY_MOVE: Final = 0.05
_LOG_MOVE_DEVIATION: Final = 1.0


@dataclass(frozen=True)
class Information:
    """What one day's quotes say of the coordinates, and the return of the underlying before it.

    Attributes
    ----------
    matrix : ndarray, shape (k, k)
        I.
    vector : ndarray, shape (k,)
        y.
    log_return : float
        x.
    """

    matrix: np.ndarray
    vector: np.ndarray
    log_return: float


@dataclass(frozen=True)
class FilterState:
    """Mean and covariance of coordinates and sensitivities.

    Attributes
    ----------
    mean : ndarray, shape (2k,)
    covariance : ndarray, shape (2k, 2k)
    """

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def prior(cls, low: np.ndarray, high: np.ndarray) -> Self:
        """Return the state before any quotes: the search box, as two deviations to each side."""
        deviation = np.concatenate([0.25 * (high - low), np.full(low.size, _SENSITIVITY)])
        mean = np.concatenate([0.5 * (low + high), np.zeros(low.size)])
        return cls(mean, np.diag(deviation**2))

    @property
    def n_coordinates(self) -> int:
        """Return k."""
        return self.mean.size // 2

    @property
    def point(self) -> np.ndarray:
        """Return the mean of the coordinates, shape (k,)."""
        return self.mean[: self.n_coordinates]

    @property
    def point_covariance(self) -> np.ndarray:
        """Return the covariance of the coordinates, shape (k, k)."""
        k = self.n_coordinates
        return self.covariance[:k, :k]

    def predicted(self, log_return: float, process_variance: np.ndarray) -> Self:
        """Return the state a day later, before its quotes.

        Parameters
        ----------
        log_return : float
            Of the underlying.
        process_variance : ndarray, shape (k,)
            Diagonal of Q.
        """
        k = self.n_coordinates
        transition = np.eye(2 * k)
        transition[:k, k:] = log_return * np.eye(k)
        covariance = transition @ self.covariance @ transition.T
        covariance[range(k), range(k)] += process_variance
        return type(self)(transition @ self.mean, covariance)

    def updated(self, point: np.ndarray, information: np.ndarray) -> Self:
        """Return the state given a day's quotes.

        Sensitivities follow the coordinates by regression, since quotes inform these alone.

        Parameters
        ----------
        point : ndarray, shape (k,)
            Mean of the coordinates given the quotes.
        information : ndarray, shape (k, k)
            I.
        """
        k = self.n_coordinates
        before, root = self.point_covariance, np.linalg.cholesky(self.point_covariance)
        gain = np.linalg.solve(before, self.covariance[:k, k:]).T
        # In this form exact quotes, of nearly infinite information, leave no negative variance.
        shrunk = np.linalg.inv(np.eye(k) + root.T @ information @ root)
        after = root @ (0.5 * (shrunk + shrunk.T)) @ root.T
        moved = point - self.point
        sensitivities = self.covariance[k:, k:] - gain @ (before - after) @ gain.T
        covariance = np.block([[after, after @ gain.T], [gain @ after, sensitivities]])
        mean = self.mean + np.concatenate([moved, gain @ moved])
        return type(self)(mean, 0.5 * (covariance + covariance.T))

    def given(self, information: Information) -> tuple[Self, float]:
        """Return the state given linear information, and the log likelihood up to a constant."""
        k = self.n_coordinates
        before = self.point_covariance
        shrink = np.eye(k) + before @ information.matrix
        innovation = information.vector - information.matrix @ self.point
        moved = np.linalg.solve(shrink, before @ innovation)
        likelihood = 0.5 * float(innovation @ moved) - 0.5 * float(np.linalg.slogdet(shrink)[1])
        likelihood += float(information.vector @ self.point)
        likelihood -= 0.5 * float(self.point @ information.matrix @ self.point)
        return self.updated(self.point + moved, information.matrix), likelihood


def learned_process_variance(
    prior: FilterState, history: Sequence[Information], start: np.ndarray | None = None
) -> np.ndarray:
    """Return the diagonal of Q of greatest posterior density, given the days so far.

    Its prior is lognormal about a daily move of 0.05, so that few days suffice.

    Parameters
    ----------
    prior : FilterState
        Before the first day.
    history : sequence of Information
    start : ndarray, shape (k,), optional
        A former result.
    """
    k = prior.n_coordinates
    center = np.full(k, np.log(_DAILY_MOVE))

    def loss(log_move: np.ndarray) -> float:
        state, total = prior, 0.0
        for n, day in enumerate(history):
            if n:
                state = state.predicted(day.log_return, np.exp(2.0 * log_move))
            state, likelihood = state.given(day)
            total += likelihood
        return 0.5 * float(np.sum(((log_move - center) / _LOG_MOVE_DEVIATION) ** 2)) - total

    if len(history) < 2:
        return np.exp(2.0 * center)
    first = center if start is None else 0.5 * np.log(start)
    found = minimize(loss, first, method="L-BFGS-B", options={"maxiter": 25, "ftol": 1e-5})
    variance: np.ndarray = np.exp(2.0 * found.x)
    return variance

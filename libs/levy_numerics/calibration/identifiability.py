"""Identifiability: which directions, parameters and moments the quotes determine."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

import numpy as np
from scipy.special import stdtrit

from levy_numerics.calibration.levenberg_marquardt import Solution
from levy_numerics.jit import compiled_in_order
from levy_numerics.models.base import LevyModel, Model
from levy_numerics.models.compiled import exponent_with_gradient

# Relative to the largest singular value: prices do not change along directions below it. Prices of
# a fit have nine digits, and their derivatives seven.
_RANK_TOLERANCE: Final = 1e-7
# Share of its gradient with which a moment, or a parameter, may change along a null direction and
# still count as determined.
_NEGLIGIBLE: Final = 1e-4
_NEGLIGIBLE_FOR_PARAMETERS: Final = 1e-7
_ORDERS: Final = np.arange(1.0, 5.0)
MOMENTS: Final = ("variance", "skewness", "excess_kurtosis")


@dataclass(frozen=True)
class Moment:
    """A moment of S/F at one year, with its standard error.

    Attributes
    ----------
    value : float
        Infinite where the distribution has none.
    standard_error : float
        Infinite where the quotes do not determine it.
    degrees_of_freedom : int
        Of the residual variance behind the standard error.
    """

    value: float
    standard_error: float
    degrees_of_freedom: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the Student-t interval; infinite where the standard error is."""
        width = half_width(self.standard_error, self.degrees_of_freedom, level)
        return self.value - width, self.value + width


def half_width(standard_error: float, degrees_of_freedom: int, level: float) -> float:
    """Return half the width of a Student-t interval; infinite without degrees of freedom."""
    if degrees_of_freedom < 1 or not math.isfinite(standard_error):
        return math.inf
    return float(stdtrit(degrees_of_freedom, 0.5 + 0.5 * level)) * standard_error


@dataclass(frozen=True)
class Identifiability:
    """Local geometry of a least-squares solution in a model's coordinates.

    Attributes
    ----------
    singular_values : ndarray, shape (n_coordinates,)
        Of the weighted Jacobian, decreasing.
    directions : ndarray, shape (n_coordinates, n_coordinates)
        Right singular vectors, as rows.
    residual_variance : float
        Unbiased: 2·cost over the degrees of freedom; infinite where there are none.
    degrees_of_freedom : int
        Quotes less the directions that the fit was free to use: see `_degrees_of_freedom`.
    """

    singular_values: np.ndarray
    directions: np.ndarray
    residual_variance: float
    degrees_of_freedom: int

    @classmethod
    def of(cls, solution: Solution, low: np.ndarray, high: np.ndarray) -> "Identifiability":
        """Decompose the Jacobian at a solution in the box from `low` to `high`."""
        singular_values, directions = _decomposed(np.ascontiguousarray(solution.jacobian.T))
        degrees = _degrees_of_freedom(solution, singular_values, low, high)
        variance = 2.0 * solution.cost / degrees if degrees else math.inf
        return cls(singular_values, directions, variance, degrees)

    @property
    def identified(self) -> np.ndarray:
        """Directions along which prices change, boolean, shape (n_coordinates,)."""
        return np.asarray(self.singular_values > _RANK_TOLERANCE * self.singular_values[0])

    def covariance(self, gradient: np.ndarray, negligible: np.ndarray) -> np.ndarray:
        """Return the Gauss-Newton covariance s²·G(JᵀJ)⁻¹Gᵀ of quantities with derivatives G.

        Parameters
        ----------
        gradient : ndarray, shape (k, n_coordinates)
        negligible : ndarray, shape (k,)
            Share of its gradient with which a quantity may change along a null direction and still
            count as determined.

        Returns
        -------
        ndarray, shape (k, k)
            Infinite on the diagonal, and NaN beside it, for quantities that are not determined.
        """
        if not math.isfinite(self.residual_variance):
            nothing = np.full((len(gradient), len(gradient)), np.nan)
            np.fill_diagonal(nothing, np.inf)
            return nothing
        along = gradient @ self.directions.T
        return _covariance(
            along, self.singular_values, self.identified, self.residual_variance, negligible
        )


def _degrees_of_freedom(
    solution: Solution, singular_values: np.ndarray, low: np.ndarray, high: np.ndarray
) -> int:
    """Return n less the rank of the Jacobian in the free coordinates; 0 unless n > p.

    Null directions do not reduce the residuals, and neither does a coordinate held at its bound: in
    both cases E‖r‖² = σ²·(n − rank). With n ≤ p the model can pass through any quotes, so that the
    residuals show the bounds of the search, not the quotes' error.
    """
    n_quotes, n_coordinates = solution.jacobian.shape
    if n_quotes <= n_coordinates:
        return 0
    free = (solution.point > low) & (solution.point < high)
    if not free.all():
        columns = np.ascontiguousarray(solution.jacobian[:, free].T)
        singular_values, _ = _decomposed(columns) if free.any() else (np.zeros(1), None)
    tolerance = _RANK_TOLERANCE * singular_values[0]
    return int(n_quotes) - int(np.count_nonzero(singular_values > tolerance))


@compiled_in_order
def _decomposed(by_coordinate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return singular values and right singular vectors of a Jacobian, given its transpose."""
    n = len(by_coordinate)
    if not np.isfinite(by_coordinate).all():
        return np.full(n, np.nan), np.eye(n)
    _, singular, directions = np.linalg.svd(by_coordinate.T, False)
    return singular, directions


@compiled_in_order
def _covariance(
    along: np.ndarray,
    singular: np.ndarray,
    identified: np.ndarray,
    variance: float,
    negligible: np.ndarray,
) -> np.ndarray:
    """Return the covariance of quantities with derivatives `along` the directions, (k, n)."""
    size, n = along.shape
    covariance, is_null = np.zeros((size, size)), np.zeros(size, dtype=np.bool_)
    for k in range(size):
        steepest, null = 0.0, 0.0
        for j in range(n):
            steepest = max(steepest, abs(along[k, j]))
            if not identified[j]:
                null = max(null, abs(along[k, j]))
                continue
            for i in range(size):
                scaled = (along[i, j] / singular[j]) * (along[k, j] / singular[j])
                covariance[i, k] += variance * scaled
        is_null[k] = null > negligible[k] * steepest
    for k in range(size):
        for i in range(size):
            if is_null[i] or is_null[k]:
                covariance[i, k] = np.inf if i == k else np.nan
    return covariance


@dataclass(frozen=True)
class FitUncertainty:
    """Uncertainty of a fit: covariance of the parameters, and moments with their errors.

    Attributes
    ----------
    covariance : ndarray, shape (n_parameters, n_parameters)
        Of the parameters.
    moments : dict of Moment
        Variance, skewness and excess kurtosis of S/F at one year, with Gauss-Newton errors. They
        are moments of the price, not of its logarithm: a left tail that the quotes do not
        determine, such as that of G → 0, changes the former by little, the latter without bound.
    """

    covariance: np.ndarray
    moments: dict[str, Moment]

    @classmethod
    def of(cls, model: Model, by_coordinate: np.ndarray, geometry: Identifiability) -> Self:
        """Return the uncertainty of `model` from the derivatives of its parameters.

        Parameters
        ----------
        model : Model
        by_coordinate : ndarray, shape (n_parameters, n_coordinates)
            `Model.coordinate_jacobian`.
        geometry : Identifiability
        """
        with np.errstate(all="ignore"):
            values, by_parameter = _moments(model)
        n = len(by_coordinate)
        gradient = _gradient(by_coordinate, values, by_parameter)
        covariance = geometry.covariance(gradient, _negligible(n, len(values)))
        variances = np.diagonal(covariance)[n:].tolist()
        errors = [
            math.inf if math.isnan(variance) else math.sqrt(variance) for variance in variances
        ]
        moments = {
            name: Moment(value, error, geometry.degrees_of_freedom)
            for name, value, error in zip(MOMENTS, values.tolist(), errors, strict=True)
        }
        return cls(covariance[:n, :n], moments)


@lru_cache
def _negligible(n_parameters: int, n_moments: int) -> np.ndarray:
    """Return the tolerances of parameters and then moments, for the covariance."""
    tolerances = _NEGLIGIBLE_FOR_PARAMETERS, _NEGLIGIBLE
    return np.repeat(tolerances, (n_parameters, n_moments))


@compiled_in_order
def _gradient(
    by_coordinate: np.ndarray, values: np.ndarray, by_parameter: np.ndarray
) -> np.ndarray:
    """Return derivatives of parameters, then moments, in coordinates; NaN where none exist."""
    n_parameters, n = by_coordinate.shape
    gradient = np.zeros((n_parameters + len(values), n))
    for i in range(n_parameters):
        for j in range(n):
            gradient[i, j] = by_coordinate[i, j]
            for k in range(len(values)):
                gradient[n_parameters + k, j] += by_parameter[k, i] * by_coordinate[i, j]
    for k in range(len(values)):
        row = gradient[n_parameters + k]
        if not (np.isfinite(values[k]) and np.isfinite(row).all()):
            row[:] = np.nan
    return gradient


def _moments(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Return variance, skewness and excess kurtosis of S/F at one year, with their gradients.

    They follow from the moments φ(−in)/φ(−i)ⁿ, n = 2, 3, 4, which are infinite beyond the strip.

    Returns
    -------
    values : ndarray, shape (3,)
    gradient : ndarray, shape (3, n_parameters)
        In the model's parameters.
    """
    if isinstance(model, LevyModel):
        log_cf, by_parameter = exponent_with_gradient(model, -1j * _ORDERS)
    else:
        log_cf, by_parameter = model.log_cf_with_gradient(-1j * _ORDERS, np.float64(1.0))
    exists = float(model.strip(1.0)[0]) > _ORDERS[1:]
    return _of_log_moments(log_cf.real, by_parameter.real, exists)


@compiled_in_order
def _of_log_moments(
    log_cf: np.ndarray, by_parameter: np.ndarray, exists: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return variance, skewness, excess kurtosis and gradients from log E[Sⁿ], n = 1 … 4."""
    moment, values = np.empty(3), np.empty(3)
    for k in range(3):
        log_moment = log_cf[k + 1] - (k + 2.0) * log_cf[0]
        moment[k] = math.exp(log_moment) if exists[k] else np.inf
    # Central moments of a variable of mean one from its second, third and fourth raw ones.
    variance = moment[0] - 1.0
    third = moment[1] - 3.0 * moment[0] + 2.0
    fourth = moment[2] - 4.0 * moment[1] + 6.0 * moment[0] - 3.0
    deviation = math.sqrt(variance)
    values[0] = variance
    values[1] = third / deviation**3
    values[2] = fourth / variance**2 - 3.0
    gradient = np.empty((3, len(by_parameter)))
    for i in range(len(by_parameter)):
        first = by_parameter[i, 0]
        second, cubic, quartic = (
            moment[0] * (by_parameter[i, 1] - 2.0 * first),
            moment[1] * (by_parameter[i, 2] - 3.0 * first),
            moment[2] * (by_parameter[i, 3] - 4.0 * first),
        )
        d_third = cubic - 3.0 * second
        d_fourth = quartic - 4.0 * cubic + 6.0 * second
        gradient[0, i] = second
        gradient[1, i] = (d_third - 1.5 * third / variance * second) / deviation**3
        gradient[2, i] = (d_fourth - 2.0 * fourth / variance * second) / variance**2
    for k in range(3):
        if not np.isfinite(values[k]):
            values[k] = np.inf
    return values, gradient

"""Identifiability: which directions of a model's coordinates the quotes determine."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.calibration.solver_problem import Solution
from levy_numerics.jit import compiled_in_order

# Relative to the largest singular value: prices do not change along directions below it. Prices of
# a fit have nine digits, and their derivatives seven.
_RANK_TOLERANCE: Final = 1e-7


@dataclass(frozen=True)
class Identifiability:
    """Local geometry of a least-squares solution in a model's coordinates.

    Attributes
    ----------
    singular_values : ndarray, shape (n_coordinates,)
        Of the weighted Jacobian, decreasing.
    directions : ndarray, shape (n_coordinates, n_coordinates)
        Right singular vectors, as rows.
    left : ndarray, shape (n_quotes, n_coordinates)
        Left singular vectors, as columns.
    residuals : ndarray, shape (n_quotes,)
        Weighted.
    degrees_of_freedom : int
        Quotes less the directions that the fit was free to use: see `_degrees_of_freedom`.
    """

    singular_values: np.ndarray
    directions: np.ndarray
    left: np.ndarray
    residuals: np.ndarray
    degrees_of_freedom: int

    @classmethod
    def of(cls, solution: Solution, low: np.ndarray, high: np.ndarray) -> "Identifiability":
        """Decompose the Jacobian at a solution in the box from `low` to `high`."""
        left, singular, directions = _decomposed(np.ascontiguousarray(solution.jacobian.T))
        degrees = _degrees_of_freedom(solution, singular, low, high)
        return cls(singular, directions, left, solution.residuals, degrees)

    @property
    def residual_variance(self) -> float:
        """Σr² over the degrees of freedom, unbiased; infinite where there are none."""
        if not self.degrees_of_freedom:
            return math.inf
        return float(self.residuals @ self.residuals) / self.degrees_of_freedom

    @property
    def identified(self) -> np.ndarray:
        """Directions along which prices change, boolean, shape (n_coordinates,)."""
        return np.asarray(self.singular_values > _RANK_TOLERANCE * self.singular_values[0])

    def covariance(
        self, gradient: np.ndarray, along: np.ndarray, negligible: float, *, diagonal: bool = False
    ) -> np.ndarray:
        """Return the covariance G·VS⁻¹·C·S⁻¹Vᵀ·Gᵀ of quantities with derivatives G.

        Parameters
        ----------
        gradient : ndarray, shape (k, n_coordinates)
        along : ndarray, shape (n_identified, n_identified)
            C, the covariance of UᵀE, E the errors of the quotes and U the left singular vectors of
            the identified directions: s²·I for independent errors of equal variance.
        negligible : float
            Share of its gradient with which a quantity may change along a null direction and still
            count as determined.
        diagonal : bool
            Whether only the variances are needed.

        Returns
        -------
        ndarray, shape (k, k), or (k,) of the diagonal
            Infinite on the diagonal, and NaN beside it, for quantities that are not determined.
        """
        rows, is_null = _scaled(
            gradient @ self.directions.T, self.singular_values, self.identified, negligible
        )
        return _variances(rows, along, is_null) if diagonal else _matrix(rows, along, is_null)


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
        singular_values = _decomposed(columns)[1] if free.any() else np.zeros(1)
    tolerance = _RANK_TOLERANCE * singular_values[0]
    return int(n_quotes) - int(np.count_nonzero(singular_values > tolerance))


@compiled_in_order
def _decomposed(by_coordinate: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the singular value decomposition of a Jacobian, given its transpose."""
    n, n_quotes = by_coordinate.shape
    if not np.isfinite(by_coordinate).all():
        return np.zeros((n_quotes, n)), np.full(n, np.nan), np.eye(n)
    left, singular, directions = np.linalg.svd(by_coordinate.T, False)
    return np.ascontiguousarray(left), singular, directions


@compiled_in_order
def _scaled(
    along: np.ndarray, singular: np.ndarray, identified: np.ndarray, negligible: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return derivatives over the singular values, (k, n_identified), and which are infinite."""
    size, n = along.shape
    rows, is_null = np.zeros((size, np.sum(identified))), np.zeros(size, dtype=np.bool_)
    for k in range(size):
        steepest, null, column = 0.0, 0.0, 0
        for j in range(n):
            steepest = max(steepest, abs(along[k, j]))
            if identified[j]:
                rows[k, column] = along[k, j] / singular[j]
                column += 1
            else:
                null = max(null, abs(along[k, j]))
        is_null[k] = null > negligible * steepest or column == 0
    return rows, is_null


@compiled_in_order
def _matrix(rows: np.ndarray, along: np.ndarray, is_null: np.ndarray) -> np.ndarray:
    size = len(rows)
    covariance = np.empty((size, size))
    for k in range(size):
        for i in range(size):
            covariance[i, k] = _product(rows[i], along, rows[k])
            if is_null[i] or is_null[k]:
                covariance[i, k] = np.inf if i == k else np.nan
    return covariance


@compiled_in_order
def _variances(rows: np.ndarray, along: np.ndarray, is_null: np.ndarray) -> np.ndarray:
    variances = np.empty(len(rows))
    for k in range(len(rows)):
        variances[k] = np.inf if is_null[k] else _product(rows[k], along, rows[k])
    return variances


@compiled_in_order
def _product(row: np.ndarray, matrix: np.ndarray, other: np.ndarray) -> float:
    total = 0.0
    for i in range(len(row)):
        for j in range(len(other)):
            total += row[i] * matrix[i, j] * other[j]
    return total

"""What the quotes determine: directions, limits, and functionals of the distribution."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtri

from levy_numerics.calibration.solvers.problem import Solution
from levy_numerics.models.base import Model
from levy_numerics.parameters import Parameter

_UNIDENTIFIED: Final = 1e-7
"""Singular values below this share of the largest: prices do not see that direction."""
_NEGLIGIBLE: Final = 1e-4
_DIFFERENCE: Final = 1e-5
_OUTWARD: Final = 1e-3
_LEAST_PACE: Final = 0.3 * _OUTWARD
FUNCTIONALS: Final = ("variance", "skewness", "excess_kurtosis")


@dataclass(frozen=True)
class Functional:
    """A property of the distribution of S/F at one year.

    Attributes
    ----------
    value : float
        Infinite where the distribution has none.
    standard_error : float
        Infinite where the quotes do not determine it.
    """

    value: float
    standard_error: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Normal (Laplace) interval."""
        width = float(ndtri(0.5 + 0.5 * level)) * self.standard_error
        return self.value - width, self.value + width


@dataclass(frozen=True)
class Identification:
    """Local geometry of a least-squares solution in a model's coordinates.

    Attributes
    ----------
    singular_values : ndarray, shape (n_coordinates,)
        Of the weighted Jacobian, decreasing.
    directions : ndarray, shape (n_coordinates, n_coordinates)
        Right singular vectors, as rows.
    residual_variance : float
        2·cost over the degrees of freedom.
    """

    singular_values: np.ndarray
    directions: np.ndarray
    residual_variance: float

    @classmethod
    def of(cls, solution: Solution) -> "Identification":
        """Decompose the Jacobian at the solution."""
        _, singular_values, directions = np.linalg.svd(solution.jacobian, full_matrices=False)
        degrees = max(solution.residuals.size - solution.point.size, 1)
        return cls(singular_values, directions, 2.0 * solution.cost / degrees)

    @property
    def identified(self) -> np.ndarray:
        """Which directions prices see, boolean, shape (n_coordinates,)."""
        return np.asarray(self.singular_values > _UNIDENTIFIED * self.singular_values[0])

    def covariance(self, gradient: np.ndarray, negligible: float = _NEGLIGIBLE) -> np.ndarray:
        """Gauss-Newton covariance s²·G(JᵀJ)⁻¹Gᵀ of what has the derivatives G.

        Parameters
        ----------
        gradient : ndarray, shape (k, n_coordinates)
        negligible : float
            Share of its gradient with which a quantity may move along an undetermined direction
            and still count as determined.

        Returns
        -------
        ndarray, shape (k, k)
            Infinite on the diagonal, and NaN beside it, for what is not determined.
        """
        along = gradient @ self.directions.T
        seen = self.identified
        spread = np.where(seen, 1.0 / np.where(seen, self.singular_values, 1.0), 0.0)
        scaled = along * spread
        # Quantities that nearly have no value, as a kurtosis at the edge of its domain, overflow.
        with np.errstate(over="ignore", invalid="ignore"):
            covariance: np.ndarray = self.residual_variance * scaled @ scaled.T
        touched = np.abs(along[:, ~seen]).max(axis=1, initial=0.0)
        blind = touched > negligible * np.abs(along).max(axis=1)
        covariance[blind, :] = np.nan
        covariance[:, blind] = np.nan
        covariance[blind, blind] = np.inf
        return covariance


def functionals(
    model: type[Model], point: np.ndarray, geometry: Identification
) -> dict[str, Functional]:
    """Variance, skewness and excess kurtosis of S/F at one year, with Gauss-Newton errors.

    Of the price and not of its logarithm: a left tail that the quotes do not determine, such as
    that of G → 0, moves the price by little, and its logarithm without bound.
    """
    steps = _DIFFERENCE * np.eye(point.size)
    points = np.concatenate([point + steps, point - steps, point[None]]).T
    values = _functionals_of(model.from_coordinates(points))
    up, down, centre = np.split(values, [point.size, 2 * point.size], axis=1)
    with np.errstate(invalid="ignore"):
        gradient = (up - down) / (2.0 * _DIFFERENCE)
    centre = centre[:, 0]
    exists = np.isfinite(gradient).all(axis=1) & np.isfinite(centre)
    errors = np.full(centre.size, np.inf)
    errors[exists] = np.sqrt(np.diag(geometry.covariance(gradient[exists])))
    return {
        name: Functional(float(value), float(error))
        for name, value, error in zip(FUNCTIONALS, centre, errors, strict=True)
    }


def _functionals_of(model: Model) -> np.ndarray:
    """Central moments of S/F at one year from φ(−in), n = 2, 3, 4; infinite beyond the strip."""
    order = np.arange(1.0, 5.0)
    batch = model.expanded(1)
    with np.errstate(all="ignore"):
        log_moment = np.real(batch.log_cf(-1j * order, 1.0))
        moment = np.exp(log_moment - order * log_moment[..., :1])
        exists = np.asarray(batch.strip(1.0)[0]) > order
        _, m2, m3, m4 = np.moveaxis(np.where(exists, moment, np.inf), -1, 0)
        variance = m2 - 1.0
        third, fourth = m3 - 3.0 * m2 + 2.0, m4 - 4.0 * m3 + 6.0 * m2 - 3.0
        ratios = [variance, third / variance**1.5, fourth / variance**2 - 3.0]
        return np.asarray(np.nan_to_num(np.stack(ratios), nan=np.inf, posinf=np.inf))


def limits(model: type[Model], solution: Solution, low: np.ndarray, high: np.ndarray) -> list[str]:
    """Limits the parameters run to where the solution lies on the edge of the search box.

    One for each coordinate on its edge: of the parameters that it moves, the one that nears the
    end of its domain fastest. Examples: "G → 0", "M → 1", "nu → ∞".
    """
    found: list[str] = []
    for j, (edge_low, edge_high) in enumerate(zip(low, high, strict=True)):
        if edge_low < solution.point[j] < edge_high:
            continue
        outward = solution.point.copy()
        outward[j] += _OUTWARD if solution.point[j] >= edge_high else -_OUTWARD
        here = model.from_coordinates(solution.point).as_mapping()
        there = model.from_coordinates(outward).as_mapping()
        pace, limit = max(
            _approach(p, float(here[p.name]), float(there[p.name])) for p in model.parameters()
        )
        if pace > _LEAST_PACE and limit not in found:
            found.append(limit)
    return found


def _approach(p: Parameter, here: float, there: float) -> tuple[float, str]:
    """How fast, in logarithms, a parameter nears an end of its domain, and which."""
    paces = []
    for end in (p.domain.low, p.domain.high):
        if np.isfinite(end):
            distance, further = abs(here - end), abs(there - end)
            pace = np.inf if distance == 0 else np.log(distance / max(further, 1e-300))
            paces.append((float(pace), f"{p.name} → {end:g}"))
        elif here != 0:
            pace = np.sign(end) * (there - here) / abs(here)
            paces.append((float(pace), f"{p.name} → {'∞' if end > 0 else '−∞'}"))
    return max(paces)

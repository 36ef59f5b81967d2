"""Moments of the log return: variance, skewness and excess kurtosis, with their derivatives."""

import math
from functools import lru_cache
from typing import Final

import numpy as np

from levy_numerics.jit import compiled_in_order
from levy_numerics.models.base import LevyModel, Model
from levy_numerics.models.compiled import exponent_with_gradient

MOMENTS: Final = ("variance", "skewness", "excess_kurtosis")
# Points of a half circle: with the radius below, the trapezoidal rule is exact to rounding.
_N_POINTS: Final = 12
# Of the distance from 0 to the nearest singularity.
_SHARE_OF_STRIP: Final = 0.25
# Radius in units of 1/deviation where the singularity is further off: the fourth cumulant has a
# rounding error of 12 ε/(r²κ₂), relative to κ₂².
_LARGEST_RADIUS: Final = 2.0
_FACTORIALS: Final = np.array([2.0, 6.0, 24.0])


def log_return_moments(model: Model, maturity_years: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variance, skewness κ₃/κ₂^1.5 and excess kurtosis κ₄/κ₂² of X_T, and their gradients.

    The cumulants κₙ are Taylor coefficients of log φ_T, log φ_T(u) = Σ κₙ(iu)ⁿ/n!. Those of the
    gradient follow from Cauchy's integral on a circle about 0, by the trapezoidal rule.

    Parameters
    ----------
    model : Model
        One parameter set.
    maturity_years : ndarray, shape (m,)

    Returns
    -------
    values : ndarray, shape (m, 3)
    gradient : ndarray, shape (m, 3, n_parameters)
        In the model's parameters.
    """
    if isinstance(model, LevyModel):
        one_year = _cumulants(model, np.ones(1))
        # All cumulants are proportional to maturity.
        powers = maturity_years[:, None] ** np.array([1.0, -0.5, -1.0])
        values, gradient = _standardised(*one_year)
        return powers * values, powers[:, :, None] * gradient
    return _standardised(*_cumulants(model, maturity_years))


def _cumulants(model: Model, years: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return κ₂, κ₃, κ₄, shape (m, 3), and their gradient, shape (n_parameters, m, 3)."""
    values = np.stack([np.broadcast_to(k, years.shape) for k in model.cumulants(years)[1:]], axis=1)
    nearest = _SHARE_OF_STRIP * np.minimum(*model.strip(years))
    radius = np.minimum(nearest, _LARGEST_RADIUS / np.sqrt(values[:, 0]))
    directions, weights = _half_circle()
    u = radius[:, None] * directions
    if isinstance(model, LevyModel):
        by_parameter = exponent_with_gradient(model, u[0])[1][:, None]
    else:
        by_parameter = model.log_cf_gradient(u, years[:, None])
    scale = radius[:, None] ** np.array([-2.0, -3.0, -4.0])
    return values, (by_parameter @ weights).real * scale


@lru_cache
def _half_circle() -> tuple[np.ndarray, np.ndarray]:
    """Return points of the right half of the unit circle, and weights of κ₂, κ₃, κ₄ at them.

    The left half has the conjugate values, log φ(−ū) being the conjugate of log φ(u).
    """
    angles = np.pi * ((np.arange(_N_POINTS) + 0.5) / _N_POINTS - 0.5)
    points = np.exp(1j * angles)
    weights = _FACTORIALS * (1j * points)[:, None] ** np.array([-2, -3, -4]) / _N_POINTS
    return points, weights


@compiled_in_order
def _standardised(cumulants: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the moments from κ₂, κ₃, κ₄ and their gradient."""
    m, n = len(cumulants), len(gradient)
    values, by_parameter = np.empty((m, 3)), np.empty((m, 3, n))
    for t in range(m):
        variance, third, fourth = cumulants[t]
        deviation = math.sqrt(variance)
        skewness, kurtosis = third / (variance * deviation), fourth / (variance * variance)
        values[t, 0], values[t, 1], values[t, 2] = variance, skewness, kurtosis
        for k in range(n):
            relative = gradient[k, t, 0] / variance
            by_parameter[t, 0, k] = gradient[k, t, 0]
            by_parameter[t, 1, k] = (
                gradient[k, t, 1] / (variance * deviation) - 1.5 * skewness * relative
            )
            by_parameter[t, 2, k] = (
                gradient[k, t, 2] / (variance * variance) - 2.0 * kurtosis * relative
            )
    return values, by_parameter

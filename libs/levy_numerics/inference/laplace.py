"""Laplace approximation of a posterior: a normal distribution about its mode."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.distributions import LogNormal
from levy_numerics.inference.bijectors import Box, Support, bijector_of
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.transport_map import Transport
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer

_MAX_STEPS: Final = 40
_MAX_HALVINGS: Final = 12
# The mode is accepted if the last step was shorter, in standard deviations.
_TOLERANCE: Final = 1e-2
# Draws from the priors among which an initial point is chosen, if the fit is outside their support.
_N_CANDIDATES: Final = 256
# Step of the differences of the log prior, in search coordinates.
_STEP: Final = 1e-3
# Grid of η over which the noise is averaged: it covers any noise in floating-point numbers.
_NOISE_GRID: Final = np.linspace(-30.0, 5.0, 701)
# Largest standard deviation of a direction that neither quotes nor prior determine, in search
# coordinates and in unconstrained ones.
_MAX_DEVIATION: Final = 3.0
_MAX_UNCONSTRAINED_DEVIATION: Final = 2.0


@dataclass(frozen=True)
class Laplace:
    """Normal distribution about the mode of a posterior.

    Attributes
    ----------
    centre : ndarray, shape (d,)
        In search coordinates (see `bijectors`), and η if the noise has a prior.
    covariance : ndarray, shape (d, d)
    noise : float
        τ at the mode.
    """

    centre: np.ndarray
    covariance: np.ndarray
    noise: float

    def in_unconstrained_space(self, bijector: Box | Support) -> Transport:
        """Return the normal distribution in unconstrained coordinates, as an affine map."""
        centre, scale = self.centre[:, None], np.ones((self.centre.size, 1))
        if isinstance(bijector, Box):
            centre = bijector.unconstrain(centre)
            scale = 1.0 / bijector.derivative(centre)
        values, vectors = np.linalg.eigh(scale * self.covariance * scale.T)
        floor = values[-1] * np.finfo(float).eps
        # Near a face of the box the linearised map would stretch deviations without bound.
        deviations = np.sqrt(np.clip(values, floor, _MAX_UNCONSTRAINED_DEVIATION**2))
        return Transport.affine(centre[:, 0], (vectors * deviations)[:, ::-1])


def laplace(posterior: Posterior, initial: Model, bijector: Box | Support | None = None) -> Laplace:
    """Return the Laplace approximation of a posterior, in search coordinates.

    The mode is found by Gauss-Newton steps with backtracking, alternating with updates of the
    noise; the curvature is JᵀJ/τ² plus that of the priors.

    Raises
    ------
    InvalidParameterError
        The priors exclude all admissible models in the search box.
    """
    bijector = bijector_of(posterior.priors) if bijector is None else bijector
    pricer = SinhPricer(posterior.quotes.contracts)
    x = _start_in_prior_support(posterior, pricer, bijector, initial)
    for _ in range(_MAX_STEPS):
        residuals, jacobian = _linearised(posterior, pricer, bijector, x)
        eta, noise, noise_variance = _noise_mode(posterior, float(residuals @ residuals))
        gradient, hessian = _prior_derivatives(posterior, bijector, bijector.clip(x, 2.0 * _STEP))
        precision = _bounded_precision(jacobian.T @ jacobian / noise**2 - hessian)
        step = np.linalg.solve(precision, gradient - jacobian.T @ residuals / noise**2)
        step = _backtracking_step(
            posterior, pricer, bijector, noise, x, bijector.clip(x + step) - x
        )
        x = x + step
        if float(step @ precision @ step) < _TOLERANCE**2:
            break
    covariance = np.linalg.inv(precision)
    if isinstance(posterior.noise, LogNormal):
        x = np.append(x, eta)
        padded = np.zeros((x.size, x.size))
        padded[:-1, :-1], padded[-1, -1] = covariance, noise_variance
        covariance = padded
    return Laplace(x, covariance, noise)


def _start_in_prior_support(
    posterior: Posterior, pricer: SinhPricer, bijector: Box | Support, initial: Model
) -> np.ndarray:
    """Return search coordinates of `initial`, or if priors exclude it the best of their draws.

    Differences of the log prior must exist at the point, too.
    """
    x = bijector.initial_point(initial)
    if np.isfinite(_prior_stencil(posterior, bijector, bijector.clip(x, 2.0 * _STEP))).all():
        return x
    draws = posterior.priors.sample(np.random.default_rng(0), _N_CANDIDATES).to_coordinates()
    draws = np.asarray(draws)[: x.size]
    candidates = draws if isinstance(bijector, Box) else bijector.unconstrain(draws)
    candidates = bijector.clip(candidates.T, 2.0 * _STEP).T
    with np.errstate(all="ignore"):
        prices = pricer.price(bijector.model_at(candidates), refine=False).value
        squares = (((prices - posterior.quotes.price) / posterior.scale) ** 2).sum(axis=1)
        valid = np.isfinite(bijector.log_prior(posterior.priors, candidates) - squares)
    if not valid.any():
        name = posterior.model_type.name
        raise posterior.priors.error(f"the priors lie outside of the search box of {name}")
    return np.asarray(candidates[:, np.argmin(np.where(valid, squares, np.inf))])


def _backtracking_step(
    posterior: Posterior,
    pricer: SinhPricer,
    bijector: Box | Support,
    noise: float,
    x: np.ndarray,
    step: np.ndarray,
) -> np.ndarray:
    """Return the longest of the step and its halves that increases the posterior, or zero."""
    factors = np.r_[0.0, 0.5 ** np.arange(_MAX_HALVINGS)]
    # The full step nearly always suffices, so halves are priced in a second batch.
    for part in (slice(0, 2), slice(2, None)):
        tried = np.r_[0.0, factors[part]] if part.start else factors[part]
        ends = x[:, None] + step[:, None] * tried
        log_density = _log_posterior(posterior, pricer, bijector, noise, ends)
        higher = np.flatnonzero(log_density > log_density[0])
        if higher.size:
            return np.asarray(step * tried[higher[0]])
    return np.zeros_like(step)


def _log_posterior(
    posterior: Posterior,
    pricer: SinhPricer,
    bijector: Box | Support,
    noise: float,
    x: np.ndarray,
) -> np.ndarray:
    """Return the log posterior at search coordinates, shape (d, n), for given noise; else −∞."""
    with np.errstate(all="ignore"):
        prices = pricer.price(bijector.model_at(x), refine=False).value
        log_density = posterior.log_likelihood(prices, np.full(x.shape[1], noise))
        log_density = log_density + bijector.log_prior(posterior.priors, x)
    return np.where(np.isfinite(log_density), log_density, -np.inf)


def _linearised(
    posterior: Posterior, pricer: SinhPricer, bijector: Box | Support, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return whitened residuals, shape (n,), and their derivatives, shape (n, p)."""
    prices = pricer.price_gradient(bijector.model_at(x))
    jacobian = posterior.whitened(prices.gradient / posterior.scale).T
    errors = posterior.whitened((prices.value - posterior.quotes.price) / posterior.scale)
    return errors, jacobian @ bijector.parameter_jacobian(x)


def _noise_mode(posterior: Posterior, square: float) -> tuple[float, float, float]:
    """Return η, τ and the variance of η for the most likely noise, given Σr²."""
    if not isinstance(posterior.noise, LogNormal):
        return 0.0, float(posterior.noise), 0.0
    prior, n = posterior.noise, posterior.quotes.size
    noise = prior.loc + np.exp(_NOISE_GRID)
    level = -n * np.log(noise) - 0.5 * (square + posterior.constant) / noise**2
    level = level - 0.5 * ((_NOISE_GRID - prior.mu) / prior.sigma) ** 2
    density = np.exp(level - level.max())
    density /= density.sum()
    eta = float(density @ _NOISE_GRID)
    variance = float(density @ (_NOISE_GRID - eta) ** 2)
    # If the posterior of η is narrower than the grid, its variance is that of a Gaussian sample.
    return eta, prior.loc + math.exp(eta), max(variance, 0.5 / n)


def _prior_derivatives(
    posterior: Posterior, bijector: Box | Support, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return gradient and Hessian of the log prior at search coordinates, by differences."""
    d = x.size
    level = _prior_stencil(posterior, bijector, x)
    centre, up, down = level[0], level[1 : d + 1], level[d + 1 : 2 * d + 1]
    hessian = np.diag(up + down - 2.0 * centre)
    mixed = iter(level[2 * d + 1 :])
    for i in range(d):
        for j in range(i):
            both = next(mixed) + next(mixed) - 2.0 * centre
            hessian[i, j] = hessian[j, i] = 0.5 * (both - hessian[i, i] - hessian[j, j])
    return (up - down) / (2.0 * _STEP), hessian / _STEP**2


def _prior_stencil(posterior: Posterior, bijector: Box | Support, x: np.ndarray) -> np.ndarray:
    """Return the log prior at a point and after steps along each axis and each pair of axes."""
    unit = _STEP * np.eye(x.size)
    pairs = [unit[i] + unit[j] for i in range(x.size) for j in range(i)]
    points = [x, *(x + unit), *(x - unit), *(x + s * both for both in pairs for s in (1.0, -1.0))]
    return bijector.log_prior(posterior.priors, np.stack(points, axis=1))


def _bounded_precision(precision: np.ndarray) -> np.ndarray:
    """Return the precision with eigenvalues of at least `_MAX_DEVIATION`⁻²."""
    values, vectors = np.linalg.eigh(precision)
    return np.asarray((vectors * np.maximum(values, _MAX_DEVIATION**-2)) @ vectors.T)

"""Laplace's approximation of a posterior, importance-weighted against the exact one.

The approximation proposes, heavy-tailed so that it covers what it misses; the batched pricer
weighs; the weights' own tail says whether to believe the result. Where it says no, the proposal
moves to the mean and covariance of what was weighed, and tries again.

References
----------
Vehtari et al. (2024), JMLR 25(72). Paananen, Piironen, Bürkner and Vehtari (2021), Implicitly
adaptive importance sampling, Statistics and Computing 31, 16, for the adaptation.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Self

import numpy as np
from scipy.special import gammaincinv, ndtri

from levy_numerics.calibration.posterior import Posterior
from levy_numerics.calibration.priors import LogNormal
from levy_numerics.calibration.psis import SmoothedWeights, smooth
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer

_DRAWS: Final = 1024
_TAIL: Final = 7.0
"""Degrees of freedom of the proposal."""
_GOOD_K: Final = 0.5
_ADAPTATIONS: Final = 2
_MODE_STEPS: Final = 6
_CLOSE: Final = 1e-2
"""Standard deviations within which the mode is found."""
_STEP: Final = 1e-3
_NOISE_GRID: Final = np.linspace(-30.0, 5.0, 701)
_WIDEST: Final = 3.0
"""Standard deviation of a coordinate that neither quotes nor prior determine."""


@dataclass(frozen=True)
class Proposal:
    """A multivariate Student's t.

    Attributes
    ----------
    centre : ndarray, shape (d,)
    factor : ndarray, shape (d, d)
        The covariance is factor·factorᵀ, but for the tails.
    """

    centre: np.ndarray
    factor: np.ndarray

    @classmethod
    def of_covariance(cls, centre: np.ndarray, covariance: np.ndarray) -> Self:
        """Factorise, whatever rounding did to the covariance."""
        values, vectors = np.linalg.eigh(covariance)
        floor = values[-1] * np.finfo(float).eps
        return cls(centre, vectors * np.sqrt(np.maximum(values, floor)))

    def draw(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Points, shape (d, n), evenly spread, and log of their density up to a constant."""
        d = self.centre.size
        standard = _spread_out(d, n, seed)
        points = self.centre[:, None] + self.factor @ standard
        return points, -0.5 * (_TAIL + d) * np.log1p((standard**2).sum(axis=0) / _TAIL)


@dataclass(frozen=True)
class WeightedDraws:
    """Draws of a posterior with their weights.

    Attributes
    ----------
    model : Model
        A batch, fields of shape (n,).
    points : ndarray, shape (d, n)
        Coordinates, and the noise's where it has a prior.
    noise : ndarray, shape (n,)
        τ, in the unit of the weights asked for.
    smoothed : SmoothedWeights
    """

    model: Model
    points: np.ndarray
    noise: np.ndarray
    smoothed: SmoothedWeights

    @property
    def pareto_k(self) -> float:
        """Above 0.7 the weights are not to be relied on: ask a sampler."""
        return self.smoothed.pareto_k

    @property
    def weights(self) -> np.ndarray:
        """Shape (n,), with sum one."""
        return self.smoothed.weights

    def intervals(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Central credible intervals by parameter."""
        tail = 0.5 * (1.0 - level)
        found = {}
        for name, values in self.model.as_mapping().items():
            values = np.broadcast_to(values, self.noise.shape)
            low, high = weighted_quantiles(values, self.weights, np.array([tail, 1.0 - tail]))
            found[name] = (float(low), float(high))
        return found

    def means(self) -> dict[str, float]:
        """Posterior means by parameter."""
        return {
            name: float(np.sum(values * self.weights))
            for name, values in self.model.as_mapping().items()
        }

    def resample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Indices of n draws that count alike, by systematic resampling; in random order."""
        positions = (np.arange(n) + rng.uniform()) / n
        cumulated = np.cumsum(self.weights)
        chosen = np.searchsorted(cumulated / cumulated[-1], positions, side="right")
        return np.asarray(rng.permutation(np.minimum(chosen, self.weights.size - 1)))


def importance_sample(
    posterior: Posterior, start: Model, *, n_draws: int = _DRAWS, seed: int = 0
) -> WeightedDraws:
    """Draw from Laplace's approximation and weigh by the exact posterior.

    Parameters
    ----------
    posterior : Posterior
    start : Model
        The least-squares fit, near which the mode is looked for.
    n_draws : int
        Of each attempt; the best answers.
    seed : int
        Of the quasi-random draws.
    """
    proposal, noise = laplace(posterior, start)
    pricer = posterior.pricer_for(noise)
    best: WeightedDraws | None = None
    for attempt in range(1 + _ADAPTATIONS):
        found = _weighed(posterior, proposal, pricer, n_draws, seed + attempt)
        if best is None or found.pareto_k < best.pareto_k:
            best = found
        if best.pareto_k <= _GOOD_K:
            break
        proposal = _matched(found, proposal)
    assert best is not None
    return best


def laplace(posterior: Posterior, start: Model) -> tuple[Proposal, float]:
    """Gaussian at the mode of a posterior, and the noise there.

    The mode is found by a few Gauss-Newton steps, prices with their gradient alternating with the
    noise; curvature is JᵀJ/τ² plus that of the priors.
    """
    low, high = (np.array(end) for end in posterior.model_type.coordinate_bounds())
    pricer = SinhPricer(posterior.quotes.contracts)
    z = np.clip(np.asarray(start.to_coordinates(), dtype=float), low, high)
    for _ in range(_MODE_STEPS):
        residuals, jacobian = _linearised(posterior, pricer, z)
        eta, noise, noise_variance = _noise_mode(posterior, float(residuals @ residuals))
        slope, curvature = _prior_shape(posterior, np.clip(z, low + 2 * _STEP, high - 2 * _STEP))
        precision = _positive(jacobian.T @ jacobian / noise**2 - curvature)
        step = np.linalg.solve(precision, slope - jacobian.T @ residuals / noise**2)
        moved = np.clip(z + step, low, high) - z
        z = z + moved
        if float(moved @ precision @ moved) < _CLOSE**2:
            break
    covariance = np.linalg.inv(precision)
    if isinstance(posterior.noise, LogNormal):
        z = np.append(z, eta)
        padded = np.zeros((z.size, z.size))
        padded[:-1, :-1], padded[-1, -1] = covariance, noise_variance
        covariance = padded
    return Proposal.of_covariance(z, covariance), noise


def weighted_quantiles(
    values: np.ndarray, weights: np.ndarray, probabilities: np.ndarray
) -> np.ndarray:
    """Quantiles of weighted values, by interpolation between midpoints of their weights."""
    order = np.argsort(values)
    cumulated = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.asarray(np.interp(probabilities, cumulated, values[order]))


def _weighed(
    posterior: Posterior, proposal: Proposal, pricer: SinhPricer, n: int, seed: int
) -> WeightedDraws:
    points, log_proposal = proposal.draw(n, seed)
    log_target = posterior.log_density(points, pricer)
    smoothed = smooth(log_target - log_proposal)
    model = posterior.model_type.from_coordinates(points[: posterior.n_coordinates])
    return WeightedDraws(model, points, posterior.noise_at(points), smoothed)


def _matched(found: WeightedDraws, proposal: Proposal) -> Proposal:
    """Proposal of the weighted mean and covariance; a wider one where few draws have weight."""
    w = found.weights
    mean = found.points @ w
    centred = found.points - mean[:, None]
    if found.smoothed.effective_size < 4.0 * proposal.centre.size:
        return replace(proposal, factor=2.0 * proposal.factor)
    return Proposal.of_covariance(mean, (centred * w) @ centred.T)


def _linearised(
    posterior: Posterior, pricer: SinhPricer, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Errors in units of the scale, shape (n,), and their derivatives, shape (n, p)."""
    model_type = posterior.model_type
    found = pricer.price_gradient(model_type.from_coordinates(z))
    by_coordinate = (found.gradient / posterior.scale).T @ model_type.coordinate_jacobian(z)
    return (found.value - posterior.quotes.price) / posterior.scale, by_coordinate


def _noise_mode(posterior: Posterior, square: float) -> tuple[float, float, float]:
    """η, τ and the variance of η where the noise is most likely, given Σr²."""
    if not isinstance(posterior.noise, LogNormal):
        return 0.0, float(posterior.noise), 0.0
    prior, n = posterior.noise, posterior.quotes.size
    noise = prior.beyond + np.exp(_NOISE_GRID)
    level = -n * np.log(noise) - 0.5 * square / noise**2
    level = level - 0.5 * ((_NOISE_GRID - prior.mu) / prior.sigma) ** 2
    density = np.exp(level - level.max())
    density /= density.sum()
    eta = float(density @ _NOISE_GRID)
    variance = float(density @ (_NOISE_GRID - eta) ** 2)
    # Where the posterior of the noise is narrower than the grid, it is that of a Gaussian sample.
    return eta, prior.beyond + math.exp(eta), max(variance, 0.5 / n)


def _prior_shape(posterior: Posterior, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and Hessian of the log prior in coordinates, by central differences."""
    d = z.size
    unit = _STEP * np.eye(d)
    pairs = [(i, j) for i in range(d) for j in range(i + 1)]
    shifts = [z, *(z + unit), *(z - unit)]
    shifts += [z + s * (unit[i] + unit[j]) for i, j in pairs for s in (1.0, -1.0) if i != j]
    level = posterior.priors.log_density_at(np.stack(shifts, axis=1))
    centre, up, down = level[0], level[1 : d + 1], level[d + 1 : 2 * d + 1]
    hessian = np.diag(up + down - 2.0 * centre)
    mixed = iter(level[2 * d + 1 :])
    for i, j in pairs:
        if i != j:
            both = next(mixed) + next(mixed) - 2.0 * centre
            hessian[i, j] = hessian[j, i] = 0.5 * (both - hessian[i, i] - hessian[j, j])
    return (up - down) / (2.0 * _STEP), hessian / _STEP**2


def _positive(precision: np.ndarray) -> np.ndarray:
    """The nearest precision that leaves no direction wider than `_WIDEST`."""
    values, vectors = np.linalg.eigh(precision)
    return np.asarray((vectors * np.maximum(values, _WIDEST**-2)) @ vectors.T)


@lru_cache(maxsize=16)
def _spread_out(d: int, n: int, seed: int) -> np.ndarray:
    """Quasi-random points of the standard Student's t in d dimensions, shape (d, n)."""
    from scipy.stats import qmc  # Half a second to import: only those who sample pay.

    sampler = qmc.Sobol(d + 1, rng=np.random.default_rng(seed))
    even = sampler.random_base2((n - 1).bit_length())[:n].T
    even = np.clip(even, 2.0**-53, 1.0 - 2.0**-53)
    chi_square = 2.0 * gammaincinv(0.5 * _TAIL, even[-1])
    return np.asarray(ndtri(even[:-1]) * np.sqrt(_TAIL / chi_square))

"""Adaptive importance sampling of a posterior, beginning with its Laplace approximation.

Each proposal is a Student t distribution, transformed by a map. The first map is the Laplace
approximation; later ones are fitted to the weighted draws so far. All draws are weighted as draws
of one mixture. The tail of the weights (Pareto k) measures the reliability of the result.

References
----------
Cornuet, Marin, Mira and Robert (2012), Adaptive multiple importance sampling, Scandinavian Journal
of Statistics 39(4), 798-812. Vehtari et al. (2024), JMLR 25(72).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, Self

import numpy as np
from scipy.special import gammaincinv, logsumexp, ndtri

from levy_numerics.display import Displayed, optional
from levy_numerics.inference.bijectors import Box, Support, bijector_of
from levy_numerics.inference.laplace import laplace
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.psis import SmoothedWeights, reliable_k, resample, smooth
from levy_numerics.inference.transport_map import Transport
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer

_N_DRAWS: Final = 1024
_MAX_ADAPTATIONS: Final = 2
# Proposals have heavier tails than a normal posterior, so that weights are bounded.
_DEGREES_OF_FREEDOM: Final = 7.0
# Scale of proposals with a fitted map: the tails of a posterior are sampled last.
_SCALE_INFLATION: Final = 1.3
# Weights are balanced if k is smaller, and the effective sample size a larger share of the draws.
_MAX_BALANCED_K: Final = 0.5
_MIN_BALANCED_SHARE: Final = 0.4
# Effective draws per dimension that a map is fitted to: weights are tempered until there are more.
_MIN_EFFECTIVE_DRAWS: Final = 60
# Adaptation has converged if centre and scales of the map change by less, in standard deviations.
_MAX_CHANGE: Final = 0.05
# Number of final proposals if adaptation did not converge. With one of them ten times as many draws
# of NUTS diverged for the posterior of Merton's model.
_N_FINAL_PROPOSALS: Final = 3
_TEMPERING_FACTOR, _MIN_TEMPERING = 0.7, 1e-9


@dataclass(frozen=True)
class Proposal:
    """Student t distribution, transformed by a map.

    Attributes
    ----------
    transport : Transport
    scale : float
        Scale of the t distribution, relative to the normal one for which the map was fitted.
    """

    transport: Transport
    scale: float = 1.0

    def draw(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return quasi-random draws, shape (d, n), and their `log_density`."""
        v = self.scale * _quasi_random_t(self.transport.centre.size, n, seed)
        u, log_volume = self.transport.from_standard(v)
        return u, np.asarray(self._standard_log_density(v) - log_volume)

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """Return the log density at points, shape (d, n), up to a constant of all proposals."""
        v, log_volume = self.transport.to_standard(u)
        return np.asarray(self._standard_log_density(v) + log_volume)

    def _standard_log_density(self, v: np.ndarray) -> np.ndarray:
        d, nu = len(v), _DEGREES_OF_FREEDOM
        squares = (v**2).sum(axis=0) / self.scale**2
        return np.asarray(-0.5 * (nu + d) * np.log1p(squares / nu) - d * math.log(self.scale))


@dataclass(frozen=True)
class WeightedDraws(Displayed):
    """Weighted draws of a posterior.

    Attributes
    ----------
    model : Model
        A batch, fields of shape (n,).
    points : ndarray, shape (d, n)
        Coordinates of the model, and of the noise if it has a prior.
    unconstrained : ndarray, shape (d, n)
        The same in unconstrained coordinates.
    noise : ndarray, shape (n,)
        τ, in the unit of the posterior's weights.
    smoothed : SmoothedWeights
    adaptation_converged : bool
        Whether proposals stopped changing. Otherwise the draws may miss a tail, which neither
        weights nor k would show.
    """

    model: Model
    points: np.ndarray
    unconstrained: np.ndarray
    noise: np.ndarray
    smoothed: SmoothedWeights
    adaptation_converged: bool

    @property
    def pareto_k(self) -> float:
        """Shape of the tail of the weights; above 0.7 they are unreliable: use MCMC instead."""
        return self.smoothed.pareto_k

    @property
    def weights(self) -> np.ndarray:
        """Normalised weights, shape (n,)."""
        return self.smoothed.weights

    def transport(self) -> Transport:
        """Return a map from a standard normal distribution, fitted to the draws."""
        return _fit_transport_map(self.unconstrained, self.smoothed.log_weights)

    def intervals(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Return central credible intervals by parameter."""
        tail = 0.5 * (1.0 - level)
        intervals = {}
        for name, values in self.model.as_mapping().items():
            values = np.broadcast_to(values, self.noise.shape)
            low, high = weighted_quantiles(values, self.weights, np.array([tail, 1.0 - tail]))
            intervals[name] = (float(low), float(high))
        return intervals

    def means(self) -> dict[str, float]:
        """Return posterior means by parameter."""
        return {
            name: float(np.sum(values * self.weights))
            for name, values in self.model.as_mapping().items()
        }

    def plot(self) -> Any:
        """Return a Plotly figure of the weighted histogram of each parameter."""
        by_name = self._values()
        figure = optional("plotly.subplots", "cli").make_subplots(rows=len(by_name), cols=1)
        for k, (name, values) in enumerate(by_name.items(), start=1):
            edges = weighted_quantiles(values, self.weights, np.array([1e-3, 1.0 - 1e-3]))
            density, at = np.histogram(values, bins=40, range=tuple(edges), weights=self.weights)
            figure.add_bar(x=0.5 * (at[1:] + at[:-1]), y=density, name=name, row=k, col=1)
        return figure.update_layout(title=self._title(), bargap=0)

    def _values(self) -> dict[str, np.ndarray]:
        """Return the draws of each parameter, and of the noise where it has a prior."""
        values = dict(self.model.as_mapping())
        if np.ptp(self.noise) > 0.0:
            values["noise"] = self.noise
        return {name: np.broadcast_to(x, self.noise.shape) for name, x in values.items()}

    def _title(self) -> str:
        return f"{self.model.name}: posterior"

    def _facts(self) -> Mapping[str, Any]:
        return {
            "No. Draws": self.noise.size,
            "Effective draws": self.smoothed.effective_size,
            "Pareto k": self.pareto_k,
            "Largest reliable k": reliable_k(self.noise.size),
        }

    def _columns(self) -> Mapping[str, Any]:
        values = self._values()
        shares = np.array([0.025, 0.5, 0.975])
        quantiles = [weighted_quantiles(x, self.weights, shares) for x in values.values()]
        means = [float(np.sum(x * self.weights)) for x in values.values()]
        spreads = [
            float(np.sqrt(np.sum((x - mean) ** 2 * self.weights)))
            for x, mean in zip(values.values(), means, strict=True)
        ]
        low, median, high = (list(column) for column in zip(*quantiles, strict=True))
        columns = {"mean": means, "std": spreads, "low_95": low, "median": median, "high_95": high}
        return {"parameter": list(values), **columns}

    def _notes(self) -> tuple[str, ...]:
        unreliable = not self.pareto_k <= reliable_k(self.noise.size)
        return ("Pareto k is too large: use an MCMC engine instead",) if unreliable else ()

    def resample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return indices of n draws with equal weights, by systematic resampling; shuffled."""
        return resample(self.weights, rng, n)


def importance_sample(
    posterior: Posterior,
    start: Model,
    *,
    n_draws: int = _N_DRAWS,
    n_adaptations: int = _MAX_ADAPTATIONS,
    n_last: int = 0,
    seed: int = 0,
) -> WeightedDraws:
    """Return weighted draws of a posterior by adaptive importance sampling.

    Parameters
    ----------
    posterior : Posterior
    start : Model
        The least-squares fit, at which the search for the mode begins.
    n_draws : int
        Number of draws of each proposal; all are returned.
    n_adaptations : int
        Maximal number of proposals after the first. Adaptation ends earlier if it has converged, or
        if the weights of the first proposal are balanced.
    n_last : int
        Draws of one more proposal, or of three if adaptation did not converge: tails require many
        draws, finding the posterior few.
    seed : int
        Seed of the quasi-random draws.
    """
    bijector = bijector_of(posterior.priors)
    mode = laplace(posterior, start, bijector)
    sampler = _AdaptiveImportanceSampler.without_draws(
        posterior, bijector, posterior.pricer_for(mode.noise)
    )
    proposal = Proposal(mode.in_unconstrained_space(bijector))
    converged = False
    for attempt in range(1 + n_adaptations):
        sampler = sampler.with_draws_of(proposal, n_draws, seed + attempt)
        balanced = sampler.weights_are_balanced(n_draws)
        converged = balanced and attempt == 0
        if converged or attempt == n_adaptations:
            break
        if not sampler.enough_finite_weights():
            proposal = replace(proposal, scale=2.0 * proposal.scale)
            continue
        fitted = _fit_transport_map(sampler.u, sampler.log_ratios())
        # Balanced weights of one proposal may only mean that it missed a tail: the next map must
        # be the same.
        converged = balanced and _adaptation_converged(proposal.transport, fitted)
        if converged:
            break
        proposal = Proposal(fitted, _SCALE_INFLATION)
    n_proposals = (1 if converged else _N_FINAL_PROPOSALS) if n_last else 0
    for k in range(n_proposals):
        # If the Laplace approximation was balanced, it remains the proposal.
        if len(sampler.proposals) > 1 and sampler.enough_finite_weights():
            fitted = _fit_transport_map(sampler.u, sampler.log_ratios())
            proposal = Proposal(fitted, _SCALE_INFLATION)
        sampler = sampler.with_draws_of(proposal, n_last, seed + 1 + n_adaptations + k)
    return sampler.weighted_draws(converged)


@dataclass(frozen=True)
class _AdaptiveImportanceSampler:
    """Draws of several proposals, with the log densities of the target and of every proposal.

    Attributes
    ----------
    proposals : tuple of Proposal
        Each contributed equally many draws.
    u : ndarray, shape (d, n)
    log_target : ndarray, shape (n,)
    log_proposed : ndarray, shape (n_proposals, n)
    """

    posterior: Posterior
    bijector: Box | Support
    pricer: SinhPricer
    proposals: tuple[Proposal, ...]
    u: np.ndarray
    log_target: np.ndarray
    log_proposed: np.ndarray

    @classmethod
    def without_draws(
        cls, posterior: Posterior, bijector: Box | Support, pricer: SinhPricer
    ) -> Self:
        u = np.empty((posterior.size, 0))
        return cls(posterior, bijector, pricer, (), u, np.empty(0), np.empty((0, 0)))

    def with_draws_of(self, proposal: Proposal, n: int, seed: int) -> Self:
        u, own = proposal.draw(n, seed)
        with np.errstate(all="ignore"):
            points, log_volume = self.bijector.constrain(u)
        log_target = self.posterior.log_density(points, self.pricer) + log_volume
        # Weights refer to the mixture: each proposal's density at each proposal's draws.
        by_others = np.array([other.log_density(u) for other in self.proposals]).reshape(-1, n)
        of_others = proposal.log_density(self.u) if self.proposals else np.empty(0)
        log_proposed = np.block([[self.log_proposed, by_others], [of_others[None], own[None]]])
        return replace(
            self,
            proposals=(*self.proposals, proposal),
            u=np.concatenate([self.u, u], axis=1),
            log_target=np.concatenate([self.log_target, log_target]),
            log_proposed=log_proposed,
        )

    def weights_are_balanced(self, n: int) -> bool:
        """Return whether the last n draws, those of one proposal, have similar weights."""
        weights = smooth(self.log_target[-n:] - self.log_proposed[-1, -n:])
        return (
            weights.pareto_k <= _MAX_BALANCED_K
            and weights.effective_size >= _MIN_BALANCED_SHARE * n
        )

    def enough_finite_weights(self) -> bool:
        """Return whether enough draws have a positive target density to fit a map."""
        return int(np.isfinite(self.log_ratios()).sum()) >= _MIN_EFFECTIVE_DRAWS * len(self.u)

    def log_ratios(self) -> np.ndarray:
        """Return the log ratios of the target to the mixture of all proposals."""
        return np.asarray(self.log_target - logsumexp(self.log_proposed, axis=0))

    def weighted_draws(self, adaptation_converged: bool) -> WeightedDraws:
        with np.errstate(all="ignore"):
            points, _ = self.bijector.constrain(self.u)
        model = self.posterior.model_type.from_coordinates(points[: self.posterior.n_coordinates])
        noise = np.asarray(self.posterior.noise_at(points))
        weights = smooth(self.log_ratios())
        return WeightedDraws(model, points, self.u, noise, weights, adaptation_converged)


def _fit_transport_map(u: np.ndarray, log_ratios: np.ndarray) -> Transport:
    """Return a map fitted to weighted draws, with tempered weights if too few draws dominate."""
    log_ratios = log_ratios - log_ratios.max()
    power = 1.0
    while True:
        weights = np.exp(power * log_ratios)
        weights /= weights.sum()
        effective_size = 1.0 / np.sum(weights**2)
        if effective_size >= _MIN_EFFECTIVE_DRAWS * len(u) or power < _MIN_TEMPERING:
            return Transport.fitted(u, weights)
        power *= _TEMPERING_FACTOR


def _adaptation_converged(before: Transport, after: Transport) -> bool:
    """Return whether centre and scales of a map have hardly changed."""
    shift = np.linalg.solve(after.factor, after.centre - before.centre)
    scales = np.linalg.svd(np.linalg.solve(after.factor, before.factor), compute_uv=False)
    return bool(np.abs(shift).max() < _MAX_CHANGE and np.abs(scales - 1.0).max() < _MAX_CHANGE)


def weighted_quantiles(
    values: np.ndarray, weights: np.ndarray, probabilities: np.ndarray
) -> np.ndarray:
    """Return quantiles of weighted values, by interpolation between midpoints of their weights."""
    order = np.argsort(values)
    cumulated = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.asarray(np.interp(probabilities, cumulated, values[order]))


@lru_cache(maxsize=16)
def _quasi_random_t(d: int, n: int, seed: int) -> np.ndarray:
    """Return quasi-random points of the standard Student t in d dimensions, shape (d, n)."""
    from scipy.stats import qmc  # The import takes half a second.

    # One more dimension for the chi-square variable of the t distribution.
    sampler = qmc.Sobol(d + 1, rng=np.random.default_rng(seed))
    uniform = sampler.random_base2((n - 1).bit_length())[:n].T
    uniform = np.clip(uniform, 2.0**-53, 1.0 - 2.0**-53)
    chi_square = 2.0 * gammaincinv(0.5 * _DEGREES_OF_FREEDOM, uniform[-1])
    return np.asarray(ndtri(uniform[:-1]) * np.sqrt(_DEGREES_OF_FREEDOM / chi_square))

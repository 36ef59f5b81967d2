"""Laplace's approximation of a posterior, importance-weighted against the exact one.

The approximation proposes, heavy-tailed so that it covers what it misses; the batched pricer
weighs; the weights' own tail says whether to believe the result. Where it says no, a map learnt
from what was weighed proposes next, and all draws so far count as those of one mixture.

References
----------
Vehtari et al. (2024), JMLR 25(72). Cornuet, Marin, Mira and Robert (2012), Adaptive multiple
importance sampling, Scandinavian J. Statistics 39(4), 798-812, for the mixture.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Self

import numpy as np
from scipy.special import gammaincinv, logsumexp, ndtri

from levy_numerics.inference.bijectors import Box
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.prior_support import Support, search_space
from levy_numerics.inference.priors import LogNormal
from levy_numerics.inference.psis import SmoothedWeights, resample, smooth
from levy_numerics.inference.transport_map import Transport
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer

_DRAWS: Final = 1024
_TAIL: Final = 7.0
"""Degrees of freedom of the proposal."""
_BOLDNESS: Final = 1.3
"""How much wider than what they were learnt from maps propose: tails were seen last."""
_GOOD_K: Final = 0.5
_GOOD_SHARE: Final = 0.4
"""Of a proposal's draws, by effective size."""
_ADAPTATIONS: Final = 2
_LEARNT_FROM: Final = 60
"""Effective draws for each entry of a point: weights are tempered until there are so many."""
_UNCHANGED: Final = 0.05
"""Standard deviations, and share of one."""
_UNSETTLED: Final = 3
"""Last proposals of those that did not settle: with one, ten times as many of NUTS's draws
diverged on Merton's posterior."""
_FLATTER, _FLATTEST = 0.7, 1e-9
_MODE_STEPS: Final = 40
_HALVINGS: Final = 12
_SCREENED: Final = 256
_CLOSE: Final = 1e-2
"""Standard deviations within which the mode is found."""
_STEP: Final = 1e-3
_NOISE_GRID: Final = np.linspace(-30.0, 5.0, 701)
_WIDEST: Final = 3.0
"""Standard deviation of a coordinate that neither quotes nor prior determine."""
_WIDEST_UNBOUNDED: Final = 2.0
"""The same, without the box."""


@dataclass(frozen=True)
class Laplace:
    """A normal about the mode of a posterior.

    Attributes
    ----------
    centre : ndarray, shape (d,)
        A point of the search: of the posterior, or of its prior's support without ends.
    covariance : ndarray, shape (d, d)
    noise : float
        τ there.
    """

    centre: np.ndarray
    covariance: np.ndarray
    noise: float

    def without(self, space: Box | Support) -> Transport:
        """Return the same where there are no bounds."""
        centre, slope = self.centre[:, None], np.ones((self.centre.size, 1))
        if isinstance(space, Box):
            centre = space.emptied(centre)
            slope = 1.0 / space.slopes(centre)
        values, vectors = np.linalg.eigh(slope * self.covariance * slope.T)
        floor = values[-1] * np.finfo(float).eps
        deviations = np.sqrt(np.clip(values, floor, _WIDEST_UNBOUNDED**2))
        return Transport.affine(centre[:, 0], (vectors * deviations)[:, ::-1])


@dataclass(frozen=True)
class Proposal:
    """Student's t, carried by a map.

    Attributes
    ----------
    transport : Transport
    width : float
        Scale of the t, beside that of the normal the map expects.
    """

    transport: Transport
    width: float = 1.0

    def draw(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Points, shape (d, n), evenly spread, and `log_density` there."""
        v = self.width * _spread_out(self.transport.centre.size, n, seed)
        u, log_volume = self.transport.from_standard(v)
        return u, np.asarray(self._standard_log_density(v) - log_volume)

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """At points, shape (d, n); up to a constant that all proposals share."""
        v, log_volume = self.transport.to_standard(u)
        return np.asarray(self._standard_log_density(v) + log_volume)

    def _standard_log_density(self, v: np.ndarray) -> np.ndarray:
        d = len(v)
        squares = (v**2).sum(axis=0) / self.width**2
        found = -0.5 * (_TAIL + d) * np.log1p(squares / _TAIL) - d * math.log(self.width)
        return np.asarray(found)


@dataclass(frozen=True)
class WeightedDraws:
    """Draws of a posterior with their weights.

    Attributes
    ----------
    model : Model
        A batch, fields of shape (n,).
    points : ndarray, shape (d, n)
        Coordinates, and the noise's where it has a prior.
    unbounded : ndarray, shape (d, n)
        The same where there is no box.
    noise : ndarray, shape (n,)
        τ, in the unit of the weights asked for.
    smoothed : SmoothedWeights
    settled : bool
        Whether proposals stopped changing. Else a tail may not have been seen yet, of which the
        weights, k with them, say nothing.
    """

    model: Model
    points: np.ndarray
    unbounded: np.ndarray
    noise: np.ndarray
    smoothed: SmoothedWeights
    settled: bool

    @property
    def pareto_k(self) -> float:
        """Above 0.7 the weights are not to be relied on: ask a sampler."""
        return self.smoothed.pareto_k

    @property
    def weights(self) -> np.ndarray:
        """Shape (n,), with sum one."""
        return self.smoothed.weights

    def transport(self) -> Transport:
        """Map from a standard normal, learnt from the draws."""
        return _learnt(self.unbounded, self.smoothed.log_weights)

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
        return resample(self.weights, rng, n)


def importance_sample(
    posterior: Posterior,
    start: Model,
    *,
    n_draws: int = _DRAWS,
    n_adaptations: int = _ADAPTATIONS,
    n_last: int = 0,
    seed: int = 0,
) -> WeightedDraws:
    """Draw from Laplace's approximation, then from maps learnt so far; weigh by the posterior.

    Parameters
    ----------
    posterior : Posterior
    start : Model
        The least-squares fit, near which the mode is looked for.
    n_draws : int
        Of each proposal; the draws of all count.
    n_adaptations : int
        Proposals after the first, at most; none where its weights are even, and no more once
        they settle.
    n_last : int
        Of one more proposal, or of three where they have not settled: to know tails well takes many
        draws, to find the posterior few.
    seed : int
        Of the quasi-random draws.
    """
    space = search_space(posterior.priors)
    mode = laplace(posterior, start, space)
    found = _Weighing.empty(posterior, space, posterior.pricer_for(mode.noise))
    proposal = Proposal(mode.without(space))
    settled = False
    for attempt in range(1 + n_adaptations):
        found = found.with_draws_of(proposal, n_draws, seed + attempt)
        even = found.is_even(n_draws)
        settled = even and attempt == 0
        if settled or attempt == n_adaptations:
            break
        if not found.is_learnable():
            proposal = replace(proposal, width=2.0 * proposal.width)
            continue
        learnt = _learnt(found.u, found.log_ratios())
        # Evenness might only say that no tail was seen yet: later proposals are to stay the same.
        settled = even and _settled(proposal.transport, learnt)
        if settled:
            break
        proposal = Proposal(learnt, _BOLDNESS)
    n_proposals = (1 if settled else _UNSETTLED) if n_last else 0
    for k in range(n_proposals):
        # Where the first one settled it, a normal, it is as good as can be.
        if len(found.proposals) > 1 and found.is_learnable():
            proposal = Proposal(_learnt(found.u, found.log_ratios()), _BOLDNESS)
        found = found.with_draws_of(proposal, n_last, seed + 1 + n_adaptations + k)
    return found.weighed(settled)


@dataclass(frozen=True)
class _Weighing:
    """Draws of several proposals, and how likely each was by each of them and by the target.

    Attributes
    ----------
    proposals : tuple of Proposal
        They drew alike.
    u : ndarray, shape (d, n)
    log_target : ndarray, shape (n,)
    log_proposed : ndarray, shape (n_proposals, n)
    """

    posterior: Posterior
    space: Box | Support
    pricer: SinhPricer
    proposals: tuple[Proposal, ...]
    u: np.ndarray
    log_target: np.ndarray
    log_proposed: np.ndarray

    @classmethod
    def empty(cls, posterior: Posterior, space: Box | Support, pricer: SinhPricer) -> Self:
        nothing = np.empty((posterior.size, 0))
        return cls(posterior, space, pricer, (), nothing, np.empty(0), np.empty((0, 0)))

    def with_draws_of(self, proposal: Proposal, n: int, seed: int) -> Self:
        u, own = proposal.draw(n, seed)
        with np.errstate(all="ignore"):
            points, log_volume = self.space.filled(u)
        log_target = self.posterior.log_density(points, self.pricer) + log_volume
        by_others = np.array([one.log_density(u) for one in self.proposals]).reshape(-1, n)
        of_others = proposal.log_density(self.u) if self.proposals else np.empty(0)
        log_proposed = np.block([[self.log_proposed, by_others], [of_others[None], own[None]]])
        return replace(
            self,
            proposals=(*self.proposals, proposal),
            u=np.concatenate([self.u, u], axis=1),
            log_target=np.concatenate([self.log_target, log_target]),
            log_proposed=log_proposed,
        )

    def is_even(self, n: int) -> bool:
        """Whether the last n draws, of one proposal, are near what they stand for."""
        found = smooth(self.log_target[-n:] - self.log_proposed[-1, -n:])
        return found.pareto_k <= _GOOD_K and found.effective_size >= _GOOD_SHARE * n

    def is_learnable(self) -> bool:
        """Whether enough draws are where the target is at all."""
        return int(np.isfinite(self.log_ratios()).sum()) >= _LEARNT_FROM * len(self.u)

    def log_ratios(self) -> np.ndarray:
        """Of the target to the mixture of all proposals."""
        return np.asarray(self.log_target - logsumexp(self.log_proposed, axis=0))

    def weighed(self, settled: bool) -> WeightedDraws:
        with np.errstate(all="ignore"):
            points, _ = self.space.filled(self.u)
        model = self.posterior.model_type.from_coordinates(points[: self.posterior.n_coordinates])
        noise = np.asarray(self.posterior.noise_at(points))
        return WeightedDraws(model, points, self.u, noise, smooth(self.log_ratios()), settled)


def _learnt(u: np.ndarray, log_ratios: np.ndarray) -> Transport:
    """Map of draws, their weights flattened by a power until enough of them count."""
    log_ratios = log_ratios - log_ratios.max()
    power = 1.0
    while True:
        weights = np.exp(power * log_ratios)
        weights /= weights.sum()
        if 1.0 / np.sum(weights**2) >= _LEARNT_FROM * len(u) or power < _FLATTEST:
            return Transport.fitted(u, weights)
        power *= _FLATTER


def _settled(before: Transport, after: Transport) -> bool:
    """Whether centre and widths are what they were."""
    shift = np.linalg.solve(after.factor, after.centre - before.centre)
    widths = np.linalg.svd(np.linalg.solve(after.factor, before.factor), compute_uv=False)
    return bool(np.abs(shift).max() < _UNCHANGED and np.abs(widths - 1.0).max() < _UNCHANGED)


def laplace(posterior: Posterior, start: Model, space: Box | Support | None = None) -> Laplace:
    """Return the Gaussian at the mode of a posterior, in the coordinates of a search.

    The mode is found by Gauss-Newton steps, halved until the posterior rises, prices with their
    gradient alternating with the noise; curvature is JᵀJ/τ² plus that of the priors.

    Raises
    ------
    InvalidParameterError
        The priors allow no parameters that the model admits and the search box contains.
    """
    space = search_space(posterior.priors) if space is None else space
    pricer = SinhPricer(posterior.quotes.contracts)
    x = _start_in_support(posterior, pricer, space, start)
    for _ in range(_MODE_STEPS):
        residuals, jacobian = _linearised(posterior, pricer, space, x)
        eta, noise, noise_variance = _noise_mode(posterior, float(residuals @ residuals))
        slope, curvature = _prior_shape(posterior, space, space.limited(x, 2.0 * _STEP))
        precision = _positive(jacobian.T @ jacobian / noise**2 - curvature)
        step = np.linalg.solve(precision, slope - jacobian.T @ residuals / noise**2)
        moved = _risen(posterior, pricer, space, noise, x, space.limited(x + step) - x)
        x = x + moved
        if float(moved @ precision @ moved) < _CLOSE**2:
            break
    covariance = np.linalg.inv(precision)
    if isinstance(posterior.noise, LogNormal):
        x = np.append(x, eta)
        padded = np.zeros((x.size, x.size))
        padded[:-1, :-1], padded[-1, -1] = covariance, noise_variance
        covariance = padded
    return Laplace(x, covariance, noise)


def _start_in_support(
    posterior: Posterior, pricer: SinhPricer, space: Box | Support, start: Model
) -> np.ndarray:
    """Return the point of `start`, or where the priors exclude it the best of some of their draws.

    Differences of the prior must exist there too.
    """
    x = space.start(start)
    if np.isfinite(_prior_levels(posterior, space, space.limited(x, 2.0 * _STEP))).all():
        return x
    drawn = posterior.priors.sample(np.random.default_rng(0), _SCREENED).to_coordinates()
    drawn = np.asarray(drawn)[: x.size]
    candidates = drawn if isinstance(space, Box) else space.emptied(drawn)
    candidates = space.limited(candidates.T, 2.0 * _STEP).T
    with np.errstate(all="ignore"):
        prices = pricer.price(space.model_at(candidates), refine=False).value
        squares = (((prices - posterior.quotes.price) / posterior.scale) ** 2).sum(axis=1)
        possible = np.isfinite(space.log_prior(posterior.priors, candidates) - squares)
    if not possible.any():
        name = posterior.model_type.name
        raise posterior.priors.refuse(f"the priors lie outside of the search box of {name}")
    return np.asarray(candidates[:, np.argmin(np.where(possible, squares, np.inf))])


def _risen(
    posterior: Posterior,
    pricer: SinhPricer,
    space: Box | Support,
    noise: float,
    x: np.ndarray,
    step: np.ndarray,
) -> np.ndarray:
    """The longest of the step and its halves at whose end the posterior is higher, or nothing."""
    shares = np.r_[0.0, 0.5 ** np.arange(_HALVINGS)]
    for few in (slice(0, 2), slice(2, None)):  # Nearly always the whole step will do.
        tried = np.r_[0.0, shares[few]] if few.start else shares[few]
        ends = x[:, None] + step[:, None] * tried
        level = _level(posterior, pricer, space, noise, ends)
        risen = np.flatnonzero(level > level[0])
        if risen.size:
            return np.asarray(step * tried[risen[0]])
    return np.zeros_like(step)


def _level(
    posterior: Posterior, pricer: SinhPricer, space: Box | Support, noise: float, x: np.ndarray
) -> np.ndarray:
    """log posterior at points of a search, shape (d, n), where the noise is known; −∞ elsewhere."""
    with np.errstate(all="ignore"):
        prices = pricer.price(space.model_at(x), refine=False).value
        found = posterior.log_likelihood(prices, np.full(x.shape[1], noise))
        found = found + space.log_prior(posterior.priors, x)
    return np.where(np.isfinite(found), found, -np.inf)


def weighted_quantiles(
    values: np.ndarray, weights: np.ndarray, probabilities: np.ndarray
) -> np.ndarray:
    """Quantiles of weighted values, by interpolation between midpoints of their weights."""
    order = np.argsort(values)
    cumulated = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.asarray(np.interp(probabilities, cumulated, values[order]))


def _linearised(
    posterior: Posterior, pricer: SinhPricer, space: Box | Support, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Errors in units of the scale, shape (n,), and their derivatives, shape (n, p)."""
    found = pricer.price_gradient(space.model_at(x))
    by_search = (found.gradient / posterior.scale).T @ space.parameter_jacobian(x)
    return (found.value - posterior.quotes.price) / posterior.scale, by_search


def _noise_mode(posterior: Posterior, square: float) -> tuple[float, float, float]:
    """η, τ and the variance of η where the noise is most likely, given Σr²."""
    if not isinstance(posterior.noise, LogNormal):
        return 0.0, float(posterior.noise), 0.0
    prior, n = posterior.noise, posterior.quotes.size
    noise = prior.loc + np.exp(_NOISE_GRID)
    level = -n * np.log(noise) - 0.5 * square / noise**2
    level = level - 0.5 * ((_NOISE_GRID - prior.mu) / prior.sigma) ** 2
    density = np.exp(level - level.max())
    density /= density.sum()
    eta = float(density @ _NOISE_GRID)
    variance = float(density @ (_NOISE_GRID - eta) ** 2)
    # Where the posterior of the noise is narrower than the grid, it is that of a Gaussian sample.
    return eta, prior.loc + math.exp(eta), max(variance, 0.5 / n)


def _prior_shape(
    posterior: Posterior, space: Box | Support, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and Hessian of the log prior at a point of a search, by central differences."""
    d = x.size
    level = _prior_levels(posterior, space, x)
    centre, up, down = level[0], level[1 : d + 1], level[d + 1 : 2 * d + 1]
    hessian = np.diag(up + down - 2.0 * centre)
    mixed = iter(level[2 * d + 1 :])
    for i in range(d):
        for j in range(i):
            both = next(mixed) + next(mixed) - 2.0 * centre
            hessian[i, j] = hessian[j, i] = 0.5 * (both - hessian[i, i] - hessian[j, j])
    return (up - down) / (2.0 * _STEP), hessian / _STEP**2


def _prior_levels(posterior: Posterior, space: Box | Support, x: np.ndarray) -> np.ndarray:
    """The log prior at a point of a search, and a step to all sides of it, by pairs too."""
    unit = _STEP * np.eye(x.size)
    pairs = [unit[i] + unit[j] for i in range(x.size) for j in range(i)]
    shifts = [x, *(x + unit), *(x - unit), *(x + s * both for both in pairs for s in (1.0, -1.0))]
    return space.log_prior(posterior.priors, np.stack(shifts, axis=1))


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

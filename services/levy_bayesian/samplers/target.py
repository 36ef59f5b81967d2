"""The log posterior as compiled engines see it: nearly a standard normal, on all of space.

The model's coordinates z live in a box. u = logit of the place in the box has none, and
w = L⁻¹(u − u*), with u* the mode and LLᵀ Laplace's covariance there, is what engines move in.
Whatever the model and its units, the posterior in w then looks much the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from levy_bayesian.samplers.sampler import Draws
from levy_numerics.calibration import calibrate
from levy_numerics.calibration.laplace import Proposal, laplace
from levy_numerics.calibration.posterior import Posterior
from levy_numerics.models.base import Model
from levy_numerics.pricing.compiled import CompiledPricer

_NEIGHBOURS: Final = 256
_EDGE: Final = 1e-6
"""Of the box: a mode on its face is moved in by so much."""
_CHECKED: Final = 200
_WIDEST: Final = 2.0
"""Standard deviation in u of a direction that nothing determines."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("pricer", "low", "high", "centre", "factor"),
    meta_fields=(),
)
@dataclass(frozen=True)
class Geometry:
    """What a compiled density is told at each call, so that one program serves many surfaces.

    Attributes
    ----------
    pricer : CompiledPricer
        Right in the neighbourhood of the posterior.
    low, high : array, shape (n_coordinates,)
        The box.
    centre, factor : array, shape (size,), (size, size)
        u* and L.
    """

    pricer: CompiledPricer
    low: Array
    high: Array
    centre: Array
    factor: Array

    def points(self, w: Array) -> tuple[Array, Array]:
        """Points of the posterior, shape of `w`, (size, …), and log |∂z/∂u|."""
        d = self.low.size
        u = self.centre[:, None] + self.factor @ w.reshape(w.shape[0], -1)
        width = (self.high - self.low)[:, None]
        share, rest = jax.nn.sigmoid(u[:d]), jax.nn.sigmoid(-u[:d])
        from_low, from_high = self.low[:, None] + width * share, self.high[:, None] - width * rest
        z = jnp.where(share < 0.5, from_low, from_high)
        volume = jnp.sum(jax.nn.log_sigmoid(u[:d]) + jax.nn.log_sigmoid(-u[:d]), axis=0)
        return jnp.concatenate([z, u[d:]]).reshape(w.shape), volume.reshape(w.shape[1:])


@dataclass(frozen=True)
class Target:
    """A posterior, and the geometry in which it is easy.

    Attributes
    ----------
    posterior : Posterior
    geometry : Geometry
    fit : Model
        The least-squares fit about which it was made.
    """

    posterior: Posterior
    geometry: Geometry
    fit: Model

    @classmethod
    def of(cls, posterior: Posterior) -> Self:
        """Fit by least squares, find the mode near the fit, and make prices for about there."""
        fit = calibrate(posterior.model_type, posterior.quotes, seed=0).model
        proposal, noise = laplace(posterior, fit)
        low, high = (np.array(end) for end in posterior.model_type.coordinate_bounds())
        drawn, _ = proposal.draw(_NEIGHBOURS, seed=0)
        near = posterior.model_type.from_coordinates(
            np.clip(drawn[: low.size], low[:, None], high[:, None])
        )
        pricer = CompiledPricer.of(
            posterior.model_type,
            posterior.quotes.contracts,
            near=near,
            tolerance=posterior.pricer_for(noise).tolerance,
        )
        centre, factor = _without_box(proposal, low, high)
        arrays = map(jnp.asarray, (low, high, centre, factor))
        return cls(posterior, Geometry(pricer, *arrays), fit)

    @property
    def size(self) -> int:
        """Entries of w."""
        return self.posterior.size

    def log_density(self, w: Array, geometry: Geometry) -> Array:
        """log posterior at w, shape (size,), up to a constant; differentiable."""
        point, log_volume = geometry.points(w)
        prices = geometry.pricer.prices(self._parameters(point))
        found = self.posterior.log_density_of(point, prices) + log_volume
        return jnp.where(jnp.isfinite(found), found, -jnp.inf)

    def draws(self, w: np.ndarray, statistics: Mapping[str, np.ndarray]) -> Draws:
        """Draws of the posterior, from those of w, shape (n_chains, n_samples, size)."""
        moved, _ = self.geometry.points(jnp.moveaxis(jnp.asarray(w), -1, 0))
        points = np.moveaxis(np.asarray(moved), 0, -1)
        return Draws(points, statistics, price_error=self.price_error(points))

    def price_error(self, points: np.ndarray) -> float:
        """Largest estimated error of a price among some of the points, in units of the noise."""
        flat = points.reshape(-1, points.shape[-1])
        some = flat[:: max(1, len(flat) // _CHECKED)].T
        parameters = jax.vmap(self._parameters, in_axes=1)(jnp.asarray(some))
        error = np.asarray(jax.vmap(self.geometry.pricer.error)(parameters))
        noise = np.asarray(self.posterior.noise_at(some))[:, None]
        return float(np.max(error / (self.posterior.scale * noise)))

    def _parameters(self, point: Array) -> Array:
        z = point[: self.posterior.n_coordinates]
        fields = self.posterior.model_type.from_coordinates(z).as_mapping().values()
        return jnp.stack([jnp.asarray(value, dtype=z.dtype) for value in fields])


def _without_box(
    proposal: Proposal, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """u* and L, from the mode and its covariance factor in the box."""
    d = low.size
    share = np.clip((proposal.centre[:d] - low) / (high - low), _EDGE, 1.0 - _EDGE)
    centre = np.concatenate([np.log(share / (1.0 - share)), proposal.centre[d:]])
    slope = np.concatenate([1.0 / (share * (1.0 - share) * (high - low)), np.ones(centre.size - d)])
    covariance = (slope[:, None] * proposal.factor) @ (slope[:, None] * proposal.factor).T
    return centre, np.linalg.cholesky(_limited(covariance))


def _limited(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    floor = values[-1] * np.finfo(float).eps
    return np.asarray((vectors * np.clip(values, floor, _WIDEST**2)) @ vectors.T)

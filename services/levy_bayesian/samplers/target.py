"""The log posterior as compiled engines see it: nearly a standard normal, on all of space.

The model's coordinates z live in a box; u, the logit of the place in the box, does not; and a map
learnt from weighted draws carries v, a standard normal, about to u. Whatever the model, its units
and how the quotes bend its posterior, engines that move in v meet much the same.
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
from levy_numerics.distributions import Distribution, LogNormal
from levy_numerics.inference.adaptive_importance import importance_sample
from levy_numerics.inference.bijectors import Box, Support, bijector_of
from levy_numerics.inference.posterior import (
    Posterior,
    log_likelihood,
    log_noise_density,
    noise_at,
)
from levy_numerics.inference.priors import Priors
from levy_numerics.inference.transport_map import Conditional, Transport
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_numerics.pricing.sinh_jax import CompiledPricer

_NEIGHBOURS: Final = 256
_ADAPTATIONS: Final = 10
_LEARNT_FROM: Final = 4096
"""Draws of the last proposal: maps from fewer are poor in their tails."""
_CHECKED: Final = 200
_ALLOWED_ERROR: Final = 2e-3
"""Of a price, in units of the noise, near what the map was learnt from."""
_TOLERANCES: Final = (1e-6, 1e-8, 1e-10, 1e-12)
"""Few, so that surfaces much alike share a contour, and a program."""

for _kind, _fields, _static in (
    (Box, ("low", "high"), ("model_type",)),
    (Support, ("low", "high"), ("model_type", "names", "has_low", "has_high")),
    (Conditional, ("mean", "log_scale", "curve"), ()),
    (Transport, ("centre", "factor", "log_determinant", "conditionals"), ()),
):
    jax.tree_util.register_dataclass(_kind, data_fields=_fields, meta_fields=_static)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("pricer", "space", "transport", "price", "scale"),
    meta_fields=(),
)
@dataclass(frozen=True)
class Geometry:
    """What a compiled density is told at each call, so that one program serves many surfaces.

    Attributes
    ----------
    pricer : CompiledPricer
        Right in the neighbourhood of the posterior.
    space : Box or Support
        From u to the posterior's points.
    transport : Transport
        From v to u.
    price, scale : array, shape (n,)
        The quotes, and what one unit of their errors is worth.
    """

    pricer: CompiledPricer
    space: Box | Support
    transport: Transport
    price: Array
    scale: Array

    def points(self, v: Array) -> tuple[Array, Array]:
        """Points of the posterior, shape of `v`, (size, …), and log |∂z/∂v|."""
        u, log_carried = self.transport.from_standard(v.reshape(v.shape[0], -1))
        z, log_filled = self.space.constrain(u)
        return z.reshape(v.shape), (log_carried + log_filled).reshape(v.shape[1:])


@dataclass(frozen=True)
class Density:
    """A log posterior but for its data: what is compiled, and the key under which it is kept.

    Attributes
    ----------
    model_type : type of Model
    priors : tuple of (str, Distribution)
    noise : LogNormal or float
    degrees_of_freedom : float
        See `Posterior`.
    """

    model_type: type[Model]
    priors: tuple[tuple[str, Distribution], ...]
    noise: LogNormal | float
    degrees_of_freedom: float

    @classmethod
    def of(cls, posterior: Posterior) -> Self:
        """The part of a posterior that other quotes can share."""
        priors = tuple(posterior.priors.by_parameter.items())
        return cls(posterior.model_type, priors, posterior.noise, posterior.degrees_of_freedom)

    @property
    def size(self) -> int:
        """Entries of v."""
        return len(self.priors) + isinstance(self.noise, LogNormal)

    def __call__(self, v: Array, geometry: Geometry) -> Array:
        """log posterior at v, shape (size,), up to a constant; differentiable."""
        point, log_volume = geometry.points(v)
        errors = (geometry.pricer.prices(self.parameters(point)) - geometry.price) / geometry.scale
        found = log_likelihood(errors, noise_at(self.noise, point), self.degrees_of_freedom)
        priors = Priors(self.model_type, dict(self.priors))
        found = found + priors.log_density_at(point[: len(self.priors)])
        found = found + log_noise_density(self.noise, point) + log_volume
        return jnp.where(jnp.isfinite(found), found, -jnp.inf)

    def parameters(self, point: Array) -> Array:
        """The model's, in the order of declaration, at a point, shape (size,)."""
        z = point[: len(self.priors)]
        fields = self.model_type.from_coordinates(z).as_mapping().values()
        return jnp.stack([jnp.asarray(value, dtype=z.dtype) for value in fields])


@dataclass(frozen=True)
class Target:
    """A posterior, and the geometry in which it is easy.

    Attributes
    ----------
    posterior : Posterior
    density : Density
    geometry : Geometry
    fit : Model
        The least-squares fit about which it was made.
    """

    posterior: Posterior
    density: Density
    geometry: Geometry
    fit: Model

    @classmethod
    def of(cls, posterior: Posterior) -> Self:
        """Fit by least squares, learn the map, and make prices for where the posterior is."""
        fit = calibrate(posterior.model_type, posterior.quotes, seed=0).model
        found = importance_sample(posterior, fit, n_adaptations=_ADAPTATIONS, n_last=_LEARNT_FROM)
        some = found.resample(np.random.default_rng(0), _NEIGHBOURS)
        pricer = _pricer(posterior, found.model.select(some), found.noise[some])
        geometry = Geometry(
            pricer,
            bijector_of(posterior.priors),
            found.transport(),
            jnp.asarray(posterior.quotes.price),
            jnp.asarray(posterior.scale),
        )
        geometry = jax.tree.map(jnp.asarray, geometry)
        return cls(posterior, Density.of(posterior), geometry, fit)

    @property
    def size(self) -> int:
        """Entries of v."""
        return self.density.size

    def points(self, v: np.ndarray) -> np.ndarray:
        """Return points of the posterior, shape of `v`, (…, size)."""
        moved, _ = self.geometry.points(jnp.moveaxis(jnp.asarray(v), -1, 0))
        return np.moveaxis(np.asarray(moved), 0, -1)

    def draws(self, v: np.ndarray, statistics: Mapping[str, np.ndarray]) -> Draws:
        """Draws of the posterior, from those of v, shape (n_chains, n_samples, size)."""
        points = self.points(v)
        return Draws(points, statistics, price_error=self.price_error(points))

    def price_error(self, points: np.ndarray) -> float:
        """Return the largest error of a compiled price among some draws, in units of the noise.

        The reference is the default pricer, which refines its contour where that is necessary.
        """
        flat = points.reshape(-1, points.shape[-1])
        some = flat[:: max(1, len(flat) // _CHECKED)].T
        parameters = jax.vmap(self.density.parameters, in_axes=1)(jnp.asarray(some))
        compiled = np.asarray(_compiled_prices(self.geometry.pricer, parameters))
        model = self.posterior.model_type(*np.asarray(parameters).T)
        exact = SinhPricer(self.posterior.quotes.contracts).price(model)
        error = np.abs(compiled - exact.value) + exact.error
        noise = np.asarray(self.posterior.noise_at(some))[:, None]
        return float(np.max(error / (self.posterior.scale * noise)))


_compiled_prices = jax.jit(jax.vmap(CompiledPricer.prices, in_axes=(None, 0)))
"""Prices at parameters of shape (n_points, n_parameters)."""


def _pricer(posterior: Posterior, near: Model, noise: np.ndarray) -> CompiledPricer:
    """Return prices whose estimated errors are negligible beside the noise τ of each set."""
    contracts = posterior.quotes.contracts
    allowed = posterior.scale * noise[:, None] * _ALLOWED_ERROR
    for tolerance in _TOLERANCES:
        pricer = SinhPricer(contracts, tolerance)
        contour = pricer.shared_contour(near)
        if (pricer.price_on(contour, near).error <= allowed).all():
            break
    return CompiledPricer.on_contour(posterior.model_type, contracts, contour)

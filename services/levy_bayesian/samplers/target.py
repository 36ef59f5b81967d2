"""The log posterior in preconditioned coordinates, for compiled samplers.

The model's coordinates z are in a box; their logits u are unconstrained; and a transport map,
fitted to weighted draws, maps v, which is approximately standard normal, to u. Samplers in v meet a
similar density whatever the model, its units and the shape of its posterior.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Final, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from levy_bayesian.samplers.sampler import Draws
from levy_numerics.calibration import calibrate
from levy_numerics.calibration.discrepancy import N_CELLS
from levy_numerics.distributions import Distribution, LogNormal
from levy_numerics.inference.adaptive_importance import importance_sample
from levy_numerics.inference.bijectors import Box, Support, bijector_of
from levy_numerics.inference.correlated_errors import Whitening
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

_N_PRICED: Final = 256
_ADAPTATIONS: Final = 10
_N_MAP_DRAWS: Final = 4096
"""Draws of the last proposal; maps fitted to fewer are inaccurate in the tails."""
_N_CHECKED: Final = 200
_ALLOWED_ERROR: Final = 2e-3
"""Allowed price error in units of the noise, at draws to which the map is fitted."""
_TOLERANCES: Final = (1e-6, 1e-8, 1e-10, 1e-12)
"""Few, so that similar surfaces share a contour and a compiled program."""

N_PROGRAMS: Final = 4
"""Compiled programs that each engine keeps; one takes 40 to 210 MiB."""
Shapes = tuple[tuple[int, ...], ...]

for _kind, _fields, _static in (
    (Box, ("low", "high"), ("model_type",)),
    (Support, ("low", "high"), ("model_type", "names", "has_low", "has_high")),
    (Conditional, ("mean", "log_scale", "curve"), ()),
    (Transport, ("centre", "factor", "log_determinant", "conditionals"), ()),
    (Whitening, ("factor", "root_weight", "constant"), ()),
):
    jax.tree_util.register_dataclass(_kind, data_fields=_fields, meta_fields=_static)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("pricer", "space", "transport", "price", "scale", "whitening"),
    meta_fields=(),
)
@dataclass(frozen=True)
class Geometry:
    """Arguments of a compiled density, so that one program serves many surfaces.

    Attributes
    ----------
    pricer : CompiledPricer
        Prices that are accurate near the posterior.
    space : Box or Support
        Maps u to the posterior's points.
    transport : Transport
        Maps v to u.
    price, scale : array, shape (n_padded,)
        Prices of the quotes, and their error scales in currency. Padding has an infinite scale, so
        that its errors are zero.
    whitening : Whitening, optional
        Of errors in units of their scale, n_padded of them, if they are correlated.
    """

    pricer: CompiledPricer
    space: Box | Support
    transport: Transport
    price: Array
    scale: Array
    whitening: Whitening | None

    def points(self, v: Array) -> tuple[Array, Array]:
        """Return points of the posterior, shape (size, …) like `v`, and log |∂z/∂v|."""
        u, log_map = self.transport.from_standard(v.reshape(v.shape[0], -1))
        z, log_box = self.space.constrain(u)
        return z.reshape(v.shape), (log_map + log_box).reshape(v.shape[1:])


@dataclass(frozen=True)
class Density:
    """A log posterior without its data, which is compiled, and the key of the compiled program.

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
        """Return the part of a posterior that does not depend on the quotes."""
        priors = tuple(posterior.priors.by_parameter.items())
        return cls(posterior.model_type, priors, posterior.noise, posterior.degrees_of_freedom)

    @property
    def size(self) -> int:
        """Dimension of v."""
        return len(self.priors) + isinstance(self.noise, LogNormal)

    def __call__(self, v: Array, geometry: Geometry) -> Array:
        """Return the log posterior at v, shape (size,), up to a constant; differentiable."""
        point, log_volume = geometry.points(v)
        errors = (geometry.pricer.prices(self.parameters(point)) - geometry.price) / geometry.scale
        noise, n_quotes = noise_at(self.noise, point), jnp.isfinite(geometry.scale).sum()
        constant: Any = 0.0
        if geometry.whitening is not None:
            errors, constant = geometry.whitening.whiten(errors), geometry.whitening.constant
        log_density = log_likelihood(errors, noise, self.degrees_of_freedom, n_quotes, constant)
        priors = Priors(self.model_type, dict(self.priors))
        log_density = log_density + priors.log_density_at(point[: len(self.priors)])
        log_density = log_density + log_noise_density(self.noise, point) + log_volume
        return jnp.where(jnp.isfinite(log_density), log_density, -jnp.inf)

    def parameters(self, point: Array) -> Array:
        """Return the model's parameters, in the order of declaration, at a point, shape (size,)."""
        z = point[: len(self.priors)]
        fields = self.model_type.from_coordinates(z).as_mapping().values()
        return jnp.stack([jnp.asarray(value, dtype=z.dtype) for value in fields])


@dataclass(frozen=True)
class Target:
    """A posterior and its geometry, which preconditions it.

    Attributes
    ----------
    posterior : Posterior
    density : Density
    geometry : Geometry
    fit : Model
        The least-squares fit from which it was constructed.
    """

    posterior: Posterior
    density: Density
    geometry: Geometry
    fit: Model

    @classmethod
    def of(cls, posterior: Posterior) -> Self:
        """Fit by least squares, fit the transport map, and prepare prices near the posterior."""
        fit = calibrate(posterior.model_type, posterior.quotes, seed=0).model
        weighted = importance_sample(
            posterior, fit, n_adaptations=_ADAPTATIONS, n_last=_N_MAP_DRAWS
        )
        chosen = weighted.resample(np.random.default_rng(0), _N_PRICED)
        pricer = _pricer(posterior, weighted.model.select(chosen), weighted.noise[chosen])
        more = pricer.n_contracts - posterior.scale.size
        geometry = Geometry(
            pricer,
            bijector_of(posterior.priors),
            weighted.transport(),
            jnp.asarray(np.pad(posterior.quotes.price, (0, more))),
            jnp.asarray(np.pad(posterior.scale, (0, more), constant_values=np.inf)),
            _padded_whitening(posterior, pricer.n_contracts),
        )
        geometry = jax.tree.map(jnp.asarray, geometry)
        return cls(posterior, Density.of(posterior), geometry, fit)

    @property
    def size(self) -> int:
        """Dimension of v."""
        return self.density.size

    @property
    def shapes(self) -> Shapes:
        """Shapes of the geometry: with the density, the key of a compiled program."""
        return tuple(np.shape(leaf) for leaf in jax.tree.leaves(self.geometry))

    def points(self, v: np.ndarray) -> np.ndarray:
        """Return points of the posterior, shape of `v`, (…, size)."""
        # NumPy computes them: JAX would compile a program for each number of draws.
        geometry = jax.tree.map(np.asarray, self.geometry)
        points, _ = geometry.points(np.moveaxis(v, -1, 0))
        return np.moveaxis(points, 0, -1)

    def draws(self, v: np.ndarray, statistics: Mapping[str, np.ndarray]) -> Draws:
        """Return draws of the posterior from those of v, shape (n_chains, n_samples, size)."""
        points = self.points(v)
        return Draws(points, statistics, price_error=self.price_error(points))

    def price_error(self, points: np.ndarray) -> float:
        """Return the largest error of a compiled price at a subset of draws, in units of the noise.

        The reference is the default pricer, which refines its contour where necessary.
        """
        flat = points.reshape(-1, points.shape[-1])
        # Of one number, except for fewer draws, since a program is compiled for each number.
        chosen = flat[:: max(1, len(flat) // _N_CHECKED)][:_N_CHECKED].T
        parameters = jax.vmap(self.density.parameters, in_axes=1)(jnp.asarray(chosen))
        prices = _compiled_prices(self.density, self.shapes)
        compiled = np.asarray(prices(self.geometry.pricer, parameters))
        compiled = compiled[:, : self.posterior.scale.size]
        model = self.posterior.model_type(*np.asarray(parameters).T)
        exact = SinhPricer(self.posterior.quotes.contracts).price(model)
        error = np.abs(compiled - exact.value) + exact.error
        noise = np.asarray(self.posterior.noise_at(chosen))[:, None]
        return float(np.max(error / (self.posterior.scale * noise)))


@lru_cache(maxsize=N_PROGRAMS)
def _compiled_prices(_density: Density, _shapes: Shapes) -> Any:
    """Return the compiled prices at parameters of shape (n_points, n_parameters)."""
    return jax.jit(jax.vmap(CompiledPricer.prices, in_axes=(None, 0)))


def _padded_whitening(posterior: Posterior, n_padded: int) -> Whitening | None:
    """Return the whitening of padded errors, of one width for surfaces of one padded size."""
    if posterior.correlated is None:
        return None
    whitening = posterior.correlated.whitening
    n, m = whitening.factor.shape
    padding = (0, n_padded - n), (0, max(min(n_padded, N_CELLS) - m, 0))
    return replace(whitening, factor=np.pad(whitening.factor, padding))


def _pricer(posterior: Posterior, near: Model, noise: np.ndarray) -> CompiledPricer:
    """Return prices whose estimated errors are negligible relative to the noise τ of each set."""
    contracts = posterior.quotes.contracts
    allowed = posterior.scale * noise[:, None] * _ALLOWED_ERROR
    for tolerance in _TOLERANCES:
        pricer = SinhPricer(contracts, tolerance)
        contour = pricer.shared_contour(near)
        if (pricer.price_on(contour, near).error <= allowed).all():
            break
    return CompiledPricer.on_contour(posterior.model_type, contracts, contour, padded=True)

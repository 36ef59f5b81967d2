"""The sums of `sinh_sums` for one parameter set that JAX traces, and their slope along a direction.

A slope is linear in its direction, so the gradient that `jax.grad` makes of it weighs the contracts
first, and then costs one product with the waves, however many parameters there are. Real and
imaginary parts are kept apart, and amplitudes end in a division: XLA works out again, for each use
of it, whatever is cheaper than one. Contours are those of `sinh_sums`, and so are the digits but
for rounding.
"""

from dataclasses import dataclass
from typing import Self

import jax.numpy as jnp
import numpy as np
from jax import Array

from levy_numerics.models.base import Model
from levy_numerics.pricing.contour import Contour
from levy_numerics.pricing.factors import parameter_factors
from levy_numerics.pricing.ripples import rise
from levy_numerics.pricing.sinh_sums import LARGEST_EXPONENT, SinhTable, wings_up
from levy_numerics.special import cos_and_sin


def value_and_slope(table: SinhTable, model: Model, direction: Array) -> tuple[Array, Array]:
    """E[min(S_T, K)]/K, and its derivative along a direction in the parameters.

    Parameters
    ----------
    table : SinhTable
        m maturities by k columns.
    model : Model
        Fields are numbers, or traced.
    direction : array, shape (n_parameters,)

    Returns
    -------
    arrays, shape (m, k)
        NaN at maturities without a forward.
    """
    contour, years = table.contour, table.maturity_years[:, None]
    # One row serves all maturities of a model with stationary increments.
    one = jnp.ones((1, 1))
    row_years, times = (one, years) if model.stationary else (years, one)
    log_cf, by_parameter = parameter_factors(model, contour.frequencies, row_years)
    real, imaginary = times * jnp.real(log_cf), times * jnp.imag(log_cf)
    drift = jnp.where(model.forward_exists(years), -real[:, -1:], jnp.nan)
    shift = drift - table.origin[:, None]
    exponent = real[:, :-1] + contour.turned.real * shift
    phase = imaginary[:, :-1] + contour.turned.imag * shift + contour.flat_log_weights.imag
    up = wings_up(table, _at_probes(model, contour, years, exponent))
    amplitude = _Parts.of_exponential(exponent, phase, contour.flat_log_weights.real)
    by_node = _Parts.of(jnp.tensordot(direction, by_parameter[..., :-1], axes=1))
    value = _sums(table, up, amplitude) - contour.pole_error * (1.0 + table.forward_ratio)
    return value, _sums(table, up, by_node.times(amplitude).scaled(times))


@dataclass(frozen=True)
class _Parts:
    """Real and imaginary parts of complex arrays."""

    real: Array
    imaginary: Array

    @classmethod
    def of(cls, z: Array) -> Self:
        return cls(jnp.real(z), jnp.imag(z))

    @classmethod
    def of_exponential(cls, exponent: Array, phase: Array, log_weights: np.ndarray) -> Self:
        """exp(exponent + log_weights + i·phase)."""
        cosine, sine = cos_and_sin(phase, jnp.rint)
        # Over an exponential alone XLA would make a product of the division.
        inverse = jnp.exp(-jnp.minimum(exponent, LARGEST_EXPONENT)) * np.exp(-log_weights)
        return cls(cosine / inverse, sine / inverse)

    def times(self, other: Self) -> Self:
        """Product of complex arrays."""
        return type(self)(
            self.real * other.real - self.imaginary * other.imaginary,
            self.real * other.imaginary + self.imaginary * other.real,
        )

    def scaled(self, factor: Array) -> Self:
        """Multiplied by what is real."""
        return type(self)(factor * self.real, factor * self.imaginary)


def _at_probes(model: Model, contour: Contour, years: Array, exponent: Array) -> Array:
    """Envelope of the integrand at the probes of each wing, shape (n_maturities, 2, n_probes)."""
    level = exponent + contour.flat_log_weights.real
    odd = level.reshape(-1, *contour.nodes.shape)[:, :, 1, contour.probes]
    nodes = contour.nodes[:, 1, contour.probes]
    log_ripple = model.log_ripple(nodes.ravel(), years)
    return odd if log_ripple is None else odd + rise(log_ripple).reshape(-1, *nodes.shape)


def _sums(table: SinhTable, up: Array, amplitude: _Parts) -> Array:
    """Re Σ amplitude·exp(iξ(x + origin)) on the wing of each contract, shape (m, k)."""
    shape = (-1, *table.contour.nodes.shape)
    parts = amplitude.real.reshape(shape), amplitude.imaginary.reshape(shape)
    # Nodes of both parities, real and imaginary, are one row.
    rows = jnp.concatenate(parts, axis=-1).reshape(len(up), 2, 1, -1)
    waves = table.waves.reshape(*rows.shape[:2], rows.shape[-1], -1)
    by_wing = jnp.matmul(rows, waves)[:, :, 0]
    return jnp.where(up, by_wing[:, 0], by_wing[:, 1])

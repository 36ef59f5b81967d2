"""Sinh-acceleration in JAX: fixed contracts, for parameters that a sampler chooses.

The sums are those of `sinh_kernel` on a fixed contour, with tabulated phase factors. Their
derivative is exact: `jax.grad`, `jacfwd` and `vmap` apply, inside `jax.jit` or outside. The custom
derivative is linear in the direction, so `jax.grad` back-propagates through the sum over contracts
first: a gradient costs one more product with the phase factors, for any number of parameters.

Surfaces with different contracts and contours share one compiled program if their tables have equal
shapes, which `CompiledPricer.on_contour` pads to a few sizes:

    table = PhaseTable.of(contour, maturity_years, log_moneyness)          # (m,), (m, k)
    covered_value(VarianceGamma, table, parameters)                        # (m, k), vmap-able

Double precision must be enabled (`jax_enable_x64`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Final, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts, MaturityTable
from levy_numerics.models.base import Model
from levy_numerics.pricing.aliasing import envelope_gap
from levy_numerics.pricing.integrand_factors import with_drift
from levy_numerics.pricing.sinh import SinhPricer
from levy_numerics.pricing.sinh_contour import N_PROBES, Contour
from levy_numerics.pricing.sinh_kernel import INSIGNIFICANT
from levy_numerics.special import array_namespace, cos_and_sin
from levy_numerics.special_scalar import LARGEST_EXPONENT

_FEWEST_ROWS: Final = 6
_FEWEST_NODES: Final = 48
"""Most surfaces need 24 to 48 nodes."""


@dataclass(frozen=True)
class Nodes:
    """Nodes and weights of a contour, padded with nodes of weight zero.

    Attributes
    ----------
    frequencies : array of complex, shape (2·n_nodes + 1,)
        See `Contour`.
    inverse_weight, angle : array, shape (2·n_nodes,)
        Inverse modulus and argument of the weights.
    probes : array of int, shape (2·N_PROBES,)
        Indices of the nodes at which the side of the contour is chosen.
    probe_level : array, shape (2·N_PROBES,)
        Log of the weights' modulus there; −∞ for a missing probe.
    pole_error : array, shape ()
    """

    frequencies: Any
    inverse_weight: Any
    angle: Any
    probes: Any
    probe_level: Any
    pole_error: Any

    @classmethod
    def of(cls, contour: Contour, n_nodes: int) -> Self:
        """Pad a contour to a number of nodes."""
        n, padding = n_nodes // 2, n_nodes // 2 - contour.nodes.shape[-1]
        nodes = np.pad(contour.nodes, ((0, 0), (0, 0), (0, padding)), mode="edge")
        log_weights = np.pad(
            contour.log_weights, ((0, 0), (0, 0), (0, padding)), constant_values=-np.inf
        ).ravel()
        wing = np.pad(contour.probes, (0, N_PROBES - contour.probes.size), mode="edge")
        probes = np.concatenate([n + wing, 3 * n + wing])
        missing = np.tile(np.arange(N_PROBES) >= contour.probes.size, 2)
        return cls(
            np.append(nodes.ravel(), -1j),
            np.exp(-log_weights.real),
            log_weights.imag,
            probes,
            np.where(missing, -np.inf, log_weights.real[probes]),
            np.asarray(contour.pole_error),
        )


@dataclass(frozen=True)
class PhaseTable:
    """exp(iξx) for every contract and node, arranged for one matrix product per maturity.

    Attributes
    ----------
    nodes : Nodes
    maturity_years : array, shape (m,)
    log_moneyness : array, shape (m, k)
        x = ln(F/K).
    phases : array, shape (m, 2, 2·n_nodes, k)
        By wing: real parts on even and odd nodes, then negated imaginary parts.
    """

    nodes: Nodes
    maturity_years: Any
    log_moneyness: Any
    phases: Any

    @classmethod
    def of(
        cls,
        contour: Contour,
        maturity_years: Any,
        log_moneyness: Any,
        *,
        n_nodes: int | None = None,
    ) -> Self:
        """Compute the table, in the namespace of `log_moneyness`, padded to `n_nodes`."""
        xp = array_namespace(log_moneyness)
        x = log_moneyness[:, None, None, :]
        padded = Nodes.of(contour, n_nodes or contour.n_nodes)
        nodes = padded.frequencies[:-1].reshape(2, -1, 1)
        size = xp.exp(xp.clip(-nodes.imag * x, -LARGEST_EXPONENT, LARGEST_EXPONENT))
        cosine, sine = cos_and_sin(nodes.real * x, xp.rint)
        phases = xp.concatenate([size * cosine, -size * sine], axis=-2)
        return cls(padded, maturity_years, log_moneyness, phases)


for _kind in (Nodes, PhaseTable):
    _names = [field.name for field in fields(_kind)]
    jax.tree_util.register_dataclass(_kind, data_fields=_names, meta_fields=[])


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def covered_value(model_type: type[Model], table: PhaseTable, parameters: Array) -> Any:
    """Return E[min(S_T, K)]/K for every contract of a table, differentiable in the parameters.

    Derivatives in the contracts are not available: the table is treated as constant.

    Parameters
    ----------
    model_type : type of Model
    table : PhaseTable
        Of JAX arrays, m maturities by k columns; may be traced.
    parameters : array, shape (n_parameters,)
        In the order of the model's declaration.

    Returns
    -------
    array, shape (m, k)
        NaN at maturities with infinite E[S_T].
    """
    # The compiler removes the derivative, which is not used here.
    return _value_and_slope(table, model_type(*parameters), jnp.zeros_like(parameters))[0]


@covered_value.defjvp
def _covered_value_jvp(
    model_type: type[Model], primals: tuple[PhaseTable, Array], tangents: tuple[Any, Array]
) -> tuple[Array, Array]:
    table, parameters = primals
    return _value_and_slope(table, model_type(*parameters), tangents[1])


def _value_and_slope(table: PhaseTable, model: Model, direction: Array) -> tuple[Array, Array]:
    """Return E[min(S_T, K)]/K, and its derivative along a direction in the parameters, (m, k)."""
    frequencies, years = table.nodes.frequencies, table.maturity_years[:, None]
    # One row serves all maturities of a model with stationary increments.
    one_year = jnp.ones((1, 1))
    row_years, times = (one_year, years) if model.has_stationary_increments else (years, one_year)
    log_cf, gradient = model.log_cf_with_gradient(frequencies, row_years)
    by_parameter = with_drift(gradient, frequencies)
    drift = jnp.where(model.forward_exists(years), -times * jnp.real(log_cf[:, -1:]), jnp.nan)
    xi = frequencies[:-1]
    log_size = times * jnp.real(log_cf[:, :-1]) - xi.imag * drift
    angle = times * jnp.imag(log_cf[:, :-1]) + xi.real * drift + table.nodes.angle
    is_up = _choose_contour_side(table, model, log_size)
    cosine, sine = cos_and_sin(angle, jnp.rint)
    # Real and imaginary parts are separate arrays, and amplitudes end in a division: XLA recomputes
    # everything that is cheaper than a division for each use. It would replace the division by an
    # exponential alone with a product.
    inverse = jnp.exp(-jnp.minimum(log_size, LARGEST_EXPONENT)) * table.nodes.inverse_weight
    real, imag = cosine / inverse, sine / inverse
    by_node = jnp.tensordot(direction, by_parameter[..., :-1], axes=1)
    along, across = times * jnp.real(by_node), times * jnp.imag(by_node)
    poles = table.nodes.pole_error * (1.0 + jnp.exp(table.log_moneyness))
    value = _sums(table, is_up, real, imag) - poles
    return value, _sums(table, is_up, along * real - across * imag, along * imag + across * real)


def _choose_contour_side(table: PhaseTable, model: Model, log_size: Array) -> Array:
    """Return whether each contract uses the upper wing, shape (m, k), as `sinh_kernel` decides."""
    positions = table.nodes.probes
    nodes = table.nodes.frequencies[positions]
    level = log_size[:, positions] + table.nodes.probe_level
    log_oscillation = model.log_oscillating_part(nodes, table.maturity_years[:, None])
    if log_oscillation is not None:
        level = level + envelope_gap(log_oscillation)
    # Single precision suffices for the choice.
    above = jnp.asarray(level - INSIGNIFICANT, dtype=jnp.float32)[..., None]
    height = jnp.asarray(nodes.imag[:, None] * table.log_moneyness[:, None, :], dtype=jnp.float32)
    area = jnp.maximum(above - height, np.float32(0.0)).reshape(len(level), 2, -1, height.shape[-1])
    area = area.sum(axis=2)
    return area[:, 0] <= area[:, 1]


def _sums(table: PhaseTable, is_up: Array, real: Array, imag: Array) -> Array:
    """Return Re Σ amplitude·exp(iξx) on the wing of each contract, shape (m, k)."""
    parts = [part.reshape(len(is_up), 2, 1, -1) for part in (real, imag)]
    by_wing = jnp.matmul(jnp.concatenate(parts, axis=-1), table.phases)[:, :, 0]
    return jnp.where(is_up, by_wing[:, 0], by_wing[:, 1])


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("table", "row", "column", "scale", "other", "lower", "upper"),
    meta_fields=("model_type",),
)
@dataclass(frozen=True)
class CompiledPricer:
    """Pricer of fixed contracts on one table, for parameter vectors that may be traced.

    It is a pytree, so it may be an argument of a compiled function. Its contour is accurate for
    parameters close to those it was built for; check others with `SinhPricer`.

    Attributes
    ----------
    model_type : type of Model
    table : PhaseTable
    row, column : array of int, shape (n,)
        Position of each contract in the table.
    scale, other : array, shape (n,)
        The price is `other` − `scale`·E[min(S, K)]/K, with the present value of the strike, and
        that of the forward (calls) or the strike (puts).
    lower, upper : array, shape (n,)
        No-arbitrage bounds in currency.
    """

    model_type: type[Model]
    table: PhaseTable
    row: Array
    column: Array
    scale: Array
    other: Array
    lower: Array
    upper: Array

    @classmethod
    def of(
        cls,
        model_type: type[Model],
        contracts: Contracts,
        *,
        near: Model | Sequence[Model],
        tolerance: float = 1e-8,
    ) -> Self:
        """Build a pricer that is accurate at the parameter sets `near` and close to them.

        Parameters
        ----------
        model_type : type of Model
        contracts : Contracts
            n of them.
        near : Model or sequence of Model
            One or several models, each a batch or a single set.
        tolerance : float
            Requested error, as a fraction of the forward's present value.

        Raises
        ------
        UnsupportedError
            JAX computes in single precision.
        OutsideStripError
            E[S_T] of each set is infinite at some maturity.
        """
        if jnp.result_type(float) != jnp.float64:
            raise UnsupportedError("JAX computes in single precision: set jax_enable_x64")
        sets = [near] if isinstance(near, Model) else list(near)
        contour = SinhPricer(contracts, tolerance).shared_contour(_stacked(model_type, sets))
        return cls.on_contour(model_type, contracts, contour)

    @classmethod
    def on_contour(
        cls,
        model_type: type[Model],
        contracts: Contracts,
        contour: Contour,
        *,
        padded: bool = False,
    ) -> Self:
        """Build a pricer on a given contour, optionally padded to one of a few sizes.

        A compiled program serves all surfaces of a size. Padding follows the contracts, and its
        prices are zero.
        """
        layout, n_nodes, n_padded = contracts.by_maturity, contour.n_nodes, contracts.strike.size
        more = 0
        if padded:
            n_rows, width = _padded_size(contracts)
            layout = MaturityTable.of(contracts.maturity_years, contracts.log_moneyness, width)
            more, n_padded = n_rows - len(layout.maturity_years), n_rows * width
            n_nodes = _FEWEST_NODES
            while n_nodes < contour.n_nodes:
                n_nodes *= 2
        # NumPy computes the table: JAX would compile a program for it.
        table = PhaseTable.of(
            contour,
            np.pad(layout.maturity_years, (0, more), mode="edge"),
            np.pad(layout.log_moneyness, ((0, more), (0, 0))),
            n_nodes=n_nodes,
        )
        strike_value = contracts.discount * contracts.strike
        forward_value = contracts.discount * contracts.forward
        by_contract = (
            *(layout.row, layout.column, strike_value),
            np.where(contracts.is_call, forward_value, strike_value),
            *(contracts.lower_bound, contracts.upper_bound),
        )
        more = n_padded - contracts.strike.size
        arrays = (table, *(np.pad(values, (0, more)) for values in by_contract))
        return cls(model_type, *jax.tree.map(jnp.asarray, arrays))

    @property
    def n_contracts(self) -> int:
        """Number of contracts, with padding."""
        return int(self.row.shape[0])

    def prices(self, parameters: Array) -> Array:
        """Return present values, shape (n,); differentiable. NaN if E[S_T] is infinite.

        Parameters
        ----------
        parameters : array, shape (n_parameters,)
            In the order of the model's declaration.
        """
        value = covered_value(self.model_type, self.table, parameters)
        # A price is outside the bounds by its error only, so its derivative is kept.
        price = self.other - self.scale * value[..., self.row, self.column]
        bounded = jnp.clip(price, self.lower, self.upper)
        return jnp.add(price, jax.lax.stop_gradient(bounded - price))


def _padded_size(contracts: Contracts) -> tuple[int, int]:
    """Return rows and columns of the smallest table, of a few, that holds the contracts."""
    _, counts = np.unique(contracts.maturity_years, return_counts=True)
    short = _FEWEST_ROWS
    while True:
        for n_rows, width in ((short, 2 * short), (2 * short, short)):
            if int((-(-counts // width)).sum()) <= n_rows:
                return n_rows, width
        short *= 2


def _stacked(model_type: type[Model], sets: Sequence[Model]) -> Model:
    """Return one batch of all sets, fields of shape (n_sets,)."""
    fields = [np.broadcast_arrays(*map(np.atleast_1d, s.as_mapping().values())) for s in sets]
    return model_type(*(np.concatenate(field) for field in zip(*fields, strict=True)))

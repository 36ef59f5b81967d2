"""Sinh-acceleration compiled by JAX: the same contracts for parameters that a program chooses.

The sums are those of `sinh_traced`, on tables made beforehand, and their derivatives are exact:
`jax.grad`, `jacfwd` and `vmap` apply, within `jax.jit` or without.

Surfaces of different contracts can share one compiled program. Pad them to one rectangle, choose
one contour for all, and make the tables inside the program:

    table = SinhTable.of(contour, maturity_years, log_moneyness, origin)   # (m,), (m, k), (m,)
    covered_value(VarianceGamma, table, parameters)                        # (m, k), vmap-able

Doubles must have been switched on (`jax_enable_x64`) by who built the process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_numerics.pricing.sinh_sums import SinhTable, covered
from levy_numerics.pricing.sinh_traced import value_and_slope

jax.tree_util.register_dataclass(
    SinhTable,
    data_fields=[field.name for field in fields(SinhTable) if field.name != "contour"],
    meta_fields=["contour"],
)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def covered_value(model_type: type[Model], table: SinhTable, parameters: Array) -> Any:
    """E[min(S_T, K)]/K for every contract of a table, differentiable in the parameters.

    Derivatives in the contracts are not: the table counts as constant.

    Parameters
    ----------
    model_type : type of Model
    table : SinhTable
        Of JAX arrays, m maturities by k columns; may be traced.
    parameters : array, shape (n_parameters,)
        In the order in which the model declares them.

    Returns
    -------
    array, shape (m, k)
        NaN at maturities without a forward.
    """
    # What compiles it leaves out the slope, for which nobody asks.
    return value_and_slope(table, model_type(*parameters), jnp.zeros_like(parameters))[0]


@covered_value.defjvp
def _covered_value_jvp(
    model_type: type[Model], primals: tuple[SinhTable, Array], tangents: tuple[Any, Array]
) -> tuple[Array, Array]:
    table, parameters = primals
    return value_and_slope(table, model_type(*parameters), tangents[1])


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("table", "row", "column", "scale", "other", "lower", "upper"),
    meta_fields=("model_type",),
)
@dataclass(frozen=True)
class CompiledPricer:
    """Prices fixed contracts on one table, for parameter vectors that may be traced.

    A pytree: it may be closed over, or be an argument of what is compiled. Its table is right
    for the parameters it was made for and their neighbours; far from them `error` grows, and a
    new pricer is needed.

    Attributes
    ----------
    model_type : type of Model
    table : SinhTable
    row, column : array of int, shape (n,)
        Where each contract is in the table.
    scale, other : array, shape (n,)
        The price is `other` − `scale`·E[min(S, K)]/K: present values of the strike, and of
        the forward (calls) or the strike (puts).
    lower, upper : array, shape (n,)
        No-arbitrage bounds, currency.
    """

    model_type: type[Model]
    table: SinhTable
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
        """Make the table that suffices for the parameter sets `near` and their neighbourhood.

        Parameters
        ----------
        model_type : type of Model
        contracts : Contracts
            n of them.
        near : Model or sequence of Model
            One or several sets, batches or not.
        tolerance : float
            Wanted error there, as a fraction of the forward's present value.

        Raises
        ------
        UnsupportedError
            JAX computes in single precision.
        OutsideStripError
            None of the sets has a forward at every maturity.
        """
        if jnp.result_type(float) != jnp.float64:
            raise UnsupportedError("compiled prices need doubles: set jax_enable_x64")
        sets = [near] if isinstance(near, Model) else list(near)
        table = SinhPricer(contracts, tolerance).shared_table(_stacked(model_type, sets))
        layout, strike_value = contracts.by_maturity, contracts.discount * contracts.strike
        forward_value = contracts.discount * contracts.forward
        return cls(
            model_type,
            jax.tree.map(jnp.asarray, table),
            jnp.asarray(layout.row),
            jnp.asarray(layout.column),
            jnp.asarray(strike_value),
            jnp.asarray(np.where(contracts.is_call, forward_value, strike_value)),
            jnp.asarray(contracts.lower_bound),
            jnp.asarray(contracts.upper_bound),
        )

    def prices(self, parameters: Array) -> Array:
        """Present values, shape (n,); differentiable. NaN where there is no forward.

        Parameters
        ----------
        parameters : array, shape (n_parameters,)
            In the order in which the model declares them, real units.
        """
        value = covered_value(self.model_type, self.table, parameters)
        # Outside the bounds a price is off by its rounding, and its derivative as good as ever.
        price = self.other - self.scale * self._flat(value)
        bounded = jnp.clip(price, self.lower, self.upper)
        return price + jax.lax.stop_gradient(bounded - price)

    def error(self, parameters: Array) -> Array:
        """Estimated error of `prices`, shape (n,), currency; infinite where there are none."""
        found = covered(self.table, self.model_type(*parameters))
        return self.scale * self._flat(found.error)

    def _flat(self, table: Array) -> Array:
        return table[..., self.row, self.column]


def _stacked(model_type: type[Model], sets: Sequence[Model]) -> Model:
    """One batch of all sets, fields of shape (n_sets,)."""
    each = [np.broadcast_arrays(*map(np.atleast_1d, s.as_mapping().values())) for s in sets]
    return model_type(*(np.concatenate(field) for field in zip(*each, strict=True)))

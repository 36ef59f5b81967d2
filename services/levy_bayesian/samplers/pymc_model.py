"""The posterior as a PyMC model: the JAX density and its gradient as PyTensor operations."""

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import jax
import numpy as np
import pytensor.tensor as pt
from jax import Array
from jax.tree_util import PyTreeDef
from pytensor.compile.sharedvalue import shared
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.jax.dispatch.basic import jax_funcify

from levy_bayesian.samplers.target import N_PROGRAMS, Density, Shapes, Target

with warnings.catch_warnings():
    # ArviZ before 1.0, which both import, announces its successor once a day.
    warnings.filterwarnings("ignore", r"\s*ArviZ is undergoing", FutureWarning)
    import nutpie
    import pymc as pm

__all__ = ["LogDensity", "nutpie", "pm", "pymc_model", "shared_data"]


def pymc_model(target: Target) -> pm.Model:
    """Return a model of one unconstrained variable `v` with the log posterior as its density.

    The arrays of the posterior's geometry are shared variables, named as in `shared_data`.
    """
    with pm.Model() as model:
        v = pm.Flat("v", shape=target.size)
        data = [
            shared(array, name)  # type: ignore[no-untyped-call]
            for name, array in shared_data(target).items()
        ]
        pm.Potential("posterior", LogDensity(target)(v, *data))
    return model


def shared_data(target: Target) -> dict[str, np.ndarray]:
    """Return the arrays of a posterior's geometry by the names of their shared variables."""
    leaves = jax.tree.leaves(target.geometry)
    return {f"geometry_{k}": np.asarray(leaf) for k, leaf in enumerate(leaves)}


@lru_cache(maxsize=N_PROGRAMS)
def _compiled(
    density: Density, structure: PyTreeDef, _shapes: Shapes
) -> tuple[Callable[..., Array], Any, Any]:
    """Return a density at v and its geometry's arrays; compiled, it and its gradient in v."""

    def log_density(v: Any, *leaves: Any) -> Array:
        return density(v, jax.tree.unflatten(structure, leaves))

    return log_density, jax.jit(log_density), jax.jit(jax.grad(log_density))


class LogDensity(Op):
    """The log posterior at v and the arrays of its geometry, compiled by JAX.

    PyTensor's other back ends can call it as well.
    """

    def __init__(self, target: Target) -> None:
        structure = jax.tree.structure(target.geometry)
        functions = _compiled(target.density, structure, target.shapes)
        self.log_density, self._compiled, self._gradient = functions

    def make_node(self, *inputs: Any) -> Apply[Any]:
        return Apply(self, list(inputs), [pt.dscalar()])

    def perform(self, node: Apply[Any], inputs: Sequence[Any], output_storage: Any) -> None:
        output_storage[0][0] = np.asarray(self._compiled(*inputs))

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> list[Any]:
        by_v = output_grads[0] * _LogDensityGradient(self._gradient)(*inputs)
        return [by_v, *(disconnected_type() for _ in inputs[1:])]

    def connection_pattern(self, node: Apply[Any]) -> list[list[bool]]:
        return [[k == 0] for k in range(len(node.inputs))]


class _LogDensityGradient(Op):
    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def make_node(self, *inputs: Any) -> Apply[Any]:
        return Apply(self, list(inputs), [pt.dvector()])

    def perform(self, node: Apply[Any], inputs: Sequence[Any], output_storage: Any) -> None:
        output_storage[0][0] = np.asarray(self._compiled(*inputs))


@jax_funcify.register(LogDensity)
def _as_jax(op: LogDensity, **_: Any) -> Any:
    """Return the density itself, which JAX traces and differentiates."""
    return op.log_density

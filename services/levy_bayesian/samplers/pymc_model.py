"""The posterior as a PyMC model: the JAX density and its gradient as PyTensor operations."""

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.jax.dispatch.basic import jax_funcify

from levy_bayesian.samplers.target import N_PROGRAMS, Density, Shapes, Target

with warnings.catch_warnings():
    # ArviZ before 1.0, which both import, announces its successor once a day.
    warnings.filterwarnings("ignore", r"\s*ArviZ is undergoing", FutureWarning)
    import nutpie
    import pymc as pm

__all__ = ["LogDensity", "nutpie", "pm", "pymc_model"]


def pymc_model(target: Target) -> pm.Model:
    """Return a model of one unconstrained variable `v` with the log posterior as its density."""
    with pm.Model() as model:
        v = pm.Flat("v", shape=target.size)
        pm.Potential("posterior", LogDensity(target)(v))
    return model


@lru_cache(maxsize=N_PROGRAMS)
def _compiled(density: Density, _shapes: Shapes) -> tuple[Any, Any]:
    """Return the compiled density and its gradient, for all posteriors of a density."""
    function: Any = density
    return jax.jit(function), jax.jit(jax.grad(function))


class LogDensity(Op):
    """The log posterior at v, compiled by JAX; callable from other back ends of PyTensor."""

    itypes = (pt.dvector,)
    otypes = (pt.dscalar,)

    def __init__(self, target: Target) -> None:
        geometry = target.geometry
        value, gradient = _compiled(target.density, target.shapes)

        def value_at(v: Any) -> Any:
            return value(v, geometry)

        def gradient_at(v: Any) -> Any:
            return gradient(v, geometry)

        def log_density(v: Any) -> Any:
            return target.density(v, geometry)

        self.log_density = log_density
        self._compiled = value_at
        self._gradient = _LogDensityGradient(gradient_at)

    def perform(self, node: Apply[Any], inputs: Sequence[Any], output_storage: Any) -> None:
        output_storage[0][0] = np.asarray(self._compiled(inputs[0]))

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> list[Any]:
        return [output_grads[0] * self._gradient(inputs[0])]


class _LogDensityGradient(Op):
    itypes = (pt.dvector,)
    otypes = (pt.dvector,)

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def perform(self, node: Apply[Any], inputs: Sequence[Any], output_storage: Any) -> None:
        output_storage[0][0] = np.asarray(self._compiled(inputs[0]))


@jax_funcify.register(LogDensity)
def _as_jax(op: LogDensity, **_: Any) -> Any:
    """Return the density itself, which JAX traces and differentiates."""
    return op.log_density

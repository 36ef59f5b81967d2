"""Cost of compiled gradients, and of the functions that compiled loops call."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from levy_numerics import models
from levy_numerics.jit import compiled, compiled_in_order
from levy_numerics.pricing.sinh_jax import CompiledPricer, covered_value
from levy_numerics.special import cos_and_sin
from levy_numerics.special_scalar import erfcx, exp
from tests.benchmarks import surface
from tests.benchmarks.report import Section, Size
from tests.benchmarks.timing import median_microseconds

MODELS: Final = ("VarianceGamma", "NIG", "CGMY", "Merton")
TOLERANCE: Final = 1e-6
"""As for a posterior with quote errors of 0.1% of the spot."""
REPEATED: Final = 200
"""Evaluations per call, to amortise the overhead of calling compiled code."""
NUMBERS: Final = 12_000

_one: Final = compiled_in_order(cos_and_sin)


def run(size: Size) -> Iterator[Section]:
    """Yield one table for gradients and one for functions."""
    seconds = 0.2 if size.quick else 2.0
    with jax.enable_x64(True):
        yield _gradients(seconds)
    yield _functions(seconds)


def _gradients(seconds: float) -> Section:
    section = Section(
        "Weighted sum of 200 prices, compiled by JAX, tolerance 1e-6",
        ("model", "value and gradient, µs", "value alone, µs", "ratio"),
    )
    for name in MODELS:
        model = models.get(name)
        pricer = CompiledPricer.of(
            model, surface.contracts(), near=model.example(), tolerance=TOLERANCE
        )
        shape = pricer.table.log_moneyness.shape
        weights = jnp.asarray(np.random.default_rng(0).standard_normal(shape))
        start = jnp.asarray([float(value) for value in model.example().as_mapping().values()])

        def value(p: Any, pricer: Any = pricer, weights: Any = weights) -> Any:
            return (weights * covered_value(pricer.model_type, pricer.table, p)).sum()

        took = [_each(step, start, seconds) for step in (jax.grad(value), value)]
        section.add(name, *took, took[0] / took[1])
    return section


def _each(step: Callable[[Any], Any], start: Any, seconds: float) -> float:
    """Return the microseconds of one evaluation among many that depend on each other."""

    @jax.jit
    def many(p: Any) -> Any:
        return jax.lax.fori_loop(0, REPEATED, lambda _, at: at + 1e-12 * step(at), p)

    return median_microseconds(lambda: many(start).block_until_ready(), seconds=seconds) / REPEATED


def _functions(seconds: float) -> Section:
    section = Section(
        "Functions of 12,000 numbers in a loop compiled by Numba",
        ("function", "arithmetic, ns each", "the library's, ns each", "ratio"),
    )
    numbers = np.random.default_rng(0).standard_normal(NUMBERS)
    for name, scale, arithmetic, library in (
        ("cosine and sine", 50.0, _turn, _turn_of_library),
        ("exponential", 20.0, _exp, _exp_of_library),
        ("scaled complementary error function", 1.0, _scaled, _scaled_of_library),
    ):
        x, into = scale * numbers, np.empty((2, NUMBERS))
        took = [
            1e3 * median_microseconds(partial(loop, x, into), seconds=seconds) / NUMBERS
            for loop in (arithmetic, library)
        ]
        section.add(name, *took, took[0] / took[1])
    return section


@compiled
def _turn(x: np.ndarray, into: np.ndarray) -> None:
    for k in range(len(x)):
        into[0, k], into[1, k] = _one(x[k])


@compiled
def _turn_of_library(x: np.ndarray, into: np.ndarray) -> None:
    for k in range(len(x)):
        into[0, k], into[1, k] = math.cos(x[k]), math.sin(x[k])


@compiled
def _exp(x: np.ndarray, into: np.ndarray) -> None:
    for k in range(len(x)):
        into[0, k] = exp(x[k])


@compiled
def _exp_of_library(x: np.ndarray, into: np.ndarray) -> None:
    for k in range(len(x)):
        into[0, k] = math.exp(x[k])


@compiled
def _scaled(x: np.ndarray, into: np.ndarray) -> None:
    for k in range(len(x)):
        into[0, k] = erfcx(abs(x[k]))


@compiled
def _scaled_of_library(x: np.ndarray, into: np.ndarray) -> None:
    for k in range(len(x)):
        into[0, k] = math.exp(x[k] * x[k]) * math.erfc(abs(x[k]))

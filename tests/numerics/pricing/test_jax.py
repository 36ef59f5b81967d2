"""The same sums in JAX: equal, compiled, differentiable."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from levy_numerics import pricing
from levy_numerics.market import Contracts
from levy_numerics.models import LevyModel, Model, VarianceGamma
from levy_numerics.pricing.contour import TILT, sinh_contour
from levy_numerics.pricing.sinh_sums import Covered, SinhTable, covered
from tests.numerics.models.members import LEVY_MODELS, values

CONTRACTS = Contracts.grid(
    spot=1.0,
    rate=0.0,
    dividend_yield=0.0,
    strikes=[0.8, 1.0, 1.25],
    maturities=[0.25, 1.0],
)

# Compiling takes seconds; these are two of pure jumps, and one whose characteristic function
# revives.
QUICK = ("VarianceGamma", "NIG", "Merton")
every_levy_model = pytest.mark.parametrize(
    "cls",
    [pytest.param(cls, marks=[] if cls.name in QUICK else pytest.mark.slow) for cls in LEVY_MODELS],
    ids=lambda cls: cls.name,
)


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def table(xp: Any) -> SinhTable:
    layout = CONTRACTS.by_maturity
    years = xp.asarray(layout.maturity_years)
    x = xp.asarray(layout.log_moneyness)
    # Flat enough for any model's example.
    return SinhTable.of(sinh_contour(0.5 * TILT, 0.06, 160), years, x, xp.zeros_like(years))


def sums(cls: type[Model], parameters: Any, on: SinhTable) -> Covered:
    return covered(on, cls(*parameters))


def example(cls: type[LevyModel]) -> np.ndarray:
    return np.array([float(v) for v in values(cls.example())])


@every_levy_model
def test_compiled_sums_are_those_of_numpy_and_differentiate(cls):
    on = table(jnp)

    @jax.jit
    def in_jax(parameters: Any) -> tuple[Any, Any, Any]:
        found = sums(cls, parameters, on)
        derivative = jax.jacfwd(lambda p: sums(cls, p, on).value)(parameters)
        return found.value, found.error, derivative

    value, error, derivative = in_jax(jnp.asarray(example(cls)))
    in_numpy = sums(cls, example(cls), table(np))
    np.testing.assert_allclose(value, in_numpy.value, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(error, in_numpy.error, rtol=1e-3, atol=1e-14)
    analytic = pricing.price_gradient(cls.example(), CONTRACTS, tolerance=1e-13)
    layout = CONTRACTS.by_maturity
    by_contract = np.asarray(derivative)[layout.row, layout.column].T
    np.testing.assert_allclose(
        -CONTRACTS.strike * by_contract, analytic.gradient, rtol=1e-9, atol=1e-11
    )


def test_sums_are_vectorised_over_parameter_sets():
    sets = example(VarianceGamma) * np.array([[1.0], [1.03], [0.9]])
    on = table(jnp)
    together = jax.jit(jax.vmap(lambda p: sums(VarianceGamma, p, on).value))(jnp.asarray(sets))
    for found, each in zip(together, sets, strict=True):
        alone = sums(VarianceGamma, each, table(np)).value
        np.testing.assert_allclose(found, alone, atol=1e-13)

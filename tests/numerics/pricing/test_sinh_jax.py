"""JAX prices agree with the default method, with exact derivatives and error bounds."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from levy_numerics import pricing
from levy_numerics.errors import OutsideStripError, UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models import CGMY, Merton, Model, VarianceGamma
from levy_numerics.pricing.sinh import SinhPricer
from levy_numerics.pricing.sinh_contour import Contour
from levy_numerics.pricing.sinh_jax import CompiledPricer, PhaseTable, covered_value
from tests.numerics.models.members import MODELS, values

TOLERANCE = 1e-8
# Compilation takes seconds per model.
QUICK = ("VarianceGamma", "CGMY", "VarianceGammaSato")
every_model = pytest.mark.parametrize(
    "cls",
    [pytest.param(cls, marks=[] if cls.name in QUICK else pytest.mark.slow) for cls in MODELS],
    ids=lambda cls: cls.name,
)


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def surface() -> Contracts:
    return Contracts.grid(
        spot=100.0,
        rate=0.05,
        dividend_yield=0.01,
        strikes=[60.0, 95.0, 105.0, 150.0],
        maturities=[0.02, 0.3, 1.0],
        is_call=[[True, False, True, False]] * 3,
    )


def nearby_models(cls: type[Model], count: int) -> list[Model]:
    """Return the example, and parameter sets within 10% of it."""
    rng = np.random.default_rng(1)
    example = np.array(values(cls.example()))
    scales = 1.0 + rng.uniform(-0.1, 0.1, (count, example.size))
    scales[0] = 1.0
    return [cls(*row) for row in example * scales]


def _contour(near: Model) -> Contour:
    batch = type(near)(*np.array(values(near))[:, None])
    return SinhPricer(surface(), TOLERANCE).shared_contour(batch)


def everything(pricer: CompiledPricer, parameters: jax.Array) -> tuple[Any, ...]:
    jacobian = jax.jacfwd(pricer.prices)(parameters)
    by_reverse = jax.grad(lambda p: pricer.prices(p).sum())(parameters)
    return pricer.prices(parameters), jacobian, by_reverse


@every_model
def test_compiled_prices_and_derivatives_are_accurate_close_to_the_tables_parameters(cls):
    contracts, near = surface(), nearby_models(cls, 5)
    pricer = CompiledPricer.of(cls, contracts, near=near[:2], tolerance=TOLERANCE)
    sets = jnp.asarray([values(m) for m in near])
    actual = jax.jit(jax.vmap(everything, in_axes=(None, 0)))(pricer, sets)
    for model, price, jacobian, by_reverse in zip(near, *actual, strict=True):
        exact = pricing.price_gradient(model, contracts, tolerance=1e-12)
        allowed = TOLERANCE * contracts.discount * contracts.forward
        assert np.all(np.abs(price - exact.value) <= allowed + exact.error)
        np.testing.assert_allclose(jacobian, exact.gradient.T, rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(by_reverse, jacobian.sum(axis=0), rtol=1e-12, atol=1e-9)


@every_model
def test_padding_changes_prices_and_gradients_by_rounding_only(cls: type[Model]) -> None:
    contracts, near = surface(), cls.example()
    contour = _contour(near)
    plain, padded = (
        CompiledPricer.on_contour(cls, contracts, contour, padded=padded)
        for padded in (False, True)
    )
    n = contracts.strike.size
    assert padded.n_contracts > n
    at = jnp.asarray(values(near))
    price, jacobian = padded.prices(at), jax.jacfwd(padded.prices)(at)
    np.testing.assert_allclose(price[:n], plain.prices(at), rtol=1e-13, atol=1e-12)
    np.testing.assert_allclose(jacobian[:n], jax.jacfwd(plain.prices)(at), rtol=1e-10, atol=1e-10)
    assert not np.any(price[n:])
    assert not np.any(jacobian[n:])


def test_second_derivatives_are_those_of_the_first():
    pricer = CompiledPricer.of(VarianceGamma, surface(), near=VarianceGamma.example())
    at, step = jnp.asarray(values(VarianceGamma.example())), 1e-5

    @jax.jit
    def slope(parameters: Any) -> Any:
        return jax.grad(lambda p: pricer.prices(p).sum())(parameters)

    curvature = jax.jit(jax.jacfwd(slope))(at)
    sides = np.array([[slope(at + sign * step * row) for row in np.eye(3)] for sign in (1, -1)])
    np.testing.assert_allclose(curvature, (sides[0] - sides[1]) / (2.0 * step), rtol=1e-6)


def test_on_one_contour_prices_are_those_of_the_default_method_and_share_its_error():
    contracts = surface()
    contour = _contour(VarianceGamma(0.8, 0.005, 0.0))
    pricer = CompiledPricer.on_contour(VarianceGamma, contracts, contour)
    far = np.array([[0.05, 1.0, 0.0], [0.3, 0.2, -0.1]])
    prices = jax.jit(jax.vmap(pricer.prices))(jnp.asarray(far))
    on_contour = SinhPricer(contracts).price_on(contour, VarianceGamma(*far.T))
    assert np.max(on_contour.error[0] / contracts.forward) > TOLERANCE
    np.testing.assert_allclose(prices, on_contour.value, atol=1e-9)
    exact = pricing.price(VarianceGamma(*far.T), contracts)
    assert np.all(np.abs(prices - exact.value) <= on_contour.error + exact.error)


def test_parameters_without_a_finite_forward_are_not_priced():
    pricer = CompiledPricer.of(CGMY, surface(), near=CGMY.example())
    outside = jnp.asarray([0.5, 5.0, 0.9, 0.5])
    assert np.all(np.isnan(jax.jit(pricer.prices)(outside)))
    with pytest.raises(OutsideStripError):
        CompiledPricer.of(CGMY, surface(), near=CGMY(0.5, 5.0, 0.9, 0.5))


def test_single_precision_is_rejected():
    with jax.enable_x64(False), pytest.raises(UnsupportedError, match="jax_enable_x64"):
        CompiledPricer.of(Merton, surface(), near=Merton.example())


def test_padded_surfaces_are_priced_together_on_tables_made_inside():
    """Like batch calibrations: each surface has its own maturities and strikes."""
    contour = _contour(VarianceGamma.example())
    years = jnp.asarray([[0.05, 0.5], [0.3, 0.9]])
    log_moneyness = jnp.asarray([[[0.1, -0.1, 0.0], [0.2, 0.0, 0.0]], [[0.0, 0.3, -0.3]] * 2])
    parameters = jnp.asarray([[0.2, 0.3, -0.15], [0.25, 0.2, -0.1]])

    def one(years: Any, log_moneyness: Any, parameters: Any) -> Any:
        table = PhaseTable.of(contour, years, log_moneyness)
        return covered_value(VarianceGamma, table, parameters)

    together = jax.jit(jax.vmap(one))(years, log_moneyness, parameters)
    for t, x, p, value in zip(years, log_moneyness, parameters, together, strict=True):
        contracts = Contracts.of(
            maturity_years=np.repeat(t, 3), strike=np.exp(-x).ravel(), forward=1.0
        )
        exact = pricing.price(VarianceGamma(*map(float, p)), contracts).value
        np.testing.assert_allclose(1.0 - np.exp(-x) * value, exact.reshape(2, 3), atol=1e-8)

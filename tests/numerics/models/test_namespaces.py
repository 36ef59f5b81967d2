"""Formulas accept numbers, arrays, batches and JAX arrays."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from levy_numerics.models import LevyModel, Model
from tests.numerics.models.members import (
    MODELS,
    every_model,
    frequencies,
    typical_members,
    values,
)


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


# Compositions take many seconds to compile and add little to the test of their bases.
every_model_in_jax = pytest.mark.parametrize(
    "cls",
    [
        pytest.param(cls, marks=[] if issubclass(cls, LevyModel) else pytest.mark.slow)
        for cls in MODELS
    ],
    ids=lambda cls: cls.name,
)


def contour(model: Model, count: int) -> np.ndarray:
    return frequencies(model, count, "namespaces", reach=50.0)


@every_model
def test_a_batch_gives_the_results_of_its_members(cls: type[Model]) -> None:
    members = typical_members(cls, 7, "batch")
    batch = cls(**{n: np.array([getattr(m, n) for m in members]) for n in members[0].as_mapping()})
    u, t = contour(members[0], 9), np.array([0.1, 0.7])
    expanded = batch.expanded(2)
    log_cf = expanded.log_cf(u, t[:, None])
    gradient = expanded.log_cf_gradient(u, t[:, None])
    drift = batch.expanded(1).drift_correction(t)
    cumulants = np.stack([np.asarray(k) for k in batch.expanded(1).cumulants(t)])
    for i, model in enumerate(members):
        alone = model.log_cf(u, t[:, None])
        np.testing.assert_allclose(log_cf[i], alone, rtol=1e-14, atol=1e-18)
        rows = model.log_cf_gradient(u, t[:, None])
        np.testing.assert_allclose(gradient[:, i], rows, rtol=1e-12, atol=1e-16)
        np.testing.assert_allclose(drift[i], model.drift_correction(t), rtol=1e-14)
        np.testing.assert_allclose(cumulants[:, i], model.cumulants(t), rtol=1e-14)


@every_model
def test_numbers_give_numbers(cls: type[Model]) -> None:
    model = cls.example()
    assert np.shape(model.log_cf(0.5 - 0.5j, 1.0)) == ()
    assert np.shape(model.log_cf_gradient(0.5 - 0.5j, 1.0)) == (len(cls.parameters()),)
    assert np.shape(model.drift_correction(1.0)) == ()


@every_model
def test_inputs_are_not_modified(cls: type[Model]) -> None:
    u = contour(cls.example(), 5)
    before = u.copy()
    cls.example().log_cf(u, 1.0)
    cls.example().log_cf_gradient(u, 1.0)
    np.testing.assert_array_equal(u, before)


@every_model_in_jax
def test_jax_agrees_with_numpy_and_differentiates_to_the_same_gradient(cls: type[Model]) -> None:
    def everything(parameters: jax.Array, u: jax.Array) -> tuple[jax.Array, ...]:
        model = cls(*parameters)
        by_tracing = jax.jacfwd(lambda p: cls(*p).log_cf(u, 0.7))(parameters).T
        return model.log_cf(u, 0.7), model.log_cf_gradient(u, 0.7), by_tracing

    compiled = jax.jit(everything)
    digits = 1e-13 if issubclass(cls, LevyModel) else 1e-12
    for model in typical_members(cls, 8, "jax"):
        u = contour(model, 20)
        log_cf, gradient, by_tracing = compiled(jnp.asarray(values(model)), jnp.asarray(u))
        assert log_cf.dtype == jnp.complex128
        np.testing.assert_allclose(log_cf, model.log_cf(u, 0.7), rtol=digits, atol=1e-13)
        # Per relative change of the parameter, as least squares uses it.
        size = np.abs(values(model))[:, None]
        expected = size * model.log_cf_gradient(u, 0.7)
        np.testing.assert_allclose(size * gradient, expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(size * by_tracing, expected, rtol=1e-8, atol=1e-8)


@every_model_in_jax
def test_a_reverse_gradient_is_finite_at_the_origin_and_far_out(cls: type[Model]) -> None:
    """Samplers differentiate prices, so neither branch of a `where` may produce NaN."""

    def total(parameters: jax.Array, u: jax.Array) -> jax.Array:
        return jnp.sum(jnp.real(cls(*parameters).log_cf(u, 0.7)))

    u = jnp.asarray([0j, 1e-12 + 0j, 0.3 - 0.5j, 1e5 + 0j, 1e5 - 4e4j, -0.5j])
    gradient = jax.jit(jax.grad(total))(jnp.asarray(values(cls.example())), u)
    assert np.all(np.isfinite(gradient))


@every_model_in_jax
def test_coordinates_drift_and_cumulants_are_traced_by_jax(cls: type[Model]) -> None:
    def numbers(z: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        model = cls.from_coordinates(z)
        summary = [*model.cumulants(0.7), model.drift_correction(0.7)]
        return jnp.stack(values(model)), jnp.stack(summary), model.to_coordinates()

    model = cls.example()
    z = np.asarray(model.to_coordinates(), dtype=float)
    parameters, summary, back = jax.jit(numbers)(jnp.asarray(z))
    np.testing.assert_allclose(parameters, values(model), rtol=1e-12)
    expected = [*model.cumulants(0.7), model.drift_correction(0.7)]
    np.testing.assert_allclose(summary, np.array(expected, dtype=float), rtol=1e-11)
    np.testing.assert_allclose(back, z, rtol=1e-11, atol=1e-13)

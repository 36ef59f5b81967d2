"""Compiled formulas agree with NumPy."""

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from levy_numerics import special
from levy_numerics.jit import compiled_in_order
from levy_numerics.models import NIG, LevyModel, Model, VarianceGamma, compiled
from levy_numerics.pricing.sinh_contour import sinh_contour
from tests.numerics.models.members import (
    every_levy_model,
    every_model,
    typical_members,
)

NODES = sinh_contour(np.pi / 8, 0.25, 64).frequencies


@every_levy_model
def test_exponents_and_gradients_agree(cls: type[LevyModel]) -> None:
    for model in typical_members(cls, 20, "compiled exponents"):
        expected = model.exponent_with_gradient(NODES)
        actual = compiled.exponent_with_gradient(model, NODES)
        for part, expected_part in zip(actual, expected, strict=True):
            np.testing.assert_allclose(part, expected_part, rtol=1e-12, atol=1e-300)


@every_model
def test_coordinates_agree(cls: type[Model]) -> None:
    for model in typical_members(cls, 20, "compiled coordinates"):
        z = np.asarray(model.to_coordinates(), dtype=float)
        expected, wanted = cls.from_coordinates_with_jacobian(z)
        actual, jacobian = compiled.from_coordinates_with_jacobian(cls, z)
        np.testing.assert_allclose(
            list(actual.as_mapping().values()), list(expected.as_mapping().values()), rtol=1e-13
        )
        np.testing.assert_allclose(jacobian, wanted, rtol=1e-12, atol=1e-300)


def test_integer_parameters_give_the_results_of_floats() -> None:
    actual = compiled.exponent_with_gradient(VarianceGamma(1, 1, -1), NODES)
    expected = compiled.exponent_with_gradient(VarianceGamma(1.0, 1.0, -1.0), NODES)
    np.testing.assert_array_equal(actual[1], expected[1])


@pytest.mark.parametrize("model", [NIG(3.0, 1.0, 1.0), VarianceGamma(1.0, 1.0, -0.5)])
def test_a_pole_is_infinite_as_it_is_for_numpy(model: LevyModel) -> None:
    u = -1j * np.arange(1.0, 5.0)
    assert float(model.exponent_strip()[0]) == 2.0
    with np.errstate(all="ignore"):
        actual = compiled.exponent_with_gradient(model, u)
        expected = model.exponent_with_gradient(u)
    for part, expected_part in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(part, expected_part)
    assert not np.all(np.isfinite(actual[1]))


@pytest.mark.parametrize("about", [0.0, -1.0, -0.5, 1e6])
def test_the_compiled_log1p_is_as_accurate_as_that_of_arrays(about: float) -> None:
    @compiled_in_order
    def logarithm(z: np.ndarray) -> np.ndarray:
        return special.log1p(z)

    rng = np.random.default_rng(3)
    size = 10.0 ** rng.uniform(-16.0, -0.5, 200)
    z = about + size * np.exp(2j * np.pi * rng.uniform(size=200))
    actual, expected = logarithm(z), special.log1p(z)
    np.testing.assert_allclose(actual.real, expected.real, rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(actual.imag, expected.imag, rtol=1e-14, atol=1e-300)


POINTS = np.concatenate(
    [
        size * np.exp(2j * np.pi * np.random.default_rng(8).uniform(size=20))
        for size in (1e-12, 1e-6, 0.04, 0.06, 0.7, 5.0)
    ]
    + [[0j]]
)


def _exact(function: Callable[[Any], Any]) -> np.ndarray:
    with mp.workdps(50):
        return np.array([complex(function(mp.mpc(complex(z)))) for z in POINTS])


def test_the_compiled_expm1_keeps_its_digits() -> None:
    @compiled_in_order
    def grown(z: np.ndarray) -> np.ndarray:
        return special.expm1(z)

    expected = _exact(mp.expm1)
    assert np.max(np.abs(grown(POINTS) - expected) / np.maximum(np.abs(expected), 1e-300)) < 1e-15


def test_the_compiled_ratio_and_derivative_keep_their_digits() -> None:
    @compiled_in_order
    def ratios(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return special.expm1_ratio_with_derivative(z)

    ratio = _exact(lambda z: mp.expm1(z) / z if z else mp.mpf(1))
    slope = _exact(
        lambda z: (z * mp.exp(z) - mp.expm1(z)) / z**2 if abs(z) > 1e-9 else mp.mpf(0.5) + z / 3
    )
    for actual, expected in zip(ratios(POINTS), (ratio, slope), strict=True):
        assert np.max(np.abs(actual - expected) / np.abs(expected)) < 2e-14


@pytest.mark.parametrize("x", [0.01, 0.3, 1.0, 1.4616321449683623, 2.0, 7.3])
def test_the_compiled_gamma_function_accepts_a_complex_step(x: float) -> None:
    @compiled_in_order
    def of_one(x: float) -> tuple[float, float]:
        return special.gamma(x), special.digamma(x)

    @compiled_in_order
    def of_row(z: np.ndarray) -> np.ndarray:
        return special.gamma(z)

    (stepped,) = of_row(np.array([x + 1e-30j]))
    value, slope = of_one(x)
    true, rate = mp.gamma(x), mp.digamma(x)
    assert abs(float(value / true) - 1.0) < 1e-15
    assert abs(float(slope - rate)) < 2e-15 * max(abs(float(rate)), 1.0)
    assert stepped.real == value
    assert stepped.imag * 1e30 == pytest.approx(float(true * rate), rel=1e-14, abs=1e-14)

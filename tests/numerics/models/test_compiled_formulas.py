"""Compiled formulas say what NumPy says."""

import numpy as np
import pytest

from levy_numerics import special, special_compiled  # noqa: F401 - the latter tells Numba
from levy_numerics.compiling import compiled_in_order
from levy_numerics.models import NIG, LevyModel, Model, VarianceGamma, compiled
from levy_numerics.pricing.contour import sinh_contour
from tests.numerics.models.members import (
    every_levy_model,
    every_model,
    plausible_members,
)

NODES = sinh_contour(np.pi / 8, 0.25, 64).frequencies


@every_levy_model
def test_exponents_and_gradients_agree(cls: type[LevyModel]) -> None:
    for model in plausible_members(cls, 20, "compiled exponents"):
        expected = model.exponent_with_gradient(NODES)
        found = compiled.exponent_with_gradient(model, NODES)
        for each, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(each, wanted, rtol=1e-12, atol=1e-300)


@every_model
def test_coordinates_agree(cls: type[Model]) -> None:
    for model in plausible_members(cls, 20, "compiled coordinates"):
        z = np.asarray(model.to_coordinates(), dtype=float)
        expected, wanted = cls.from_coordinates_with_jacobian(z)
        found, jacobian = compiled.from_coordinates_with_jacobian(cls, z)
        np.testing.assert_allclose(
            list(found.as_mapping().values()), list(expected.as_mapping().values()), rtol=1e-13
        )
        np.testing.assert_allclose(jacobian, wanted, rtol=1e-12, atol=1e-300)


def test_whole_numbers_are_taken_for_what_they_are() -> None:
    found = compiled.exponent_with_gradient(VarianceGamma(1, 1, -1), NODES)
    expected = compiled.exponent_with_gradient(VarianceGamma(1.0, 1.0, -1.0), NODES)
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("model", [NIG(3.0, 1.0, 1.0), VarianceGamma(1.0, 1.0, -0.5)])
def test_a_pole_is_infinite_as_it_is_for_numpy(model: LevyModel) -> None:
    u = -1j * np.arange(1.0, 5.0)
    assert float(model.exponent_strip()[0]) == 2.0
    with np.errstate(all="ignore"):
        found, expected = compiled.exponent_with_gradient(model, u), model.exponent_with_gradient(u)
    for each, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(each, wanted)
    assert not np.all(np.isfinite(found[1]))


@pytest.mark.parametrize("about", [0.0, -1.0, -0.5, 1e6])
def test_the_compiled_logarithm_keeps_the_digits_of_the_other(about: float) -> None:
    @compiled_in_order
    def logarithm(z: np.ndarray) -> np.ndarray:
        return special.log1p(z)

    rng = np.random.default_rng(3)
    size = 10.0 ** rng.uniform(-16.0, -0.5, 200)
    z = about + size * np.exp(2j * np.pi * rng.uniform(size=200))
    found, expected = logarithm(z), special.log1p(z)
    np.testing.assert_allclose(found.real, expected.real, rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(found.imag, expected.imag, rtol=1e-14, atol=1e-300)

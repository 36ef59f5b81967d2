"""The Lévy density integrates to the exponent; draws have the law of the exponent."""

import numpy as np
import pytest

from levy_numerics.models import LevyModel, Meixner, Model
from levy_numerics.models.inversion import sample_by_inversion
from tests.numerics.models.members import (
    every_levy_model,
    every_model,
    generator,
    typical_members,
)

DRAWS = 100_000
STANDARD_ERRORS = 4.0


@every_levy_model
def test_the_density_integrates_to_the_exponent(cls: type[LevyModel]) -> None:
    """Lévy-Khintchine: ψ(u) = iuκ₁ − σ²u²/2 + ∫(e^{iux} − 1 − iux)k(x)dx, σ² = κ₂ − ∫x²k(x)dx."""
    model = cls.example()
    # x = ±eˢ: the integrand is smooth in s and decays at both ends, so the plain sum is exact.
    s, step = np.linspace(-60.0, 5.0, 26_001, retstep=True)
    x = np.concatenate([-np.exp(s), np.exp(s)])
    k = model.density(x)
    weight = step * np.abs(x) * k
    k1, k2, k3, k4 = model.annual_cumulants()
    u = np.array([0.3, 2.0, 11.0 - 0.4j])
    iux = 1j * np.outer(u, x)
    integral = (np.expm1(iux) - iux) @ weight
    gaussian = k2 - np.sum(weight * x**2)
    assert gaussian >= -1e-12 * k2
    actual = 1j * u * k1 - 0.5 * gaussian * u**2 + integral
    np.testing.assert_allclose(actual, model.exponent(u), rtol=1e-10)
    np.testing.assert_allclose([np.sum(weight * x**3), np.sum(weight * x**4)], [k3, k4], rtol=1e-10)
    assert np.all(k >= 0)


@every_model
@pytest.mark.parametrize("maturity_years", [1 / 365, 0.5])
def test_draws_have_the_characteristic_function(cls: type[Model], maturity_years: float) -> None:
    for model in typical_members(cls, 3, "draws"):
        x = model.sample(generator(cls, "sample"), maturity_years, DRAWS)
        assert x.shape == (DRAWS,)
        deviation = float(np.sqrt(model.cumulants(maturity_years)[1]))
        u = np.array([0.1, 0.5, 1.0, 3.0]) / deviation
        waves = np.exp(1j * np.outer(u, x))
        expected = np.exp(model.log_cf(u + 0j, maturity_years))
        error = waves.mean(axis=1) - expected
        for part in (np.real, np.imag):
            standard_error = part(waves).std(axis=1) / np.sqrt(DRAWS)
            assert np.all(np.abs(part(error)) < STANDARD_ERRORS * standard_error + 1e-12)


@every_model
def test_draws_have_the_cumulants(cls: type[Model]) -> None:
    model = cls.example()
    t = 1.0
    x = model.sample(generator(cls, "moments"), t, DRAWS)
    k1, k2, k3, k4 = (float(k) for k in model.cumulants(t))
    centred = x - k1
    assert abs(centred.mean()) < STANDARD_ERRORS * np.sqrt(k2 / DRAWS)
    variance_error = np.sqrt((k4 + 2.0 * k2**2) / DRAWS)
    assert abs((centred**2).mean() - k2) < STANDARD_ERRORS * variance_error
    third = centred**3
    assert abs(third.mean() - k3) < STANDARD_ERRORS * third.std() / np.sqrt(DRAWS)


@every_model
def test_draws_make_the_forward_a_martingale(cls: type[Model]) -> None:
    model = cls.example()
    x = model.sample(generator(cls, "forward"), 0.5, DRAWS) + float(model.drift_correction(0.5))
    growth = np.exp(x)
    assert abs(growth.mean() - 1.0) < STANDARD_ERRORS * growth.std() / np.sqrt(DRAWS)


@every_model
def test_the_same_seed_draws_the_same(cls: type[Model]) -> None:
    model = cls.example()
    first, second = (model.sample(np.random.default_rng(3), 0.25, 100) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@every_levy_model
def test_inversion_draws_what_direct_simulation_draws(cls: type[LevyModel]) -> None:
    """Two-sample Kolmogorov-Smirnov test at a level of 1e-6."""
    model, t = cls.example(), 0.1
    direct = np.sort(model.sample(generator(cls, "direct"), t, DRAWS))
    inverted = np.sort(sample_by_inversion(model, generator(cls, "inverted"), t, DRAWS))
    places = np.concatenate([direct, inverted])
    gap = np.searchsorted(direct, places, "right") - np.searchsorted(inverted, places, "right")
    assert np.abs(gap).max() / DRAWS < np.sqrt(-np.log(1e-6 / 2) / DRAWS)


def test_the_smoothing_error_of_inversion_is_as_documented() -> None:
    """Smoothing adds a variance of (2.1 cells)², 1e-6 of the total."""

    class EvenlySpread:
        def random(self, size: int) -> np.ndarray:
            return (np.arange(size) + 0.5) / size

    model = Meixner.example()
    x = sample_by_inversion(model, EvenlySpread(), 0.5, 4_000_000)  # type: ignore[arg-type]
    k1, k2, _, _ = model.cumulants(0.5)
    assert abs(x.mean() - k1) < 1e-6 * np.sqrt(k2)
    assert abs(x.var() / k2 - 1.0) < 1e-5

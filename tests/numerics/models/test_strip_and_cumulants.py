"""The strip is that of the characteristic function; cumulants are its derivatives at 0."""

import math

import numpy as np

from levy_numerics.models import LevyModel, Model
from tests.numerics.models.members import (
    every_levy_model,
    every_model,
    horizons,
    strip_inside,
    typical_members,
)


@every_model
def test_cumulants_are_the_taylor_coefficients_of_the_cumulant_function(cls: type[Model]) -> None:
    """Use Cauchy's integral on a circle inside the strip, where the trapezoidal rule is exact."""
    digits = 1e-12 if issubclass(cls, LevyModel) else 1e-10
    for model in typical_members(cls, 30, "cumulants"):
        for t in horizons(model):
            low, high = strip_inside(model, 0.5, t)
            radius, points = min(-low, high), 64
            circle = radius * np.exp(2j * np.pi * np.arange(points) / points)
            around = np.fft.fft(model.log_cf(-1j * circle, t)) / points
            size = float(np.abs(around).max())
            for n, cumulant in enumerate(model.cumulants(t), start=1):
                taylor = math.factorial(n) * around[n] / radius**n
                rounding = 1e-14 * size * math.factorial(n) / radius**n
                assert abs(float(cumulant) - taylor) < rounding + digits * abs(float(cumulant))


@every_model
def test_the_characteristic_function_is_finite_inside_the_strip(cls: type[Model]) -> None:
    for model in typical_members(cls, 30, "inside"):
        for t in horizons(model):
            u = 1j * np.linspace(*strip_inside(model, 0.999, t), 41)
            log_cf = model.log_cf(u, t)
            assert np.all(np.isfinite(log_cf))
            # On the imaginary axis it is the moment generating function: real and convex.
            assert np.all(np.abs(np.imag(log_cf)) <= 1e-13 * (1.0 + np.abs(log_cf)))
            bend = np.diff(np.real(log_cf), 2)
            assert np.all(bend > -1e-12 * (1.0 + np.abs(np.real(log_cf)).max()))


@every_levy_model
def test_the_exponent_is_singular_where_the_strip_ends(cls: type[LevyModel]) -> None:
    """Derivatives grow without bound at the boundary: the third exceeds any inside."""
    for model in typical_members(cls, 30, "singular"):
        for end, side in zip(model.exponent_strip(), (-1.0, 1.0), strict=True):
            if not np.isfinite(end):
                continue
            distance = float(end) * np.array([1e-2, 1e-3, 1e-4])
            steepness = [abs(third_derivative(model, 1j * side * (end - d), d)) for d in distance]
            # Of order d^(Y−3) with Y < 2: at least eight times as large at a tenth of the distance.
            assert steepness[1] > 8.0 * steepness[0]
            assert steepness[2] > 8.0 * steepness[1]


def third_derivative(model: LevyModel, u: complex, distance: float) -> complex:
    points = 32
    circle = 0.5 * distance * np.exp(2j * np.pi * np.arange(points) / points)
    around = np.fft.fft(model.exponent(u + circle)) / points
    return complex(6.0 * around[3] / (0.5 * distance) ** 3)


@every_levy_model
def test_the_forward_lies_inside_the_strip_at_every_horizon(cls: type[LevyModel]) -> None:
    for model in typical_members(cls, 30, "forward"):
        low, high = model.exponent_strip()
        assert low > 1.0
        assert high > 0.0
        assert len(horizons(model)) == 3


@every_levy_model
def test_cumulants_grow_in_proportion_to_time(cls: type[LevyModel]) -> None:
    model = cls.example()
    once, twice = model.cumulants(0.7), model.cumulants(1.4)
    np.testing.assert_allclose(twice, 2.0 * np.asarray(once), rtol=1e-15)

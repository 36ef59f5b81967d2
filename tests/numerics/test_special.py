"""Special functions against mpmath, in NumPy and in JAX."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from levy_numerics import special
from levy_numerics.jit import compiled_in_order
from levy_numerics.special import cos_and_sin, expm1_ratio, expm1_ratio_with_derivative, log1p

RNG_ANGLES = np.random.default_rng(4).uniform(-3.0, 3.0, 60)
RADII = np.array([1e-12, 1e-8, 1e-4, 0.04, 0.06, 0.3, 0.9, 3.0, 30.0])
AROUND_ZERO = np.outer(RADII, np.exp(1j * RNG_ANGLES)).ravel()


def exact(function: Callable[[Any], Any], points: np.ndarray) -> np.ndarray:
    with mp.workdps(60):
        return np.array([complex(function(mp.mpc(z))) for z in points])


def error(actual: Any, expected: np.ndarray) -> float:
    return float(np.max(np.abs(np.asarray(actual) - expected) / np.abs(expected)))


@pytest.mark.parametrize("centre", [0.0, -1.0])
def test_the_logarithm_of_one_plus_z_keeps_its_digits_about_its_zero_and_its_pole(
    centre: float,
) -> None:
    points = centre + AROUND_ZERO
    expected = exact(lambda z: mp.log(1 + z), points)
    assert error(log1p(points), expected) < 1e-15
    with jax.enable_x64(True):
        assert error(log1p(jnp.asarray(points)), expected) < 2e-14


@pytest.mark.parametrize(
    ("function", "definition", "at_zero"),
    [
        (expm1_ratio, lambda z: mp.expm1(z) / z, 1.0),
        (
            lambda z: expm1_ratio_with_derivative(z)[1],
            lambda z: (z * mp.exp(z) - mp.expm1(z)) / z**2,
            0.5,
        ),
    ],
    ids=["value", "derivative"],
)
def test_the_ratio_of_expm1_keeps_its_digits_through_zero(
    function: Callable[[Any], Any], definition: Callable[[Any], Any], at_zero: float
) -> None:
    points = AROUND_ZERO[np.abs(AROUND_ZERO) < 20.0]
    expected = exact(definition, points)
    assert complex(function(0j)) == at_zero
    assert error(function(points), expected) < 2e-14
    with jax.enable_x64(True):
        assert error(function(jnp.asarray(points)), expected) < 2e-14


ANGLES = np.concatenate(
    [
        np.random.default_rng(5).uniform(-1.0, 1.0, 200) * 10.0 ** np.arange(-3, 7).repeat(20),
        # One rounding from each side of the quadrant boundaries of the argument reduction.
        np.nextafter(
            0.25 * np.pi * np.arange(-9, 10), np.repeat([[-9.0], [9.0]], 19, axis=1)
        ).ravel(),
    ]
)


def _by_loop(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate number by number, as compiled loops do."""
    one = compiled_in_order(cos_and_sin)
    cosine, sine = np.array([one(angle) for angle in angles]).T
    return cosine, sine


def _by_jax(angles: np.ndarray) -> tuple[Any, Any]:
    with jax.enable_x64(True):
        return jax.jit(lambda x: cos_and_sin(x, jnp.rint))(jnp.asarray(angles))  # type: ignore[no-any-return]


@pytest.mark.parametrize("by", [cos_and_sin, _by_loop, _by_jax])
def test_cosine_and_sine_are_right_to_rounding_up_to_a_million_radians(
    by: Callable[[np.ndarray], tuple[Any, Any]],
) -> None:
    cosine, sine = by(ANGLES)
    with mp.workdps(40):
        exact_cosine = np.array([float(mp.cos(mp.mpf(float(angle)))) for angle in ANGLES])
        exact_sine = np.array([float(mp.sin(mp.mpf(float(angle)))) for angle in ANGLES])
    assert np.max(np.abs(np.asarray(cosine) - exact_cosine)) < 3e-16
    assert np.max(np.abs(np.asarray(sine) - exact_sine)) < 3e-16


def test_cosine_and_sine_of_infinity_and_nan_are_nan() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(cos_and_sin(np.array([np.nan, np.inf, -np.inf]))).all()


@pytest.mark.parametrize("size", [1e-200, 1e-12, 1e-4, 0.0499, 0.0501, 0.499, 0.501, 3.0, 40.0])
@pytest.mark.parametrize("angle", [0.0, 0.7, 1.5])
def test_ratios_whose_leading_terms_cancel_keep_their_digits(size, angle):
    """Compare with mpmath at 500 digits, of which subnormal arguments cancel 400."""
    with mp.workdps(500):
        z = mp.mpf(size) * mp.expjpi(mp.mpf(angle) / mp.pi)
        complement = complex(1 - mp.log(1 + z) / z)
        second = complex((z - 1 + mp.exp(-z)) / z**2)
    z = complex(z)
    assert abs(complex(special.log1p_ratio_complement(z)) / complement - 1.0) < 1e-14
    assert abs(complex(special.exp_second_difference(z)) / second - 1.0) < 5e-15

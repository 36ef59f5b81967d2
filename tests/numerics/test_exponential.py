"""The vectorised exponential function against mpmath."""

import mpmath as mp
import numpy as np

from levy_numerics.jit import compiled
from levy_numerics.special_scalar import exp

RNG = np.random.default_rng(5)
EXPONENTS = np.concatenate(
    [
        RNG.uniform(-700.0, 700.0, 500),
        RNG.uniform(-1.0, 1.0, 500),
        np.log(2.0) * (np.arange(-20, 20) + 0.5),
        [0.0, -0.0, 1e-300, -1e-17, 700.0, -700.0],
    ]
)


@compiled
def _of_each(exponents: np.ndarray) -> np.ndarray:
    actual = np.empty_like(exponents)
    for k in range(len(exponents)):
        actual[k] = exp(exponents[k])
    return actual


def test_it_is_exact_to_one_rounding_alone_and_in_a_loop() -> None:
    expected = np.array([float(mp.exp(mp.mpf(float(x)))) for x in EXPONENTS])
    for actual in (_of_each(EXPONENTS), np.array([exp(float(x)) for x in EXPONENTS])):
        assert np.max(np.abs(actual - expected) / np.spacing(expected)) <= 1.0


def test_nan_remains_nan() -> None:
    assert np.isnan(_of_each(np.array([np.nan, 1.0]))).tolist() == [True, False]

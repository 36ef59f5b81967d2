"""Initial guesses: reproducible by seed, and of the variance near the money."""

import numpy as np
import pytest

from levy_numerics.calibration.initial_guesses import initial_guesses
from levy_numerics.calibration.objective import Objective
from levy_numerics.models import VarianceGamma
from tests.numerics.calibration.surfaces import exact_quotes


def guesses(seed: int) -> np.ndarray:
    objective = Objective.of(exact_quotes(VarianceGamma(sigma=0.3, nu=0.2, theta=0.0)), "price")
    return np.stack(initial_guesses(VarianceGamma, objective, n_starts=6, seed=seed))


def test_a_seed_determines_the_guesses_and_another_seed_gives_others() -> None:
    np.testing.assert_array_equal(guesses(1), guesses(1))
    assert not np.array_equal(guesses(1), guesses(2))


def test_each_guess_has_the_variance_that_quotes_near_the_money_imply() -> None:
    variances = [float(VarianceGamma.from_coordinates(z).annual_cumulants()[1]) for z in guesses(0)]
    assert variances == pytest.approx([variances[0]] * 6)
    assert variances[0] == pytest.approx(0.09, rel=0.1)

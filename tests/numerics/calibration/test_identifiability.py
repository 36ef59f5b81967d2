"""Identifiability, and the selection among equivalent solutions."""

from dataclasses import replace

import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.calibration.identifiability import _moments
from levy_numerics.calibration.least_squares import select_best
from levy_numerics.calibration.levenberg_marquardt import Solution


@pytest.mark.parametrize("name", models.names())
def test_derivatives_of_moments_agree_with_central_differences(name: str) -> None:
    model = models.get(name).example()
    _, gradient = _moments(model)
    for j, (parameter, value) in enumerate(model.as_mapping().items()):
        step = 1e-5 * max(abs(value), 0.1)
        up, down = (
            _moments(replace(model, **{parameter: value + moved}))[0]  # type: ignore[type-var]
            for moved in (step, -step)
        )
        difference = (up - down) / (2.0 * step)
        assert gradient[:, j] == pytest.approx(difference, rel=1e-5, abs=1e-6)


def test_of_fits_equal_up_to_rounding_a_converged_one_is_selected() -> None:
    lowest = Solution(np.zeros(1), np.ones(1), np.ones((1, 1)), np.ones(1), "stalled", "", 1)
    arrived = replace(lowest, residuals=np.array([1.0 + 1e-8]), status="at_bound")
    higher = replace(lowest, residuals=np.array([1.1]), status="converged")
    assert select_best([higher, lowest, arrived]) is arrived
    assert select_best([higher, lowest]) is lowest

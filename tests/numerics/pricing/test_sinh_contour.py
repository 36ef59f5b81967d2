"""Error constants of the contour at fine steps."""

import math

import pytest

from levy_numerics.pricing.sinh_contour import TILT, sinh_contour


@pytest.mark.parametrize("step", [0.1, 0.02, 1e-3, 1e-5])
def test_the_poles_error_falls_to_nothing_as_the_step_does(step):
    fine = sinh_contour(TILT, step, 16)
    assert 0.0 <= fine.pole_error <= fine.coarse_pole_error
    assert fine.coarse_pole_error == pytest.approx(
        math.exp(-(math.pi**2) / (8 * step)), rel=1e-4, abs=1e-300
    )

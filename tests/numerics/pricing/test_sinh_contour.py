"""Error constants of the contour at fine steps."""

import math

import numpy as np
import pytest

from levy_numerics.pricing.sinh_contour import TILT, TILTS, sectors_of, sinh_contour, tilt_index


@pytest.mark.parametrize("step", [0.1, 0.02, 1e-3, 1e-5])
def test_the_poles_error_falls_to_nothing_as_the_step_does(step):
    fine = sinh_contour(TILT, step, 16)
    assert 0.0 <= fine.pole_error <= fine.coarse_pole_error
    assert fine.coarse_pole_error == pytest.approx(
        math.exp(-(math.pi**2) / (8 * step)), rel=1e-4, abs=1e-300
    )


def test_a_contour_is_used_for_sectors_that_its_tilt_suits():
    for sector in np.geomspace(1e-3, 0.25 * math.pi, 200):
        index = int(tilt_index(sector))
        narrowest, widest = sectors_of(index)
        assert narrowest <= sector < widest
        # Not beyond the next but one wider tilt, which would need half the nodes.
        assert widest == math.inf or widest <= 4.0 * TILTS[index] + 1e-8
    assert sectors_of(int(tilt_index(0.25 * math.pi)))[1] == math.inf

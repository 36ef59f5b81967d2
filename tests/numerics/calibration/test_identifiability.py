"""Identifiability, and the selection among equivalent solutions."""

from dataclasses import replace

import numpy as np

from levy_numerics.calibration.least_squares import select_best
from levy_numerics.calibration.solver_problem import Solution


def test_of_fits_equal_up_to_rounding_a_converged_one_is_selected() -> None:
    lowest = Solution(np.zeros(1), np.ones(1), np.ones((1, 1)), np.ones(1), "stalled", "", 1)
    arrived = replace(lowest, residuals=np.array([1.0 + 1e-8]), status="at_bound")
    higher = replace(lowest, residuals=np.array([1.1]), status="converged")
    assert select_best([higher, lowest, arrived]) is arrived
    assert select_best([higher, lowest]) is lowest

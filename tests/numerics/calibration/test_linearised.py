"""Steps of linearised least squares against their definition."""

import numpy as np
import pytest

from levy_numerics.calibration.solvers.linearised import Linearised
from levy_numerics.calibration.solvers.problem import Evaluation, LeastSquaresProblem

RNG = np.random.default_rng(6)
JACOBIAN = RNG.normal(size=(30, 3)) * [1.0, 10.0, 0.1]
RESIDUALS = 0.1 * RNG.normal(size=30)
WIDE = np.full(3, 1e6)


def linearised(
    jacobian: np.ndarray = JACOBIAN,
    residuals: np.ndarray = RESIDUALS,
    low: np.ndarray = -WIDE,
    high: np.ndarray = WIDE,
) -> Linearised:
    """About zero."""
    at = Evaluation(residuals, jacobian, residuals, np.ones_like(residuals))
    return Linearised.of(LeastSquaresProblem(lambda _: at, low, high, 0.0), np.zeros(3), at)


@pytest.mark.parametrize("damping", [0.0, 1e-6, 1e-2, 1.0])
def test_a_step_solves_the_damped_normal_equations(damping: float) -> None:
    found = linearised()
    shift = damping * np.linalg.norm(JACOBIAN, 2) ** 2
    square = JACOBIAN.T @ JACOBIAN
    expected = np.linalg.solve(square + shift * np.eye(3), -JACOBIAN.T @ RESIDUALS)
    step, gain = found.step(damping)
    np.testing.assert_allclose(step, expected, rtol=1e-10)
    after = RESIDUALS + JACOBIAN @ step
    assert gain == pytest.approx(0.5 * (RESIDUALS @ RESIDUALS - after @ after), rel=1e-10)
    assert gain <= found.possible_gain * (1.0 + 1e-12)


def test_undamped_a_step_gains_all_that_is_possible() -> None:
    found = linearised()
    assert found.step(0.0)[1] == pytest.approx(found.possible_gain, rel=1e-12)


def test_long_steps_are_cut() -> None:
    step, gain = linearised(residuals=1e3 * RESIDUALS).step(0.0)
    assert np.linalg.norm(step) == pytest.approx(1.5, rel=1e-12)
    assert gain > 0.0


@pytest.mark.parametrize("j", [0, 1, 2])
def test_a_variable_pushed_out_of_the_box_is_held_and_one_pushed_in_is_not(j: int) -> None:
    at_the_end = np.where(np.arange(3) == j, 0.0, WIDE)
    goes_up = (JACOBIAN.T @ RESIDUALS)[j] < 0.0
    for found, held in (
        (linearised(low=-at_the_end), not goes_up),
        (linearised(high=at_the_end), goes_up),
    ):
        assert found.free.tolist() == [not (held and k == j) for k in range(3)]
        assert (found.step(1e-6)[0][j] == 0.0) == held


def test_where_nothing_may_move_there_is_nothing_to_gain() -> None:
    found = linearised(low=np.zeros(3), high=np.zeros(3))
    assert found.free.tolist() == [False] * 3
    assert found.possible_gain == 0.0
    assert found.step(1e-6)[0].tolist() == [0.0] * 3


def test_the_reduction_of_a_jacobian_that_is_not_finite_is_unknown() -> None:
    broken = JACOBIAN.copy()
    broken[3, 1] = np.inf
    assert np.isnan(linearised(broken).possible_gain)

"""Damped Gauss-Newton steps, against their definition."""

from typing import NamedTuple

import numpy as np
import pytest

from levy_numerics.calibration.gauss_newton import damped_step, decompose

RNG = np.random.default_rng(6)
JACOBIAN = RNG.normal(size=(30, 3)) * [1.0, 10.0, 0.1]
RESIDUALS = 0.1 * RNG.normal(size=30)
WIDE = np.full(3, 1e6)


class Linear(NamedTuple):
    """The linear problem about zero."""

    jacobian: np.ndarray = JACOBIAN
    residuals: np.ndarray = RESIDUALS
    low: np.ndarray = -WIDE
    high: np.ndarray = WIDE

    def decompose(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
        by_variable = np.ascontiguousarray(self.jacobian.T)
        return decompose(self.residuals, by_variable, np.zeros(3), self.low, self.high)

    @property
    def free(self) -> list[bool]:
        return [bool(free) for free in self.decompose()[0]]

    @property
    def reduction(self) -> float:
        return self.decompose()[4]

    def step(self, damping: float) -> tuple[np.ndarray, float]:
        return damped_step(self.decompose(), damping)


@pytest.mark.parametrize("damping", [0.0, 1e-6, 1e-2, 1.0])
def test_a_step_solves_the_damped_normal_equations(damping: float) -> None:
    shift = damping * np.linalg.norm(JACOBIAN, 2) ** 2
    square = JACOBIAN.T @ JACOBIAN
    expected = np.linalg.solve(square + shift * np.eye(3), -JACOBIAN.T @ RESIDUALS)
    step, predicted = Linear().step(shift)
    np.testing.assert_allclose(step, expected, rtol=1e-10)
    after = RESIDUALS + JACOBIAN @ step
    assert predicted == pytest.approx(0.5 * (RESIDUALS @ RESIDUALS - after @ after), rel=1e-10)
    assert predicted <= Linear().reduction * (1.0 + 1e-12)


def test_an_undamped_step_achieves_the_whole_reduction() -> None:
    assert Linear().step(0.0)[1] == pytest.approx(Linear().reduction, rel=1e-12)


def test_long_steps_are_cut() -> None:
    step, predicted = Linear(residuals=1e3 * RESIDUALS).step(0.0)
    assert np.linalg.norm(step) == pytest.approx(1.5, rel=1e-12)
    assert predicted > 0.0


@pytest.mark.parametrize("j", [0, 1, 2])
def test_a_variable_pushed_out_of_the_box_is_held_and_one_pushed_in_is_free(j: int) -> None:
    at_the_end = np.where(np.arange(3) == j, 0.0, WIDE)
    increases = (JACOBIAN.T @ RESIDUALS)[j] < 0.0
    for linear, held in (
        (Linear(low=-at_the_end), not increases),
        (Linear(high=at_the_end), increases),
    ):
        assert linear.free == [not (held and k == j) for k in range(3)]
        assert (linear.step(1e-6)[0][j] == 0.0) == held


def test_where_no_variable_is_free_no_reduction_is_possible() -> None:
    linear = Linear(low=np.zeros(3), high=np.zeros(3))
    assert linear.free == [False] * 3
    assert linear.reduction == 0.0
    assert linear.step(1e-6)[0].tolist() == [0.0] * 3


def test_the_reduction_of_an_infinite_jacobian_is_nan() -> None:
    broken = JACOBIAN.copy()
    broken[3, 1] = np.inf
    assert np.isnan(Linear(jacobian=broken).reduction)

"""Steps of the quadratic model in a box, against SciPy and against their definition."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from levy_numerics.calibration.gauss_newton import step_in_box, triangle_of, update_curvature

RNG = np.random.default_rng(6)
JACOBIAN = RNG.normal(size=(30, 3)) * [1.0, 10.0, 0.1]
RESIDUALS = 0.1 * RNG.normal(size=30)
WIDE = np.full(3, 1e6)
NONE = np.zeros((3, 3))


def step(
    low: np.ndarray = -WIDE,
    high: np.ndarray = WIDE,
    curvature: np.ndarray | None = None,
    jacobian: np.ndarray = JACOBIAN,
    negligible: float = 0.0,
) -> tuple[np.ndarray, float]:
    triangle, rotated, is_finite = triangle_of(RESIDUALS, np.ascontiguousarray(jacobian.T))
    assert is_finite
    s = NONE if curvature is None else curvature
    return step_in_box(triangle, rotated, s, curvature is not None, low, high, negligible)


def reduction_of(moved: np.ndarray, curvature: np.ndarray = NONE) -> float:
    after = RESIDUALS + JACOBIAN @ moved
    squares = RESIDUALS @ RESIDUALS - after @ after
    return float(0.5 * squares - 0.5 * moved @ curvature @ moved)


def test_the_triangle_has_the_products_of_the_jacobian() -> None:
    triangle, rotated, _ = triangle_of(RESIDUALS, np.ascontiguousarray(JACOBIAN.T))
    np.testing.assert_allclose(triangle.T @ triangle, JACOBIAN.T @ JACOBIAN, rtol=1e-12)
    np.testing.assert_allclose(triangle.T @ rotated, JACOBIAN.T @ RESIDUALS, rtol=1e-12)


def test_an_infinite_jacobian_is_reported() -> None:
    broken = np.ascontiguousarray(JACOBIAN.T)
    broken[1, 3] = np.inf
    assert not triangle_of(RESIDUALS, broken)[2]


def test_a_step_without_bounds_solves_the_normal_equations() -> None:
    moved, reduction = step()
    expected = np.linalg.lstsq(JACOBIAN, -RESIDUALS, rcond=None)[0]
    np.testing.assert_allclose(moved, expected, rtol=1e-10)
    assert reduction == pytest.approx(reduction_of(expected), rel=1e-10)


@pytest.mark.parametrize("seed", range(20))
def test_a_step_in_a_box_is_that_of_bounded_least_squares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    unbounded = step()[0]
    low, high = -np.abs(unbounded) * rng.random(3) * 1.5, np.abs(unbounded) * rng.random(3) * 1.5
    moved, reduction = step(low, high)
    best = lsq_linear(JACOBIAN, -RESIDUALS, (low, high), tol=1e-14)
    assert np.all((moved >= low) & (moved <= high))
    # Variables are only added to those at an end: a good step in the box, not always the best.
    assert reduction == pytest.approx(reduction_of(moved), rel=1e-10)
    assert reduction >= 0.9 * reduction_of(best.x)


@pytest.mark.parametrize("j", [0, 1, 2])
def test_a_variable_pushed_out_of_the_box_is_held_and_one_pushed_in_is_free(j: int) -> None:
    at_the_end = np.where(np.arange(3) == j, 0.0, WIDE)
    increases = (JACOBIAN.T @ RESIDUALS)[j] < 0.0
    assert (step(low=-at_the_end)[0][j] == 0.0) == (not increases)
    assert (step(high=at_the_end)[0][j] == 0.0) == increases


def test_where_no_variable_is_free_no_reduction_is_possible() -> None:
    moved, reduction = step(np.zeros(3), np.zeros(3))
    assert moved.tolist() == [0.0] * 3
    assert reduction == 0.0


def test_directions_without_a_reduction_are_left_alone() -> None:
    # The third variable moves the residuals by rounding only.
    unidentified = JACOBIAN * [1.0, 1.0, 1e-15]
    assert abs(step(jacobian=unidentified, negligible=1e-12)[0][2]) < 1e-3


def test_curvature_adds_to_the_normal_equations() -> None:
    curvature = np.diag([3.0, 0.0, 0.2]) + 0.1
    moved, reduction = step(curvature=curvature)
    expected = np.linalg.solve(JACOBIAN.T @ JACOBIAN + curvature, -JACOBIAN.T @ RESIDUALS)
    np.testing.assert_allclose(moved, expected, rtol=1e-10)
    assert reduction == pytest.approx(reduction_of(expected, curvature), rel=1e-10)


def test_curvature_that_leaves_no_minimum_gives_no_step() -> None:
    moved, reduction = step(curvature=-2.0 * JACOBIAN.T @ JACOBIAN)
    assert not moved.any()
    assert reduction <= 0.0


def test_learned_curvature_is_symmetric_and_explains_the_step() -> None:
    # Of residuals rᵢ + Jᵢz + ½zᵀHᵢz the curvature is Σ rᵢHᵢ, the same everywhere for these.
    truth = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.2], [0.0, 0.2, 0.7]])
    moved = np.array([0.1, -0.2, 0.3])
    learned = np.zeros((3, 3))
    assert update_curvature(learned, moved, truth @ moved, (np.eye(3) + truth) @ moved)
    np.testing.assert_allclose(learned, learned.T, rtol=1e-12)
    np.testing.assert_allclose(learned @ moved, truth @ moved, rtol=1e-12)


def test_nothing_is_learned_where_the_slope_does_not_rise_along_the_step() -> None:
    learned = np.eye(3)
    assert not update_curvature(learned, np.ones(3), np.ones(3), -np.ones(3))
    np.testing.assert_array_equal(learned, np.eye(3))

"""The filter against the dense Gaussian posterior, and against simulated paths."""

import numpy as np
import pytest

from levy_numerics.sequential.kalman import (
    FilterState,
    Information,
    learned_process_variance,
)

LOW, HIGH = np.array([-3.0, -2.0]), np.array([2.0, 3.0])
PROCESS = np.array([0.02, 0.05])


def some_days(n: int, *, rank: int = 2) -> list[Information]:
    rng = np.random.default_rng(20261130)
    days = []
    for _ in range(n):
        root = rng.standard_normal((rank, 2))
        days.append(
            Information(3.0 * root.T @ root, root.T @ rng.standard_normal(rank), rng.normal())
        )
    return days


def dense_posterior(days: list[Information]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return mean and covariance of (z, b) after the last day, and the log evidence.

    All unknowns, (z1, b, w2, w3, …), are one Gaussian vector.
    """
    prior = FilterState.prior(LOW, HIGH)
    n = 4 + 2 * (len(days) - 1)
    mean, variance = np.zeros(n), np.zeros(n)
    mean[:4], variance[:4] = prior.mean, np.diag(prior.covariance)
    variance[4:] = np.tile(PROCESS, len(days) - 1)
    rows = np.zeros((2, n))
    rows[:, :2] = np.eye(2)
    precision, vector = np.diag(1.0 / variance), mean / variance
    constant = -0.5 * mean @ vector - 0.5 * np.log(variance).sum()
    for k, day in enumerate(days):
        if k:
            rows = rows.copy()
            rows[:, 2:4] += day.log_return * np.eye(2)
            rows[:, 4 + 2 * (k - 1) : 6 + 2 * (k - 1)] = np.eye(2)
        precision = precision + rows.T @ day.matrix @ rows
        vector = vector + rows.T @ day.vector
    covariance = np.linalg.inv(precision)
    evidence = constant + 0.5 * vector @ covariance @ vector
    evidence -= 0.5 * np.linalg.slogdet(precision)[1]
    to_state = np.concatenate([rows, np.eye(n)[2:4]])
    return to_state @ covariance @ vector, to_state @ covariance @ to_state.T, float(evidence)


@pytest.mark.parametrize("rank", [1, 2])
def test_the_filter_is_the_dense_posterior(rank: int) -> None:
    days = some_days(7, rank=rank)
    state, total = FilterState.prior(LOW, HIGH), 0.0
    for k, day in enumerate(days):
        if k:
            state = state.predicted(day.log_return, PROCESS)
        state, likelihood = state.given(day)
        total += likelihood
    mean, covariance, evidence = dense_posterior(days)
    np.testing.assert_allclose(state.mean, mean, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(state.covariance, covariance, rtol=1e-8, atol=1e-10)
    assert total == pytest.approx(evidence, abs=1e-8)


def test_what_quotes_do_not_determine_keeps_its_variance() -> None:
    prior = FilterState.prior(LOW, HIGH)
    matrix = np.diag([1e4, 0.0])
    state, _ = prior.given(Information(matrix, matrix @ np.array([1.0, 0.0]), 0.0))
    assert state.point[0] == pytest.approx(1.0, abs=1e-3)
    assert state.point[1] == prior.point[1]
    assert state.point_covariance[1, 1] == pytest.approx(prior.point_covariance[1, 1])


@pytest.fixture(scope="module")
def simulated() -> tuple[list[Information], np.ndarray]:
    """Return 120 days of coordinates that move by 0.02 and 0.2, the first with a sensitivity."""
    rng = np.random.default_rng(7)
    moves, error = np.array([0.02, 0.2]), np.array([0.01, 0.05])
    z, days = np.zeros(2), []
    for k in range(120):
        x = 0.02 * rng.standard_normal() if k else 0.0
        z = z + np.array([-6.0, 0.0]) * x + moves * rng.standard_normal(2)
        observed = z + error * rng.standard_normal(2)
        matrix = np.diag(error**-2.0)
        days.append(Information(matrix, matrix @ observed, x))
    return days, moves


def test_the_process_noise_of_a_simulated_path_is_learned(
    simulated: tuple[list[Information], np.ndarray],
) -> None:
    days, moves = simulated
    learned = np.sqrt(learned_process_variance(FilterState.prior(LOW, HIGH), days))
    np.testing.assert_allclose(learned, moves, rtol=0.2)


def test_the_sensitivity_to_returns_is_learned(
    simulated: tuple[list[Information], np.ndarray],
) -> None:
    days, moves = simulated
    state = FilterState.prior(LOW, HIGH)
    for k, day in enumerate(days):
        if k:
            state = state.predicted(day.log_return, moves**2)
        state, _ = state.given(day)
    deviation = np.sqrt(np.diag(state.covariance))[2:]
    assert np.all(np.abs(state.mean[2:] - [-6.0, 0.0]) < 3.0 * deviation)
    assert deviation[0] < 0.2

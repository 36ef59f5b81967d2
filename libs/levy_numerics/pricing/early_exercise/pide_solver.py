"""Tridiagonal equations of one implicit step, with or without an obstacle."""

from typing import Final

import numpy as np

from levy_numerics.jit import compiled_without_lock

_MAX_ITERATIONS: Final = 50
_ROUNDING: Final = 1e-15


@compiled_without_lock
def solve(
    right: np.ndarray,
    diagonal: float,
    low: float,
    up: float,
    ends: tuple[float, float],
    out: np.ndarray,
) -> None:
    """Solve (diagonal + low + up)x_i − low·x_{i−1} − up·x_{i+1} = right_i with both ends given."""
    active = np.zeros(right.size, dtype=np.bool_)
    _solve_policy(right, diagonal, low, up, ends, right, active, out)


@compiled_without_lock
def solve_with_obstacle(
    right: np.ndarray,
    diagonal: float,
    low: float,
    up: float,
    ends: tuple[float, float],
    obstacle: np.ndarray,
    active: np.ndarray,
    out: np.ndarray,
) -> None:
    """Solve the linear complementarity problem of the same equations and x ≥ obstacle.

    Policy iteration: the equation and the obstacle are the two policies of a node, and each
    iteration selects the larger value. `active`, the nodes at the obstacle, is the initial guess
    and is overwritten.
    """
    for _ in range(_MAX_ITERATIONS):
        _solve_policy(right, diagonal, low, up, ends, obstacle, active, out)
        n_changed = 0
        for i in range(1, right.size - 1):
            held = (right[i] + low * out[i - 1] + up * out[i + 1]) / (diagonal + low + up)
            is_active = obstacle[i] > held
            if is_active != active[i] and abs(obstacle[i] - held) > _ROUNDING:
                n_changed += 1
                active[i] = is_active
        if n_changed == 0:
            return


@compiled_without_lock
def _solve_policy(
    right: np.ndarray,
    diagonal: float,
    low: float,
    up: float,
    ends: tuple[float, float],
    obstacle: np.ndarray,
    active: np.ndarray,
    out: np.ndarray,
) -> None:
    n = right.size
    ratio = np.empty(n)
    out[0], ratio[0] = ends[0], 0.0
    for i in range(1, n - 1):
        if active[i]:
            ratio[i], out[i] = 0.0, obstacle[i]
        else:
            pivot = diagonal + low + up - low * ratio[i - 1]
            ratio[i] = up / pivot
            out[i] = (right[i] + low * out[i - 1]) / pivot
    out[n - 1] = ends[1]
    for i in range(n - 2, -1, -1):
        out[i] += ratio[i] * out[i + 1]

"""Linear least squares about a point: the reduction of cost within reach, and damped steps.

One QR factorisation of the Jacobian with the residuals beside it, and one singular value
decomposition of its small triangle, from which the step for any damping follows.
"""

import math
from typing import Final

import numpy as np

from levy_numerics.jit import compiled_in_order

_LONGEST_STEP: Final = 1.5
_Decomposition = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]


@compiled_in_order
def decompose(
    residuals: np.ndarray,
    by_variable: np.ndarray,
    point: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> _Decomposition:
    """Decompose the Jacobian in the variables that are free to move.

    Parameters
    ----------
    residuals : ndarray, shape (m,)
    by_variable : ndarray, shape (n, m)
        Derivatives of the residuals, one row per variable.
    point, low, high : ndarray, shape (n,)

    Returns
    -------
    free : ndarray of bool, shape (n,)
        False for a variable at an end of the box that the gradient pushes out of it.
    u_t_r : ndarray, shape (n_free,)
        The residuals along the left singular vectors.
    singular_values : ndarray, shape (n_free,)
        Decreasing.
    vt : ndarray, shape (n_free, n_free)
        Right singular vectors, as rows.
    reduction : float
        Of cost by the step without damping; NaN where the Jacobian is not finite.
    """
    free = np.empty(len(point), dtype=np.bool_)
    beside = np.empty((len(point) + 1, len(residuals)))
    n, finite = 0, True
    for j in range(len(point)):
        slope = 0.0
        for i in range(len(residuals)):
            beside[n, i] = by_variable[j, i]
            slope += by_variable[j, i] * residuals[i]
        finite = finite and math.isfinite(slope)
        pushed_out = (point[j] <= low[j] and slope > 0.0) or (point[j] >= high[j] and slope < 0.0)
        free[j] = not pushed_out
        n += free[j]
    for i in range(len(residuals)):
        beside[n, i] = residuals[i]
    u_t_r = np.zeros(n)
    if n == 0 or not finite:
        return free, u_t_r, np.zeros(n), np.zeros((n, n)), 0.0 if finite else np.nan
    # The triangle's last column is Qᵀr; below it is what no step can reach.
    _, triangle = np.linalg.qr(beside[: n + 1].T)
    u, singular_values, vt = np.linalg.svd(triangle[:n, :n].copy())
    reduction = 0.0
    for j in range(n):
        for i in range(n):
            u_t_r[j] += triangle[i, n] * u[i, j]
        reduction += 0.5 * u_t_r[j] * u_t_r[j]
    return free, u_t_r, singular_values, vt, reduction


@compiled_in_order
def damped_step(decomposition: _Decomposition, damping: float) -> tuple[np.ndarray, float]:
    """Return the step for a damping of the squared singular values, and the predicted reduction.

    The step, shape (n,), is no longer than `_LONGEST_STEP`.
    """
    free, u_t_r, singular_values, vt, _ = decomposition
    along, square = np.empty(len(u_t_r)), 0.0
    for i in range(len(u_t_r)):
        along[i] = -singular_values[i] / (singular_values[i] ** 2 + damping) * u_t_r[i]
        square += along[i] ** 2
    shrink = min(1.0, _LONGEST_STEP / math.sqrt(square)) if square > 0.0 else 1.0
    predicted = 0.0
    for i in range(len(u_t_r)):
        along[i] *= shrink
        moved = singular_values[i] * along[i]
        predicted -= moved * (u_t_r[i] + 0.5 * moved)
    step, k = np.zeros(len(free)), 0
    for j in range(len(free)):
        if free[j]:
            for i in range(len(along)):
                step[j] += along[i] * vt[i, k]
            k += 1
    return step, max(predicted, np.finfo(np.float64).tiny)

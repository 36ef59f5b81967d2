"""Steps of a quadratic model of the cost in a box.

The model about a point is ½‖r + Jd‖² + ½dᵀSd: Gauss-Newton's where S = 0, otherwise with the
curvature Σᵢ rᵢ∇²rᵢ that Gauss-Newton leaves out. One QR factorisation of the Jacobian with the
residuals beside it reduces each of its problems to a few variables.

References
----------
Dennis, Gay and Welsch (1981), An adaptive nonlinear least-squares algorithm, ACM Transactions on
Mathematical Software 7(3), 348-368, for S. Lawson and Hanson (1995), Solving Least Squares
Problems, SIAM, chapter 23, for bounds on the variables.
"""

import math
from typing import Final

import numpy as np

from levy_numerics.jit import compiled_in_order

# Singular values below this share of the largest are rounding.
_RANK_TOLERANCE: Final = 1e-13
# Least eigenvalue of JᵀJ + S, relative to that of JᵀJ, at which the model has a minimum nearby.
_LEAST_CURVATURE: Final = 1e-3
_NO_REDUCTION: Final = 0.0


@compiled_in_order
def triangle_of(
    residuals: np.ndarray, by_variable: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Reduce residuals and Jacobian to n rows with the same products.

    Parameters
    ----------
    residuals : ndarray, shape (m,)
    by_variable : ndarray, shape (n, m)
        Derivatives of the residuals, one row per variable.

    Returns
    -------
    triangle : ndarray, shape (n, n)
        R of the QR factorisation.
    rotated : ndarray, shape (n,)
        Qᵀr; the rest of the residuals is what no step can reduce.
    is_finite : bool
    """
    n, m = by_variable.shape
    beside = np.empty((m, n + 1))
    finite = True
    for i in range(m):
        for j in range(n):
            beside[i, j] = by_variable[j, i]
            finite = finite and math.isfinite(by_variable[j, i])
        beside[i, n] = residuals[i]
    if not finite:
        return np.zeros((n, n)), np.zeros(n), False
    _, triangle = np.linalg.qr(beside)
    return triangle[:n, :n].copy(), triangle[:n, n].copy(), True


@compiled_in_order
def step_in_box(
    triangle: np.ndarray,
    rotated: np.ndarray,
    curvature: np.ndarray,
    with_curvature: bool,
    low: np.ndarray,
    high: np.ndarray,
    negligible: float,
) -> tuple[np.ndarray, float]:
    """Minimise the model in a box around zero.

    Variables that the step would move beyond a bound are fixed there one after another, and the
    step of the others is recomputed, so that a variable at its bound does not shorten theirs.

    Parameters
    ----------
    triangle, rotated : ndarray, shapes (n, n) and (n,)
    curvature : ndarray, shape (n, n)
        S, symmetric.
    with_curvature : bool
        Whether S counts.
    low, high : ndarray, shape (n,)
        Ends of the step: low ≤ 0 ≤ high.
    negligible : float
        Directions of J whose whole reduction of the cost is less are left alone: there, residuals
        are rounding and steps would be arbitrary. Without S only.

    Returns
    -------
    step : ndarray, shape (n,)
    reduction : float
        Of the model; zero or less where the model with S has no minimum nearby.
    """
    n = len(rotated)
    step, held = np.zeros(n), np.zeros(n, dtype=np.bool_)
    for j in range(n):
        slope = 0.0
        for i in range(n):
            slope += triangle[i, j] * rotated[i]
        held[j] = (low[j] >= 0.0 and slope > 0.0) or (high[j] <= 0.0 and slope < 0.0)
    for _ in range(n):
        free = np.flatnonzero(~held)
        if not len(free):
            break
        # Variables at an end have moved: what they leave of the residuals and of the slope.
        left = rotated.copy()
        for j in range(n):
            for i in range(n):
                left[i] += triangle[i, j] * step[j]
        columns = np.empty((n, len(free)))
        for k in range(len(free)):
            columns[:, k] = triangle[:, free[k]]
        u, singular, vt = np.linalg.svd(columns, False)
        along = np.zeros(len(free))
        for k in range(len(free)):
            for i in range(n):
                along[k] += u[i, k] * left[i]
        if with_curvature:
            exists = _newton(along, singular, vt, curvature, step, free)
            if not exists:
                return np.zeros(n), _NO_REDUCTION
        else:
            for k in range(len(free)):
                matters = 0.5 * along[k] ** 2 > negligible
                determined = singular[k] > _RANK_TOLERANCE * singular[0]
                along[k] = -along[k] / singular[k] if matters and determined else 0.0
        worst, excess, end = -1, 0.0, 0.0
        for k in range(len(free)):
            j, moved = free[k], 0.0
            for i in range(len(free)):
                moved += vt[i, k] * along[i]
            step[j] = moved
            limit = low[j] if moved < 0.0 else high[j]
            beyond = (abs(moved) - abs(limit)) / abs(moved) if moved != 0.0 else 0.0
            if beyond > excess:
                worst, excess, end = j, beyond, limit
        if worst < 0:
            break
        for k in range(len(free)):
            step[free[k]] = 0.0
        held[worst], step[worst] = True, end
    reduction = 0.0
    for i in range(n):
        moved = 0.0
        for j in range(n):
            moved += triangle[i, j] * step[j]
            if with_curvature:
                reduction -= 0.5 * step[i] * curvature[i, j] * step[j]
        reduction -= moved * (rotated[i] + 0.5 * moved)
    return step, reduction


@compiled_in_order
def _newton(
    along: np.ndarray,
    singular: np.ndarray,
    vt: np.ndarray,
    curvature: np.ndarray,
    step: np.ndarray,
    free: np.ndarray,
) -> bool:
    """Replace the residuals along singular vectors by the step of JᵀJ + S along them.

    Returns whether the matrix is positive definite.
    """
    n = len(free)
    hessian, slope = np.zeros((n, n)), np.empty(n)
    for a in range(n):
        slope[a] = singular[a] * along[a]
        hessian[a, a] = singular[a] ** 2
        for k in range(n):
            row, by_held = curvature[free[k]], 0.0
            for j in range(len(step)):
                by_held += row[j] * step[j]
            slope[a] += vt[a, k] * by_held
            for b in range(n):
                for i in range(n):
                    hessian[a, b] += vt[a, k] * row[free[i]] * vt[b, i]
    values, vectors = np.linalg.eigh(hessian)
    if not values[0] > _LEAST_CURVATURE * singular[n - 1] ** 2:
        return False
    for a in range(n):
        along[a] = 0.0
    for k in range(n):
        share = 0.0
        for a in range(n):
            share += vectors[a, k] * slope[a]
        for a in range(n):
            along[a] -= vectors[a, k] * share / values[k]
    return True


@compiled_in_order
def update_curvature(
    curvature: np.ndarray, moved: np.ndarray, by_jacobian: np.ndarray, by_gradient: np.ndarray
) -> bool:
    """Update S by a step; return false, without a change, where the cost has no curvature there.

    Parameters
    ----------
    curvature : ndarray, shape (n, n)
        S, changed in place.
    moved : ndarray, shape (n,)
        The step.
    by_jacobian : ndarray, shape (n,)
        Change of the Jacobian along it, times the residuals after it: what S·step should be.
    by_gradient : ndarray, shape (n,)
        Change of the gradient.
    """
    n = len(moved)
    along = by_step = expected = 0.0
    for i in range(n):
        along += by_gradient[i] * moved[i]
        expected += by_jacobian[i] * moved[i]
        for j in range(n):
            by_step += moved[i] * curvature[i, j] * moved[j]
    if not along > 0.0:
        return False
    # A former S that is too large for this step is shrunk first.
    size = min(1.0, abs(expected / by_step)) if by_step != 0.0 else 1.0
    missing, total = by_jacobian.copy(), 0.0
    for i in range(n):
        for j in range(n):
            missing[i] -= size * curvature[i, j] * moved[j]
        total += missing[i] * moved[i]
    for i in range(n):
        for j in range(n):
            cross = missing[i] * by_gradient[j] + by_gradient[i] * missing[j]
            own = total * by_gradient[i] * by_gradient[j] / along
            curvature[i, j] = size * curvature[i, j] + (cross - own) / along
    return True

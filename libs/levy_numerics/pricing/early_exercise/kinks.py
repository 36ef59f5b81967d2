"""Corrections of sampled functions at a kink or a jump between nodes.

Samples of a smooth function on a uniform grid determine its convolution with a smooth kernel to
spectral accuracy; a kink or a jump between two nodes costs all but one or two orders. The
Euler-Maclaurin expansion gives the error: with ψ the kernel, b = x₀ + θh the location and
f = (x − b)ⁿ₊, the sum h·Σ f(x_j)ψ(x_j) exceeds ∫fψ by Σ_m h^{n+m+1} ζ(−n−m, 1−θ)·ψ^{(m)}(b)/m!,
ζ(−k, a) = −B_{k+1}(a)/(k+1). Adding weights to the six nodes around b whose moments cancel these
terms for m < 6 restores the accuracy.

References
----------
Navot (1961), Journal of Mathematics and Physics 40, 271-276 (the expansion); Lord, Fang, Bervoets
and Oosterlee (2008), SIAM Journal on Scientific Computing 30(4), 1678-1705, section 4 (alignment of
the grid with the discontinuity, which the weights replace).
"""

from math import comb, factorial
from typing import Final

import numpy as np
from scipy.special import bernoulli

NODES: Final = np.arange(-2, 4)
"""Nodes around the location, relative to the last one that does not exceed it."""
_N: Final = NODES.size
_BERNOULLI: Final = bernoulli(16)

_POWERS: Final = np.arange(_N)
_N_DERIVATIVES: Final = 4


def _derivative_matrix() -> np.ndarray:
    """Return the matrix from samples at `NODES` to polynomials of derivatives, (6, 4 · 6)."""
    coefficients = np.linalg.inv(np.vander(NODES, _N, increasing=True).astype(float))
    rows = []
    for _ in range(_N_DERIVATIVES):
        rows.append(coefficients)
        coefficients = np.roll(coefficients * _POWERS[:, None], -1, axis=0)
    return np.concatenate(rows).T


_TO_DERIVATIVES: Final = _derivative_matrix()


def _bernoulli_polynomial(n: int, x: np.ndarray) -> np.ndarray:
    return np.asarray(sum(comb(n, k) * _BERNOULLI[k] * x ** (n - k) for k in range(n + 1)))


def _weights_of_power(n: int, theta: np.ndarray) -> np.ndarray:
    """Return the weights for (x − θ)ⁿ₊ at each θ, shape (len(theta), 6)."""
    k = np.arange(_N) + n + 1
    moments = np.stack([_bernoulli_polynomial(int(i), 1.0 - theta) / i for i in k], axis=-1)
    powers = (NODES - theta[:, None])[:, None, :] ** np.arange(_N)[:, None]
    return np.asarray(np.linalg.solve(powers, moments[..., None])[..., 0])


def _table() -> np.ndarray:
    """Return the weights as polynomials of θ, shape (4, 6, degree + 1), for n = 0 to 3."""
    degree = _N + 3
    theta = 0.5 - 0.5 * np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    powers = np.vander(theta, degree + 1, increasing=True)
    # Divided by n!, so that derivatives multiply them.
    return np.stack(
        [np.linalg.solve(powers, _weights_of_power(n, theta)).T / factorial(n) for n in range(4)]
    )


_TABLE: Final = _table()
_DEGREES: Final = np.arange(_TABLE.shape[-1])


def weights(theta: np.ndarray, jumps: np.ndarray) -> np.ndarray:
    """Return what to add to the nodes around a location, shape (…, 6).

    Parameters
    ----------
    theta : ndarray, shape (…,)
        Location after node 0, in units of the spacing, in [0, 1).
    jumps : ndarray, shape (…, 4)
        Function right of the location minus function left of it, and the same of its first three
        derivatives with respect to the node number.
    """
    powers = theta[..., None] ** _DEGREES
    return np.asarray(jumps[..., None, :] @ (_TABLE @ powers[..., None, :, None])[..., 0])[
        ..., 0, :
    ]


def root(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the root between nodes 0 and 1, and jumps of the positive part there.

    Parameters
    ----------
    samples : ndarray, shape (…, 6)
        A smooth function at `NODES`, not positive at node 0 and positive at node 1.

    Returns
    -------
    theta : ndarray, shape (…,)
    jumps : ndarray, shape (…, 4)
        As `weights` requires; the function itself is continuous.
    """
    polynomials = _polynomials(samples)
    at_zero, at_one = samples[..., 2], samples[..., 3]
    theta = at_zero / (at_zero - at_one)
    for _ in range(2):
        value, slope = np.moveaxis(_evaluate(polynomials[..., :2, :], theta), -1, 0)
        # The slope vanishes only where no root lies between the nodes.
        theta = np.clip(theta - value / np.where(slope == 0.0, np.inf, slope), 0.0, 1.0)
    jumps = _evaluate(polynomials, theta)
    jumps[..., 0] = 0.0
    return theta, jumps


def derivatives(samples: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return a function and its first three derivatives, shape (…, 4).

    Parameters
    ----------
    samples : ndarray, shape (…, 6)
        At `NODES`.
    at : ndarray, shape (…,)
        In units of the spacing; derivatives are with respect to it.
    """
    return _evaluate(_polynomials(samples), at)


def _polynomials(samples: np.ndarray) -> np.ndarray:
    """Return the coefficients of the interpolating polynomial and derivatives, (…, 4, 6)."""
    polynomials = samples @ _TO_DERIVATIVES
    return np.reshape(polynomials, (*samples.shape[:-1], _N_DERIVATIVES, _N))


def _evaluate(polynomials: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the values of polynomials (…, k, 6) at points (…,), shape (…, k)."""
    powers = at[..., None] ** _POWERS
    return np.asarray((polynomials @ powers[..., None])[..., 0])

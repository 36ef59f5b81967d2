"""Cluster-robust covariance: the jackknife over expiries (CR3).

Errors of quotes of one expiry are correlated: a smile that a model misses is missed at adjacent
strikes together, and the forward shifts all of them. Only errors of different expiries are taken
as independent. If Xg are the rows of expiry g of a Jacobian X with orthonormal columns, the fit
without that expiry moves, to first order, by

    δg = (I − XgᵀXg)⁻¹ Xgᵀ rg,

and the covariance of the estimate is (G − 1)/G · Σ δg δgᵀ, with G − 1 degrees of freedom. It needs
no model of the errors: it is right for heteroscedastic ones and includes misfit.

References
----------
Bell and McCaffrey (2002), Bias reduction in standard errors for linear regression with multi-stage
samples, Survey Methodology 28(2), 169-181 (CR3).
MacKinnon, Nielsen and Webb (2023), Cluster-robust inference: a guide to empirical practice, Journal
of Econometrics 232(2), 272-299 (the jackknife and t(G − 1)).
"""

from typing import Final

import numpy as np

from levy_numerics.jit import compiled_in_order
from levy_numerics.market import Contracts

MIN_EXPIRIES: Final = 3
"""Fewer expiries do not show how much they differ: blocks of strikes are the clusters then."""
_N_BLOCKS: Final = 6
# Least share of a direction's information outside of one cluster: a cluster that determines a
# direction alone would have an infinite influence on it.
_LEAST_SHARE: Final = 0.01


def error_clusters(contracts: Contracts) -> np.ndarray:
    """Return the cluster of each quote, 0, 1, …, shape (n,).

    Clusters are expiries, or blocks of adjacent strikes where there are fewer than three expiries.
    """
    maturities, expiry = contracts.by_maturity.maturity_groups
    if maturities.size >= MIN_EXPIRIES:
        return expiry
    n_blocks = _N_BLOCKS // maturities.size
    cluster = np.empty(contracts.size, dtype=int)
    for k in range(maturities.size):
        members = np.flatnonzero(expiry == k)
        by_strike = members[np.argsort(contracts.strike[members], kind="stable")]
        cluster[by_strike] = n_blocks * k + np.arange(members.size) * n_blocks // members.size
    return np.unique(cluster, return_inverse=True)[1]


@compiled_in_order
def jackknife_covariance(
    directions: np.ndarray, residuals: np.ndarray, cluster: np.ndarray
) -> tuple[np.ndarray, int]:
    """Return the covariance of the estimate along orthonormal directions, and its degrees.

    Parameters
    ----------
    directions : ndarray, shape (n, k)
        Orthonormal columns that span the columns of the Jacobian.
    residuals : ndarray, shape (n,)
        Their components along the directions are left out: a fit has none, except in coordinates
        held at a bound.
    cluster : ndarray of int, shape (n,)
        0, 1, …; none is empty.

    Returns
    -------
    covariance : ndarray, shape (k, k)
    degrees_of_freedom : int
        Clusters less one.
    """
    n, size = directions.shape
    n_clusters = cluster.max() + 1
    information = np.zeros((n_clusters, size, size))
    score = np.zeros((n_clusters, size))
    along = np.zeros(size)
    for i in range(n):
        for j in range(size):
            along[j] += directions[i, j] * residuals[i]
    for i in range(n):
        g, residual = cluster[i], residuals[i]
        for j in range(size):
            residual -= along[j] * directions[i, j]
        for j in range(size):
            score[g, j] += directions[i, j] * residual
            for k in range(size):
                information[g, j, k] += directions[i, j] * directions[i, k]
    covariance = np.zeros((size, size))
    for g in range(n_clusters):
        shares, axes = np.linalg.eigh(np.eye(size) - information[g])
        moved = np.zeros(size)
        for k in range(size):
            component = 0.0
            for j in range(size):
                component += axes[j, k] * score[g, j]
            component /= max(shares[k], _LEAST_SHARE)
            for j in range(size):
                moved[j] += axes[j, k] * component
        for j in range(size):
            for k in range(size):
                covariance[j, k] += moved[j] * moved[k]
    return covariance * (n_clusters - 1.0) / n_clusters, n_clusters - 1

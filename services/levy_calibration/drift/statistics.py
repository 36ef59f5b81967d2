"""How far a window of values is from those of training."""

from typing import Final

import numpy as np

N_BINS: Final = 10
_PRIOR: Final = 0.5
"""Values as of training that are added for each bin, so that an empty one is no infinity."""


def psi(values: np.ndarray, quantiles: np.ndarray) -> float:
    """Population stability index Σ (a − e)·ln(a/e) over the deciles of training.

    e and a are shares of training and of the values in each bin; deciles that coincide, where
    training has the same value many times, make one. Samples of training itself have a mean of
    about (bins − 1)/n: n·PSI is then nearly χ² with bins − 1 degrees of freedom.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Finite; n ≥ 1.
    quantiles : ndarray, shape (m,)
        Of training, increasing, each standing for 1/m of it; m a multiple of ten.

    References
    ----------
    Siddiqi (2006), Credit Risk Scorecards, Wiley. Yurdakul and Naranjo (2020), Statistical
    properties of the population stability index, Journal of Risk Model Validation 14(4).
    """
    every = quantiles.size // N_BINS
    edges = np.unique(quantiles[every - 1 :: every])
    edges = edges[edges < quantiles[-1]]
    n_bins = edges.size + 1
    expected = _counts(quantiles, edges, n_bins) / quantiles.size
    counts = _counts(values, edges, n_bins) + _PRIOR * n_bins * expected
    actual = counts / counts.sum()
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def ks(values: np.ndarray, quantiles: np.ndarray) -> float:
    """Kolmogorov-Smirnov statistic: the greatest distance between two distribution functions.

    Parameters
    ----------
    values, quantiles : ndarray
        As for `psi`; m quantiles in place of all of training change it by 1/(2m) at most.
    """
    values, both = np.sort(values), np.concatenate((values, quantiles))
    ours = np.searchsorted(values, both, side="right") / values.size
    theirs = np.searchsorted(quantiles, both, side="right") / quantiles.size
    return float(np.max(np.abs(ours - theirs)))


def outside(values: np.ndarray, quantiles: np.ndarray) -> float:
    """Share of values below the least or above the greatest of the quantiles."""
    return float(np.mean((values < quantiles[0]) | (values > quantiles[-1])))


def _counts(values: np.ndarray, edges: np.ndarray, n_bins: int) -> np.ndarray:
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=n_bins)

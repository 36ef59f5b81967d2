"""Statistics of drift between a window of values and training."""

from typing import Final

import numpy as np

N_BINS: Final = 10
_PRIOR: Final = 0.5
"""Pseudo-count per bin, distributed as in training, so that the index of an empty bin is finite."""


def psi(values: np.ndarray, quantiles: np.ndarray) -> float:
    """Return the population stability index Σ (a − e)·ln(a/e) over the deciles of training.

    e and a are the fractions of training and of the values in each bin; equal deciles, where
    training has a value many times, are one bin. Without drift, n·PSI is approximately χ² with
    bins − 1 degrees of freedom.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Finite; n ≥ 1.
    quantiles : ndarray, shape (m,)
        Quantiles of training, increasing, each for 1/m of it; m is a multiple of ten.

    References
    ----------
    Siddiqi (2006), Credit Risk Scorecards, Wiley. Yurdakul and Naranjo (2020), Statistical
    properties of the population stability index, Journal of Risk Model Validation 14(4).
    """
    step = quantiles.size // N_BINS
    edges = np.unique(quantiles[step - 1 :: step])
    edges = edges[edges < quantiles[-1]]
    n_bins = edges.size + 1
    expected = _counts(quantiles, edges, n_bins) / quantiles.size
    counts = _counts(values, edges, n_bins) + _PRIOR * n_bins * expected
    actual = counts / counts.sum()
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def ks(values: np.ndarray, quantiles: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov statistic, the largest distance of distribution functions.

    Parameters
    ----------
    values, quantiles : ndarray
        As for `psi`; replacing training by m quantiles changes the statistic by at most 1/(2m).
    """
    values, points = np.sort(values), np.concatenate((values, quantiles))
    empirical = np.searchsorted(values, points, side="right") / values.size
    training = np.searchsorted(quantiles, points, side="right") / quantiles.size
    return float(np.max(np.abs(empirical - training)))


def out_of_range_fraction(values: np.ndarray, quantiles: np.ndarray) -> float:
    """Return the fraction of values below the first or above the last quantile."""
    return float(np.mean((values < quantiles[0]) | (values > quantiles[-1])))


def _counts(values: np.ndarray, edges: np.ndarray, n_bins: int) -> np.ndarray:
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=n_bins)

"""Ranks of true values among draws, and the test that the ranks are uniform."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import binom, chi2

N_DRAWS: Final = 99
"""Number of draws for the rank, thinned so that they are nearly independent."""
LEVEL: Final = 0.9
N_BINS: Final = 10


def thinned(values: np.ndarray) -> np.ndarray:
    """Thin the draws of all chains evenly, from shape (n_chains, n_samples) to (N_DRAWS,)."""
    flat = values.ravel()
    return np.asarray(flat[np.linspace(0, flat.size - 1, N_DRAWS).astype(int)])


def rank(truth: float, draws: np.ndarray) -> int:
    """Return the number of draws below the true value."""
    return int(np.sum(draws < truth))


def inside(truth: float, values: np.ndarray) -> bool:
    """Return whether the true value is inside the central 90% interval of the draws."""
    tail = 0.5 * (1.0 - LEVEL)
    low, high = np.quantile(values, (tail, 1.0 - tail))
    return bool(low <= truth <= high)


@dataclass(frozen=True)
class Level:
    """Distribution of the ranks of one parameter.

    Attributes
    ----------
    counts : ndarray, shape (N_BINS,)
        Ranks in bins of equal probability.
    p_value : float
        Of the chi-square test of uniform ranks.
    coverage : float
        Fraction of the true values in their 90% intervals.
    """

    counts: np.ndarray
    p_value: float
    coverage: float

    @classmethod
    def of(cls, ranks: np.ndarray, covered: np.ndarray) -> "Level":
        """Count ranks, each from 0 to `N_DRAWS`, shape (n,).

        Talts, Betancourt, Simpson, Vehtari and Gelman (2018), Validating Bayesian inference
        algorithms with simulation-based calibration, arXiv:1804.06788, algorithm 1.
        """
        counts = np.bincount(ranks * N_BINS // (N_DRAWS + 1), minlength=N_BINS)
        expected = ranks.size / N_BINS
        statistic = float(np.sum((counts - expected) ** 2) / expected)
        return cls(counts, float(chi2.sf(statistic, N_BINS - 1)), float(np.mean(covered)))


def band(n: int) -> tuple[float, float]:
    """Return the central 99% interval of the count of a bin of n uniform ranks."""
    low, high = binom.ppf((0.005, 0.995), n, 1.0 / N_BINS)
    return float(low), float(high)

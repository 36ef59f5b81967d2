"""Pareto-smoothed importance sampling (PSIS): stable weights and a diagnostic of reliability.

References
----------
Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72),
1-58, algorithm 1. Zhang and Stephens (2009), A new and efficient estimation method for the
generalized Pareto distribution, Technometrics 51(3), 316-325.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

# Above it weighted averages are unreliable for any number of draws (Vehtari et al.).
RELIABLE_K: Final = 0.7

_MIN_TAIL_SIZE: Final = 5
# The shape is shrunk towards 0.5 with the weight of 10 draws, as in the paper.
_PRIOR_DRAWS: Final = 10.0
_PRIOR_SHAPE: Final = 0.5


def reliable_k(n_draws: int) -> float:
    """Return the largest k at which weighted averages of `n_draws` draws are reliable.

    References
    ----------
    Vehtari et al. (2024), section 3.2.4: min(1 − 1/log₁₀ S, 0.7).

    Examples
    --------
    >>> round(reliable_k(1024), 2), reliable_k(10_000)
    (0.67, 0.7)
    """
    return min(1.0 - 1.0 / math.log10(max(n_draws, 2)), RELIABLE_K)


@dataclass(frozen=True)
class SmoothedWeights:
    """Importance weights with a smoothed tail.

    Attributes
    ----------
    log_weights : ndarray, shape (n,)
        Normalised: the weights sum to 1.
    pareto_k : float
        Shape of the generalised Pareto distribution of the largest ratios; infinite if the tail is
        too short to estimate it. Weights have 1/k finite moments.
    """

    log_weights: np.ndarray
    pareto_k: float

    @property
    def weights(self) -> np.ndarray:
        """Normalised weights, shape (n,)."""
        return np.asarray(np.exp(self.log_weights))

    @property
    def effective_size(self) -> float:
        """Effective sample size, 1/Σw²."""
        return 1.0 / float(np.sum(self.weights**2))


def smooth(log_ratios: np.ndarray) -> SmoothedWeights:
    """Replace the largest ratios by the quantiles of a generalised Pareto distribution.

    Parameters
    ----------
    log_ratios : ndarray, shape (n,)
        log of target over proposal, up to a constant; −∞ where the target is zero.

    Examples
    --------
    >>> weights = smooth(np.zeros(100))
    >>> round(weights.effective_size, 6)
    100.0
    """
    n = log_ratios.size
    log_weights = np.nan_to_num(log_ratios, nan=-np.inf, posinf=np.inf)
    log_weights = log_weights - log_weights.max()
    n_tail = math.ceil(min(0.2 * n, 3.0 * math.sqrt(n)))
    order = np.argsort(log_weights, kind="stable")
    cutoff = max(log_weights[order[-n_tail - 1]], math.log(np.finfo(float).tiny))
    tail = order[-n_tail:][log_weights[order[-n_tail:]] > cutoff]
    k = math.inf
    if tail.size >= _MIN_TAIL_SIZE:
        k, scale = fit_generalised_pareto(np.exp(log_weights[tail]) - math.exp(cutoff))
        if math.isfinite(k):
            excess = _quantiles((np.arange(tail.size) + 0.5) / tail.size, k, scale)
            # Smoothed ratios are truncated at the largest observed ratio.
            log_weights[tail] = np.minimum(np.log(excess + math.exp(cutoff)), 0.0)
    return SmoothedWeights(log_weights - _log_sum(log_weights), k)


def resample(weights: np.ndarray, rng: np.random.Generator, n: int) -> np.ndarray:
    """Return indices of n draws with equal weights, by systematic resampling; shuffled."""
    positions = (np.arange(n) + rng.uniform()) / n
    cumulated = np.cumsum(weights)
    indices = np.searchsorted(cumulated / cumulated[-1], positions, side="right")
    return np.asarray(rng.permutation(np.minimum(indices, weights.size - 1)))


def fit_generalised_pareto(excess: np.ndarray) -> tuple[float, float]:
    """Return shape k and scale σ by Zhang and Stephens' posterior mean.

    Parameters
    ----------
    excess : ndarray, shape (n,)
        Positive, increasing.
    """
    n = excess.size
    size = 30 + int(math.sqrt(n))
    quartile = excess[int(0.25 * n + 0.5) - 1]
    b = 1.0 / excess[-1] + (1.0 - np.sqrt(size / (np.arange(size) + 0.5))) / (3.0 * quartile)
    with np.errstate(divide="ignore", invalid="ignore"):
        k = np.log1p(-b[:, None] * excess).mean(axis=1)
        log_likelihood = n * (np.log(-b / k) - k - 1.0)
    log_likelihood = np.where(np.isfinite(log_likelihood), log_likelihood, -np.inf)
    if not np.any(np.isfinite(log_likelihood)):
        return math.inf, math.inf
    likelihood = np.exp(log_likelihood - log_likelihood.max())
    mean_b = float(b @ likelihood / likelihood.sum())
    shape = float(np.log1p(-mean_b * excess).mean())
    shrunk = (n * shape + _PRIOR_DRAWS * _PRIOR_SHAPE) / (n + _PRIOR_DRAWS)
    return shrunk, -shape / mean_b


def _quantiles(probability: np.ndarray, k: float, scale: float) -> np.ndarray:
    if abs(k) < np.finfo(float).eps:
        return np.asarray(-scale * np.log1p(-probability))
    # Quantiles of very heavy tails may overflow: the caller truncates them.
    with np.errstate(over="ignore"):
        return np.asarray(scale * np.expm1(-k * np.log1p(-probability)) / k)


def _log_sum(log_weights: np.ndarray) -> float:
    largest = float(log_weights.max())
    return largest + math.log(float(np.exp(log_weights - largest).sum()))

"""Proper scores of predictive distributions, and the weights of a mixture of them.

References
----------
Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, Journal of
the American Statistical Association 102, 359-378.
Yao, Vehtari, Simpson and Gelman (2018), Using stacking to average Bayesian predictive
distributions, Bayesian Analysis 13(3), 917-1007.
"""

import math
from typing import Final

import numpy as np
from scipy.special import logsumexp, ndtr

# The mean log score rises by less than this at the last step.
_TOLERANCE: Final = 1e-10
_MAX_STEPS: Final = 10_000


def normal_log_density(error: np.ndarray, deviation: np.ndarray | float) -> np.ndarray:
    """Return the log density of normal predictions, whose mean is off by `error`."""
    z = error / deviation
    return np.asarray(-0.5 * z**2 - np.log(deviation) - 0.5 * math.log(2.0 * math.pi))


def normal_crps(error: np.ndarray, deviation: np.ndarray | float) -> np.ndarray:
    """Return the continuous ranked probability score of normal predictions, in their unit.

    Gneiting and Raftery (2007), section 4.2, with the sign for which smaller is better.
    """
    z = error / deviation
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    return np.asarray(deviation * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - math.pi**-0.5))


def interval_score(
    low: np.ndarray, high: np.ndarray, value: np.ndarray, level: float
) -> np.ndarray:
    """Return the interval score: width, and 2/(1 − level) times the distance of values outside.

    Gneiting and Raftery (2007), eq. (43).

    Parameters
    ----------
    low, high, value : ndarray, shape (n,)
    level : float
        Stated coverage of the intervals.
    """
    outside = np.maximum(low - value, 0.0) + np.maximum(value - high, 0.0)
    return np.asarray(high - low + 2.0 / (1.0 - level) * outside)


def stacking_weights(log_densities: np.ndarray) -> np.ndarray:
    """Return the weights of the mixture of models with the largest mean log score.

    The problem is concave. A step of expectation-maximisation multiplies each weight by the mean
    share of its model in the mixture's density, and never lowers the score.

    Parameters
    ----------
    log_densities : ndarray, shape (n_models, n_points)
        Of points held out.

    Returns
    -------
    ndarray, shape (n_models,)
    """
    log_weights = np.full(len(log_densities), -math.log(len(log_densities)))
    score = -math.inf
    for _ in range(_MAX_STEPS):
        parts = log_weights[:, None] + log_densities
        mixture = logsumexp(parts, axis=0)
        previous, score = score, float(mixture.mean())
        if score - previous < _TOLERANCE:
            break
        log_weights = logsumexp(parts - mixture, axis=1) - math.log(mixture.size)
    return np.asarray(np.exp(log_weights))

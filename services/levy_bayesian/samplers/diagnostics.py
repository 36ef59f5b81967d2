"""Diagnostics during sampling."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from levy_schemas.finite import finite_or_none
from levy_schemas.jobs import Diagnostics

_MIN_DRAWS: Final = 100
"""Draws of a chain below which R-hat is not meaningful."""
_ACCEPTANCE_WINDOW: Final = 100
"""Draws of a chain over which the acceptance rate is averaged."""


def split_r_hat(chains: np.ndarray) -> float | None:
    """Return the largest split R-hat over all coordinates, None for too few draws.

    Not rank-normalised, unlike that of the final summary, so that its cost is negligible.

    Parameters
    ----------
    chains : ndarray, shape (n_chains, n_samples, size)

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, third edition, section 11.4.
    """
    half = chains.shape[1] // 2
    if 2 * half < _MIN_DRAWS:
        return None
    halves = np.concatenate([chains[:, :half], chains[:, half : 2 * half]])
    within = halves.var(axis=1, ddof=1).mean(axis=0)
    between = halves.mean(axis=1).var(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.max(between / within))
    return finite_or_none(math.sqrt((half - 1.0) / half + ratio)) if ratio >= 0.0 else None


def chain_diagnostics(
    chains: np.ndarray, statistics: Mapping[str, np.ndarray], step_sizes: Sequence[float] = ()
) -> Diagnostics:
    """Return the diagnostics of the chains so far.

    Parameters
    ----------
    chains : ndarray, shape (n_chains, n_samples, size)
        Draws after warm-up, as many of each chain as the slowest has; may be empty.
    statistics : mapping of str to ndarray, each of shape (n_chains, n_all)
        `diverging` and `acceptance_rate`, warm-up included.
    step_sizes : sequence of float
    """
    n = chains.shape[1]
    diverging = statistics["diverging"]
    accepted = statistics["acceptance_rate"][:, -_ACCEPTANCE_WINDOW:]
    return Diagnostics(
        draws=chains.shape[0] * n,
        r_hat=split_r_hat(chains),
        divergences=int(diverging[:, diverging.shape[1] - n :].sum()),
        acceptance_rate=finite_or_none(float(np.mean(accepted))) if accepted.size else None,
        step_size=finite_or_none(float(np.mean(step_sizes))) if len(step_sizes) else None,
    )


def elbo_diagnostics(elbo: float) -> Diagnostics:
    """Return the diagnostics of a variational fit so far."""
    return Diagnostics(elbo=finite_or_none(elbo))


def weight_diagnostics(pareto_k: float | None) -> Diagnostics:
    """Return the diagnostics of weighted draws; an infinite k (too short a tail) becomes None."""
    return Diagnostics(pareto_k=None if pareto_k is None else finite_or_none(pareto_k))

"""Importance resampling of normal variational approximations."""

from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from levy_bayesian.samplers.sampler import Draws, SamplingPlan, WeightedPoints
from levy_bayesian.samplers.target import N_PROGRAMS, Density, Geometry, Shapes, Target
from levy_numerics.inference.psis import resample, smooth

RESAMPLED_GUIDE: Final = (
    "importance resampling: independent draws of a normal fitted by variational inference, "
    "resampled by Pareto-smoothed weights of the exact posterior"
)
_N_WEIGHTED: Final = 4096
_BATCH: Final = 64


@lru_cache(maxsize=N_PROGRAMS)
def _log_densities(density: Density, _shapes: Shapes) -> Any:
    @jax.jit
    def at(v: Any, geometry: Geometry) -> Any:
        return jax.lax.map(lambda point: density(point, geometry), v, batch_size=_BATCH)

    return at


def weighted_draws(
    target: Target, centre: np.ndarray, factor: np.ndarray, plan: SamplingPlan
) -> Draws:
    """Return draws of N(centre, factor·factorᵀ) in v, resampled by their importance weights.

    Parameters
    ----------
    target : Target
    centre : ndarray, shape (size,)
    factor : ndarray, shape (size, size)
    plan : SamplingPlan
    """
    rng = np.random.default_rng(plan.seed)
    standard = rng.standard_normal((_N_WEIGHTED, target.size))
    v = centre + standard @ factor.T
    log_target = _log_densities(target.density, target.shapes)(jnp.asarray(v), target.geometry)
    smoothed = smooth(np.asarray(log_target) + 0.5 * (standard**2).sum(axis=1))
    shape = (plan.n_chains, plan.n_samples)
    chosen = resample(smoothed.weights, rng, plan.n_chains * plan.n_samples)
    return replace(
        target.draws(v[chosen].reshape(*shape, -1), {}),
        pareto_k=smoothed.pareto_k,
        effective_sample_size=smoothed.effective_size,
        n_weighted=_N_WEIGHTED,
        weighted=WeightedPoints(target.points(v), smoothed.log_weights),
    )

"""Laplace's approximation, importance-weighted against the exact posterior."""

from typing import Final

import numpy as np

from levy_bayesian.progress import Progress, Standing
from levy_bayesian.samplers.diagnostics import of_weights
from levy_bayesian.samplers.sampler import (
    Draws,
    Sampler,
    SamplingPlan,
    WeightedPoints,
    register,
)
from levy_numerics.calibration import calibrate
from levy_numerics.inference.adaptive_importance import importance_sample
from levy_numerics.inference.posterior import Posterior

_ADAPTATIONS: Final = 12


@register
class LaplacePsis(Sampler):
    """Tens of milliseconds, or a second where the posterior is bent; `pareto_k` says if to believe.

    Draws are the weighted ones, drawn again so that they count alike: of a thousand independent
    points or a few, many a time each.
    """

    name = "laplace-psis"
    method = (
        "importance resampling: draws of a Laplace approximation and of transport maps fitted to "
        "it, resampled by Pareto-smoothed weights of the exact posterior"
    )
    packages = ("numpy", "scipy")

    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: Progress) -> Draws:
        fit = calibrate(posterior.model_type, posterior.quotes)
        progress(Standing(0.3))
        found = importance_sample(posterior, fit.model, n_adaptations=_ADAPTATIONS, seed=plan.seed)
        progress(Standing(0.9, of_weights(found.pareto_k)))
        shape = (plan.n_chains, plan.n_samples)
        chosen = found.resample(np.random.default_rng(plan.seed), plan.n_chains * plan.n_samples)
        points = found.points[:, chosen].T.reshape(*shape, -1)
        progress(Standing(1.0))
        return Draws(
            points,
            pareto_k=found.pareto_k,
            n_independent=found.smoothed.effective_size,
            n_weighed=found.noise.size,
            weighted=WeightedPoints(found.points.T, found.smoothed.log_weights),
            settled=found.adaptation_converged,
        )

"""Laplace's approximation, importance-weighted against the exact posterior."""

from typing import Final

import numpy as np

from levy_bayesian.progress import Progress, ProgressCallback
from levy_bayesian.samplers.diagnostics import weight_diagnostics
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
    """Takes tens of milliseconds, or a second for curved posteriors; `pareto_k` is the diagnostic.

    Draws are a resample of the weighted ones, so that points may be repeated.
    """

    name = "laplace-psis"
    method = (
        "importance resampling: draws of a Laplace approximation and of transport maps fitted to "
        "it, resampled by Pareto-smoothed weights of the exact posterior"
    )
    packages = ("numpy", "scipy")

    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: ProgressCallback) -> Draws:
        fit = calibrate(posterior.model_type, posterior.quotes)
        progress(Progress(0.3))
        weighted = importance_sample(
            posterior, fit.model, n_adaptations=_ADAPTATIONS, seed=plan.seed
        )
        progress(Progress(0.9, weight_diagnostics(weighted.pareto_k)))
        shape = (plan.n_chains, plan.n_samples)
        chosen = weighted.resample(np.random.default_rng(plan.seed), plan.n_chains * plan.n_samples)
        points = weighted.points[:, chosen].T.reshape(*shape, -1)
        progress(Progress(1.0))
        return Draws(
            points,
            pareto_k=weighted.pareto_k,
            effective_sample_size=weighted.smoothed.effective_size,
            n_weighted=weighted.noise.size,
            weighted=WeightedPoints(weighted.points.T, weighted.smoothed.log_weights),
            adaptation_converged=weighted.adaptation_converged,
        )

"""Engines that draw from a posterior, by name."""

from levy_bayesian.samplers import laplace_psis, numpyro_nuts
from levy_bayesian.samplers.sampler import Draws, Progress, Sampler, SamplingPlan, get, names

__all__ = [
    "Draws",
    "Progress",
    "Sampler",
    "SamplingPlan",
    "get",
    "laplace_psis",
    "names",
    "numpyro_nuts",
]

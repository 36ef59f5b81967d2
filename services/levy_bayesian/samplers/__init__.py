"""Engines that draw from a posterior, by name; each is imported when it is first asked for."""

from levy_bayesian.samplers.sampler import Draws, Sampler, SamplingPlan, get, names

__all__ = ["Draws", "Sampler", "SamplingPlan", "get", "names"]

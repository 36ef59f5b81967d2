"""Samplers by name; each is imported at its first use."""

from levy_bayesian.samplers.sampler import Draws, Sampler, SamplingPlan, get, names

__all__ = ["Draws", "Sampler", "SamplingPlan", "get", "names"]

"""Bayesian jobs: the posterior of a model's parameters, given quotes."""

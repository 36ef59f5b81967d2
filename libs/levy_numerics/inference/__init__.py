"""Bayesian inference: priors, posterior, unconstrained coordinates, importance sampling."""

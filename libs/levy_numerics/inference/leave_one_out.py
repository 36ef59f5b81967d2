"""Densities of each quote given the others, for leave-one-out cross-validation.

With independent errors, quotes are independent given the parameters, and the density is that of a
quote. With correlated errors of covariance C it is the conditional density of a multivariate
normal, whose mean and variance follow from one inverse: for the vector e of errors,

    E[eᵢ | e₋ᵢ] = eᵢ − gᵢ/cᵢᵢ,    Var[eᵢ | e₋ᵢ] = 1/cᵢᵢ,    g = C⁻¹e,    cᵢᵢ = [C⁻¹]ᵢᵢ.

References
----------
Sundararajan and Keerthi (2001), Predictive approaches for choosing hyperparameters in Gaussian
processes, Neural Computation 13(5), 1103-1118.
Bürkner, Gabry and Vehtari (2021), Efficient leave-one-out cross-validation for Bayesian
non-factorized normal and Student-t models, Computational Statistics 36, 1243-1261, section 3.1.
"""

import math

import numpy as np
from scipy import stats
from scipy.linalg import cholesky, solve_triangular

from levy_numerics.inference.posterior import Posterior


def log_conditional_densities(
    posterior: Posterior, prices: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """Return log p(yᵢ | y₋ᵢ, θ, τ) of each quoted price, in units of 1/currency.

    The hyperparameters of the discrepancy are fixed at their estimates from all quotes. Correlated
    errors count with the weight p of `Whitening`, as in the posterior, without which the ratio of
    the posteriors with and without a quote has no finite variance: the density is that of errors
    1/√p as wide.

    Parameters
    ----------
    posterior : Posterior
    prices : ndarray, shape (n_draws, n_quotes)
        Of the model, at draws θ of the parameters.
    noise : ndarray, shape (n_draws,)
        τ of each draw.

    Returns
    -------
    ndarray, shape (n_draws, n_quotes)
    """
    errors = (prices - posterior.quotes.price) / posterior.scale
    tau = noise[:, None]
    if posterior.correlated is None:
        degrees = posterior.degrees_of_freedom
        distribution = stats.norm if math.isinf(degrees) else stats.t(degrees)
        log_density = distribution.logpdf(errors / tau) - np.log(tau)
    else:
        factor = posterior.correlated.discrepancy.factor(posterior.correlated.by_vol)
        deviations, precision = leave_one_out_errors(errors, factor)
        standard = posterior.correlated.whitening.root_weight * np.sqrt(precision) / tau
        log_density = stats.norm.logpdf(deviations * standard) + np.log(standard)
    return np.asarray(log_density - np.log(posterior.scale))


def leave_one_out_errors(errors: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eᵢ − E[eᵢ | e₋ᵢ] and 1/Var[eᵢ | e₋ᵢ] for errors of covariance I + VVᵀ.

    By the Woodbury identity, (I + VVᵀ)⁻¹ = I − V(I + VᵀV)⁻¹Vᵀ: n × n matrices are not formed.

    Parameters
    ----------
    errors : ndarray, shape (…, n)
    factor : ndarray, shape (n, m)
        V.

    Returns
    -------
    deviations : ndarray, shape (…, n)
    precision : ndarray, shape (n,)
    """
    inner = cholesky(np.eye(factor.shape[1]) + factor.T @ factor, lower=True)
    root = solve_triangular(inner, factor.T, lower=True)
    precision = 1.0 - np.sum(root**2, axis=0)
    return (errors - (errors @ root.T) @ root) / precision, precision

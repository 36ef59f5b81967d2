"""Leave-one-out densities against conditionals of dense multivariate distributions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, t

from levy_numerics.inference.correlated_errors import CorrelatedErrors
from levy_numerics.inference.leave_one_out import log_conditional_densities
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Quotes
from levy_numerics.models import BlackScholes
from tests.numerics.inference.test_correlated_errors import N, correlated, dense, quotes

__all__ = ["correlated", "quotes"]  # fixtures

SCALE = np.linspace(0.5, 2.0, N)
TAU = np.array([0.7, 1.3])


@pytest.fixture(scope="module")
def posterior(quotes: Quotes, correlated: CorrelatedErrors) -> Posterior:
    return Posterior(Priors.default(BlackScholes), quotes, SCALE, 0.7, correlated=correlated)


@pytest.fixture(scope="module")
def prices(quotes: Quotes) -> np.ndarray:
    return quotes.price + np.random.default_rng(5).standard_normal((2, N))


def test_a_density_is_the_joint_one_over_that_of_the_other_quotes(
    posterior: Posterior, prices: np.ndarray, correlated: CorrelatedErrors
) -> None:
    densities = log_conditional_densities(posterior, prices, TAU)
    for k, tau in enumerate(TAU):
        # The weight of the squared errors widens them.
        width = tau / correlated.whitening.root_weight
        covariance = width**2 * SCALE[:, None] * dense(correlated) * SCALE
        joint = multivariate_normal(prices[k], covariance).logpdf(posterior.quotes.price)
        for i in range(0, N, 7):
            others = np.delete(np.arange(N), i)
            marginal = multivariate_normal(prices[k, others], covariance[np.ix_(others, others)])
            expected = joint - marginal.logpdf(posterior.quotes.price[others])
            # The process is constant in cells, of one quote each here, and has a jitter of 1e-10.
            assert densities[k, i] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("degrees", "distribution"), [(np.inf, norm), (4.0, t(4.0))])
def test_independent_quotes_have_their_own_density(
    posterior: Posterior, prices: np.ndarray, degrees: float, distribution: object
) -> None:
    independent = replace(posterior, correlated=None, degrees_of_freedom=degrees)
    densities = log_conditional_densities(independent, prices, TAU)
    unit = TAU[:, None] * SCALE
    errors = (posterior.quotes.price - prices) / unit
    expected = distribution.logpdf(errors) - np.log(unit)  # type: ignore[attr-defined]
    np.testing.assert_allclose(densities, expected, rtol=1e-12)

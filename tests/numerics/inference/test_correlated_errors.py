"""Correlated errors against dense algebra, and the coverage of their posteriors."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, t

from levy_numerics.calibration import calibrate
from levy_numerics.calibration.discrepancy import Discrepancy
from levy_numerics.errors import InvalidInputError
from levy_numerics.implied_volatility import black_prices
from levy_numerics.inference.correlated_errors import CorrelatedErrors
from levy_numerics.inference.laplace import laplace
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes

STRIKES = 100.0 * np.exp(np.linspace(-0.2, 0.15, 8))
CONTRACTS = Contracts.grid(
    spot=100.0, rate=0.0, dividend_yield=0.0, strikes=STRIKES, maturities=np.linspace(0.25, 2.0, 6)
)
OTHERS = Contracts.grid(
    spot=100.0, rate=0.0, dividend_yield=0.0, strikes=[85.0, 101.0], maturities=[0.25, 0.8]
)
VOL, NOISE = 0.2, 0.7
N = CONTRACTS.size


def kernel(first: Contracts, second: Contracts, discrepancy: Discrepancy) -> np.ndarray:
    """Return the covariance by its formula; all volatilities are `VOL`."""
    (x, years), (y, other_years) = (
        (np.log(c.strike / c.forward) / (VOL * np.sqrt(c.maturity_years)), c.maturity_years)
        for c in (first, second)
    )
    strikes = np.abs(x[:, None] - y)
    times = np.abs(np.log(years)[:, None] - np.log(other_years))
    k = discrepancy.kernel
    within = k.within * np.exp(-strikes / k.short) * (years[:, None] == other_years)
    return np.asarray(within + k.across * np.exp(-strikes / (2.0 * k.long) - times / k.long))


@pytest.fixture(scope="module")
def quotes() -> Quotes:
    return Quotes.of(CONTRACTS, black_prices(np.full(N, VOL), CONTRACTS))


@pytest.fixture(scope="module")
def correlated(quotes: Quotes) -> CorrelatedErrors:
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((N, 2)))[0]
    residuals = rng.standard_normal(N) + np.repeat(rng.standard_normal(6), 8)
    by_vol = np.exp(0.3 * rng.standard_normal(N))
    discrepancy = Discrepancy.of(directions, residuals, by_vol, np.full(N, VOL), CONTRACTS)
    return CorrelatedErrors.of(discrepancy, quotes, np.linspace(0.5, 2.0, N))


def dense(correlated: CorrelatedErrors) -> np.ndarray:
    """Return the covariance of the errors in units of τ²."""
    d = correlated.by_vol / correlated.discrepancy.unit
    between = kernel(CONTRACTS, CONTRACTS, correlated.discrepancy)
    return np.asarray(np.eye(N) + d[:, None] * between * d)


def test_the_likelihood_of_whitened_errors_is_the_multivariate_normal_one(
    quotes: Quotes, correlated: CorrelatedErrors
) -> None:
    scale = np.linspace(0.5, 2.0, N)
    posterior = Posterior(Priors.default(BlackScholes), quotes, scale, 1.0, correlated=correlated)
    errors = np.random.default_rng(1).standard_normal((5, N))
    noise = np.array([0.5, 0.7, 1.0, 1.5, 2.0])
    levels = posterior.log_likelihood(quotes.price + scale * errors, noise)
    expected = np.array(
        [
            multivariate_normal(cov=tau**2 * dense(correlated)).logpdf(e)
            for tau, e in zip(noise, errors, strict=True)
        ]
    )
    # Five degrees of freedom: normal intervals of 95% are as wide as those of Student's t.
    weight = (1.959964 / t.ppf(0.975, 5)) ** 2
    square = correlated.discrepancy.square
    logs = N * np.log(noise)
    normal = weight * (expected + logs) - logs - 0.5 * (1.0 - weight) * square / noise**2
    np.testing.assert_allclose(np.diff(levels), np.diff(normal), rtol=1e-6)


def test_the_least_square_is_that_of_generalised_least_squares() -> None:
    rng = np.random.default_rng(4)
    directions = np.linalg.qr(rng.standard_normal((N, 2)))[0]
    residuals, by_vol = rng.standard_normal(N), np.exp(0.3 * rng.standard_normal(N))
    discrepancy = Discrepancy.of(directions, residuals, by_vol, np.full(N, VOL), CONTRACTS)
    d = by_vol / discrepancy.unit
    inverse = np.linalg.inv(np.eye(N) + d[:, None] * kernel(CONTRACTS, CONTRACTS, discrepancy) * d)
    best = np.linalg.solve(directions.T @ inverse @ directions, directions.T @ inverse @ residuals)
    left = residuals - directions @ best
    assert discrepancy.square == pytest.approx(left @ inverse @ left, rel=1e-6)


def test_student_t_errors_are_not_combined_with_a_discrepancy(
    quotes: Quotes, correlated: CorrelatedErrors
) -> None:
    with pytest.raises(InvalidInputError, match="requires normal errors"):
        Posterior.of(
            quotes,
            Priors.default(BlackScholes),
            degrees_of_freedom=4.0,
            discrepancy=correlated.discrepancy,
        )


def test_errors_of_other_options_have_the_conditional_normal_distribution(
    correlated: CorrelatedErrors,
) -> None:
    errors = np.random.default_rng(2).standard_normal((3, N))
    mean, deviation = correlated.vol_errors(OTHERS, errors)
    discrepancy = correlated.discrepancy
    d = correlated.by_vol / discrepancy.unit
    to_others = kernel(OTHERS, CONTRACTS, discrepancy) * d
    gain = to_others @ np.linalg.inv(dense(correlated))
    variance = np.diag(kernel(OTHERS, OTHERS, discrepancy) - gain @ to_others.T)
    np.testing.assert_allclose(mean, errors @ gain.T / discrepancy.unit, rtol=1e-6)
    np.testing.assert_allclose(deviation, np.sqrt(variance) / discrepancy.unit, rtol=1e-6)


def test_the_mode_is_that_of_generalised_least_squares(quotes: Quotes) -> None:
    """Black-Scholes is nearly linear in σ: estimate and variance are GLS's."""
    market = _market(np.random.default_rng(3))
    fit = calibrate(BlackScholes, market, weights="vega")
    discrepancy = fit.discrepancy()
    assert discrepancy is not None
    posterior = Posterior.of(
        market, Priors.default(BlackScholes), weights="vega", noise=0.004, discrepancy=discrepancy
    )
    assert posterior.correlated is not None
    mode = laplace(posterior, fit.model)
    inverse = np.linalg.inv(dense(posterior.correlated))
    sigma = np.exp(0.5 * mode.centre[0])
    by_vol = posterior.correlated.by_vol
    errors = (black_prices(np.full(N, sigma), CONTRACTS) - market.price) / posterior.scale
    weight = (1.959964 / t.ppf(0.975, 5)) ** 2
    information = weight * float(by_vol @ inverse @ by_vol) / 0.004**2
    assert abs(by_vol @ inverse @ errors) * weight / 0.004**2 < 0.1 * information**0.5
    # In the coordinate 2·ln σ.
    deviation = 2.0 / (sigma * np.sqrt(information))
    assert mode.covariance[0, 0] == pytest.approx(deviation**2, rel=0.05)


def _market(rng: np.random.Generator) -> Quotes:
    """Return quotes of a smile that deviates smoothly from `VOL`, with noise."""
    x = np.log(CONTRACTS.strike / CONTRACTS.forward) / (VOL * np.sqrt(CONTRACTS.maturity_years))
    times = np.log(CONTRACTS.maturity_years)
    apart = np.abs(x[:, None] - x), np.abs(times[:, None] - times)
    covariance = np.exp(-apart[0] - apart[1]) + 1e-10 * np.eye(N)
    smooth = np.linalg.cholesky(covariance) @ rng.standard_normal(N)
    vols = VOL + 0.006 * smooth + 0.001 * rng.standard_normal(N)
    return Quotes.of(CONTRACTS, black_prices(vols, CONTRACTS))


@pytest.mark.long
def test_posteriors_cover_under_a_smooth_discrepancy() -> None:
    """Independent errors cover in a third, correlated ones in at least 88 of 100."""
    hits = {"independent": 0, "correlated": 0}
    n = 100
    for seed in range(n):
        market = _market(np.random.default_rng(seed))
        fit = calibrate(BlackScholes, market, weights="vega")
        for name, discrepancy in (("independent", None), ("correlated", fit.discrepancy())):
            posterior = Posterior.of(
                market, Priors.default(BlackScholes), weights="vega", discrepancy=discrepancy
            )
            mode = laplace(posterior, fit.model)
            error = abs(mode.centre[0] - 2.0 * np.log(VOL))
            hits[name] += int(error < 1.96 * np.sqrt(mode.covariance[0, 0]))
    assert hits["correlated"] >= 0.88 * n, hits
    assert hits["independent"] <= 0.6 * n, hits


def test_few_quotes_have_no_discrepancy() -> None:
    few = CONTRACTS.select(np.arange(3))
    fit = calibrate(BlackScholes, Quotes.of(few, black_prices(np.array([0.2, 0.21, 0.22]), few)))
    assert fit.discrepancy() is None

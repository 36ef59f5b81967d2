"""Pareto smoothing against ArviZ, and weighted draws against posteriors by quadrature."""

import importlib
import math
import warnings

import numpy as np
import pytest

from levy_numerics import models, pricing
from levy_numerics.calibration import calibrate
from levy_numerics.distributions import LogNormal
from levy_numerics.inference.adaptive_importance import importance_sample, weighted_quantiles
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.inference.psis import RELIABLE_K, reliable_k, resample, smooth
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes, VarianceGamma
from levy_numerics.pricing.sinh import SinhPricer

CONTRACTS = Contracts.grid(
    spot=100.0,
    rate=0.02,
    dividend_yield=0.0,
    strikes=np.linspace(80.0, 120.0, 9),
    maturities=[0.25, 1.0],
)


def noisy(model: models.Model, noise: float, seed: int = 2) -> Quotes:
    prices = pricing.price(model, CONTRACTS).value
    errors = noise * 100.0 * np.random.default_rng(seed).standard_normal(prices.size)
    return Quotes.of(CONTRACTS, np.maximum(prices + errors, 0.0))


@pytest.mark.parametrize("tail", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("n", [60, 1000])
def test_smoothed_weights_and_shape_are_those_of_arviz(tail: float, n: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ArviZ warns about its successor on import.
        arviz = pytest.importorskip("arviz")
    log_ratios = tail * np.random.default_rng(n).standard_exponential(n)
    if arviz.__version__.startswith("0."):
        (expected, k), tolerance = arviz.psislw(log_ratios), 1e-10
    else:  # ArviZ 1.0 takes log likelihoods, and rounds the number of draws in the tail down.
        array_stats = importlib.import_module("arviz_stats.base").array_stats
        (expected, k), tolerance = array_stats.psislw(-log_ratios), 1e-10 if n == 60 else 0.05
    found = smooth(log_ratios)
    np.testing.assert_allclose(found.log_weights, expected, rtol=tolerance, atol=tolerance)
    assert found.pareto_k == pytest.approx(float(k), rel=tolerance, abs=tolerance)


def test_the_shape_is_that_of_the_ratios() -> None:
    # exp(a·E), E exponential, is Pareto of shape a.
    log_ratios = 0.4 * np.random.default_rng(0).standard_exponential(50_000)
    assert smooth(log_ratios).pareto_k == pytest.approx(0.4, abs=0.1)


def test_fewer_draws_are_reliable_for_a_smaller_shape() -> None:
    # Vehtari et al. (2024), section 3.2.4.
    assert reliable_k(100) == pytest.approx(0.5)
    assert reliable_k(1000) == pytest.approx(2.0 / 3.0)
    assert reliable_k(10_000) == reliable_k(10**6) == RELIABLE_K


def test_ratios_that_vanish_get_no_weight() -> None:
    log_ratios = np.random.default_rng(0).standard_normal(500)
    log_ratios[:200] = -np.inf
    weights = smooth(log_ratios).weights
    assert np.all(weights[:200] == 0.0)
    assert weights.sum() == pytest.approx(1.0)


def test_too_few_ratios_have_an_infinite_shape() -> None:
    assert smooth(np.array([-1.0, -math.inf, -math.inf, -math.inf, -math.inf])).pareto_k == math.inf


def test_weighted_quantiles_are_quantiles() -> None:
    rng = np.random.default_rng(4)
    values = rng.standard_normal(20_000)
    weights = np.exp(values - 0.5)  # to a normal of mean one
    found = weighted_quantiles(values, weights / weights.sum(), np.array([0.16, 0.5, 0.84]))
    np.testing.assert_allclose(found, [0.0056, 1.0, 1.9944], atol=0.06)


@pytest.mark.parametrize("noise", [None, 1e-3])
@pytest.mark.parametrize("degrees", [math.inf, 4.0])
def test_one_parameter_has_the_posterior_that_quadrature_gives(
    noise: float | None, degrees: float
) -> None:
    quotes = noisy(BlackScholes(sigma=0.2), 1e-3)
    posterior = Posterior.of(
        quotes, Priors.default(BlackScholes), noise=noise, degrees_of_freedom=degrees
    )
    fit = calibrate(BlackScholes, quotes).model
    found = importance_sample(posterior, fit, n_draws=4096)
    assert found.pareto_k < 0.5

    centre, width = found.points @ found.weights, 6.0 * found.points.std(axis=1)
    axes = [np.linspace(c - w, c + w, 241) for c, w in zip(centre, width, strict=True)]
    points = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")])
    density = np.exp(log_density_one_by_one(posterior, points))
    sigma = np.exp(0.5 * points[0])
    expected = weighted_quantiles(sigma, density / density.sum(), np.array([0.025, 0.975]))
    low, high = found.intervals()["sigma"]
    assert (low, high) == pytest.approx(tuple(expected), abs=0.03 * (expected[1] - expected[0]))


def log_density_one_by_one(posterior: Posterior, points: np.ndarray) -> np.ndarray:
    """Return the log posterior of Black-Scholes from the formulas, minus its maximum."""
    sigma = np.exp(0.5 * points[0])
    distinct, place = np.unique(sigma, return_inverse=True)
    priced = np.stack([pricing.price(BlackScholes(sigma=s), CONTRACTS).value for s in distinct])
    residuals = (priced[place] - posterior.quotes.price) / posterior.scale
    prior = posterior.priors.by_parameter["sigma"]
    # dσ/dz = σ/2.
    level = prior.log_density(sigma) + np.log(0.5 * sigma)
    if isinstance(posterior.noise, LogNormal):
        tau = posterior.noise.loc + np.exp(points[1])
        level = level + posterior.noise.log_density(tau) + points[1]
    else:
        tau = np.full(sigma.shape, posterior.noise)
    nu = posterior.degrees_of_freedom
    standard = residuals / tau[:, None]
    error = -0.5 * standard**2 if math.isinf(nu) else -0.5 * (nu + 1) * np.log1p(standard**2 / nu)
    level = level + (error - np.log(tau)[:, None]).sum(axis=1)
    return np.asarray(level - level.max())


@pytest.mark.parametrize("weights", ["price", "vega"])
def test_intervals_of_well_determined_parameters_are_laplaces(weights: str) -> None:
    quotes = noisy(VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15), 1e-5)
    fit = calibrate(VarianceGamma, quotes, weights=weights).with_uncertainty("laplace_iid")
    posterior = Posterior.of(quotes, Priors.default(VarianceGamma), weights=weights)
    found = importance_sample(posterior, fit.model)
    assert found.pareto_k < 0.5
    for name, (low, high) in fit.intervals().items():
        width = high - low
        # Student's t with the noise's 15 degrees of freedom is a little wider than the normal.
        assert found.intervals()[name] == pytest.approx((low, high), abs=0.15 * width)


def test_a_direction_that_quotes_do_not_determine_is_bounded_by_the_prior() -> None:
    quotes = noisy(models.Kou.example(), 1e-3)
    fit = calibrate(models.Kou, quotes)
    found = importance_sample(Posterior.of(quotes, Priors.default(models.Kou)), fit.model)
    for name, (low, high) in found.intervals().items():
        assert math.isfinite(low)
        assert math.isfinite(high)
        assert low <= found.means()[name] <= high


def test_draws_off_the_box_have_no_density() -> None:
    quotes = noisy(models.CGMY.example(), 1e-3)
    posterior = Posterior.of(quotes, Priors.default(models.CGMY))
    inside = np.append(models.CGMY.example().to_coordinates(), -7.0)
    outside = inside.copy()
    outside[3] = 2.1  # Y
    points = np.stack([inside, outside], axis=1)
    found = posterior.log_density(points, SinhPricer(CONTRACTS, 1e-6))
    assert np.isfinite(found[0])
    assert found[1] == -np.inf


def test_a_draw_is_resampled_in_proportion_to_its_weight_on_average() -> None:
    weights, rng = np.array([0.1, 0.25, 0.65]), np.random.default_rng(0)
    chosen = [int(resample(weights, rng, 1)[0]) for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(chosen) / 4000, weights, atol=0.03)
    # Systematic: numbers of copies differ from n times the weight by less than one.
    copies = np.bincount(resample(weights, rng, 10), minlength=3)
    assert np.all(np.abs(copies - 10 * weights) < 1.0)


def test_resampled_draws_have_equal_weights() -> None:
    quotes = noisy(BlackScholes(sigma=0.2), 1e-3)
    posterior = Posterior.of(quotes, Priors.default(BlackScholes))
    found = importance_sample(posterior, BlackScholes(sigma=0.21))
    chosen = found.resample(np.random.default_rng(0), 4000)
    assert found.model.sigma[chosen].mean() == pytest.approx(found.means()["sigma"], rel=1e-4)


@pytest.mark.parametrize(
    "draws", [{"n_draws": 2048, "n_adaptations": 8}, {"n_adaptations": 8, "n_last": 4096}]
)
def test_the_tails_of_a_curved_posterior_are_sampled(draws: dict[str, int]) -> None:
    quotes = noisy(models.CGMY.example(), 1e-4)
    posterior = Posterior.of(quotes, Priors.default(models.CGMY))
    fit = calibrate(models.CGMY, quotes).model
    first, second = (importance_sample(posterior, fit, **draws, seed=seed) for seed in (0, 100))
    for name, (low, high) in first.intervals().items():
        assert second.intervals()[name] == pytest.approx((low, high), abs=0.15 * (high - low))
    assert first.smoothed.effective_size > 2048


@pytest.mark.parametrize(
    "prior",
    [
        {"distribution": "normal", "mu": -0.16, "sigma": 1e-3},
        {"distribution": "normal", "mu": 0.0, "sigma": 5e-3},
        {"distribution": "uniform", "low": 0.0, "high": 0.05},
    ],
)
def test_a_prior_may_be_narrow_and_far_from_the_quotes(prior: dict[str, object]) -> None:
    quotes = noisy(VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15), 1e-4)
    priors = Priors.default(VarianceGamma).with_overrides({"theta": prior})
    fit = calibrate(VarianceGamma, quotes, weights="price").model
    posterior = Posterior.of(quotes, priors, weights="price")
    found = importance_sample(posterior, fit, n_adaptations=6)
    low, high = found.intervals()["theta"]
    allowed = priors.by_parameter["theta"]
    assert allowed.log_density(np.array([low, high])).min() > -20.0
    assert found.smoothed.effective_size > 200

"""Scores against numerical integration and closed forms."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from levy_validation.scores import (
    interval_score,
    normal_crps,
    normal_log_density,
    stacking_weights,
)


@pytest.mark.parametrize(("error", "deviation"), [(0.0, 1.0), (1.3, 0.4), (-2.0, 3.0)])
def test_the_crps_is_the_integral_of_the_squared_difference_of_distributions(
    error: float, deviation: float
) -> None:
    """CRPS = ∫(F(x) − 1{x ≥ y})² dx, for the prediction N(error, deviation²) of y = 0."""
    below = quad(lambda x: norm.cdf(x, error, deviation) ** 2, -np.inf, 0.0)[0]
    above = quad(lambda x: norm.sf(x, error, deviation) ** 2, 0.0, np.inf)[0]
    score = normal_crps(np.array([error]), deviation)
    assert score == pytest.approx(below + above, rel=1e-8)
    density = normal_log_density(np.array([error]), deviation)
    assert density == pytest.approx(norm.logpdf(0.0, error, deviation), rel=1e-12)


def test_the_interval_score_is_the_width_and_a_penalty_outside() -> None:
    low, high = np.full(3, -1.0), np.full(3, 2.0)
    scores = interval_score(low, high, np.array([0.0, 2.5, -3.0]), 0.9)
    np.testing.assert_allclose(scores, [3.0, 3.0 + 20.0 * 0.5, 3.0 + 20.0 * 2.0])


def test_quantiles_of_the_true_distribution_have_the_least_expected_interval_score() -> None:
    values = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    half_widths = np.linspace(1.0, 3.0, 201)
    means = [
        interval_score(np.full(values.size, -h), np.full(values.size, h), values, 0.95).mean()
        for h in half_widths
    ]
    assert half_widths[np.argmin(means)] == pytest.approx(1.96, abs=0.01)


def test_stacking_finds_the_mixture_that_made_the_points() -> None:
    rng = np.random.default_rng(1)
    is_first = rng.random(40_000) < 0.3
    points = np.where(is_first, rng.normal(-1.0, 0.5, 40_000), rng.normal(1.0, 1.0, 40_000))
    densities = np.stack(
        [norm.logpdf(points, -1.0, 0.5), norm.logpdf(points, 1.0, 1.0), norm.logpdf(points, 4.0)]
    )
    np.testing.assert_allclose(stacking_weights(densities), [0.3, 0.7, 0.0], atol=0.01)


def test_a_model_that_is_better_everywhere_has_all_the_weight() -> None:
    densities = np.stack([np.full(50, -1.0), np.full(50, -3.0)])
    np.testing.assert_allclose(stacking_weights(densities), [1.0, 0.0], atol=1e-6)

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from levy_validation.detection import Separation
from levy_validation.simulation import simulated
from levy_validation.unusual import KINDS, unusual_surface


def test_the_area_is_that_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(0)
    usual, unusual = rng.integers(0, 9, 40), rng.integers(3, 12, 30)
    expected = mannwhitneyu(unusual, usual).statistic / (40 * 30)
    assert Separation.of(usual, unusual).auc == pytest.approx(expected)


def test_the_area_of_two_normal_scores_is_the_closed_form_within_its_error() -> None:
    rng = np.random.default_rng(1)
    areas = [
        Separation.of(rng.standard_normal(60), 1.0 + rng.standard_normal(50)) for _ in range(400)
    ]
    expected = norm.cdf(1.0 / np.sqrt(2.0))
    inside = np.mean([low <= expected <= high for low, high in (a.interval() for a in areas)])
    assert abs(inside - 0.95) < 0.035
    assert np.mean([a.auc for a in areas]) == pytest.approx(expected, abs=0.01)


def test_the_curve_of_perfect_scores_detects_all_without_false_alarms() -> None:
    separation = Separation.of(np.arange(20.0), np.arange(30.0, 40.0))
    assert separation.auc == 1.0
    assert separation.interval() == (1.0, 1.0)
    np.testing.assert_array_equal(separation.detections, 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unusual_surface_is_not_one_of_the_model(kind: str) -> None:
    usual = simulated("VarianceGamma", "spread", 4)
    quotes = unusual_surface(kind, usual, np.random.default_rng(0))
    assert quotes.size >= 10
    quotes.check_bounds()
    if kind == "stale":
        moved = np.abs(quotes.price - usual.quotes.price[: quotes.size]) > 1e-9
        assert 0 < moved.sum() < quotes.size

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from levy_validation import Setting, get
from levy_validation.hypothesis_tests import (
    DieboldMariano,
    model_confidence_set,
    paired_tests,
)
from levy_validation.setting import ignore


def test_one_step_ahead_the_statistic_is_students() -> None:
    """With the correction of Harvey et al., h = 1 leaves d̄/(s/√n)."""
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 30)) ** 2
    test = DieboldMariano.of(first, second)
    expected = stats.ttest_1samp(first - second, 0.0)
    assert test.statistic == pytest.approx(expected.statistic)
    assert test.p_value == pytest.approx(expected.pvalue)


def test_more_steps_ahead_the_variance_is_that_of_a_uniform_kernel() -> None:
    """Statsmodels' HAC covariance of a mean, corrected as in Harvey et al. (1997), eq. 9."""
    rng = np.random.default_rng(1)
    d = np.convolve(rng.standard_normal(60), [1.0, 0.7, 0.4], "valid") + 0.3
    n, h = d.size, 3
    test = DieboldMariano.of(d, np.zeros(n), h)
    hac = sm.OLS(d, np.ones(n)).fit(
        cov_type="HAC", cov_kwds={"maxlags": h - 1, "kernel": "uniform"}
    )
    correction = np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    assert test.statistic == pytest.approx(correction * hac.tvalues[0], rel=1e-10)


@pytest.mark.parametrize("horizon", [1, 3])
def test_equal_forecasts_are_rejected_at_the_level(horizon: int) -> None:
    rng = np.random.default_rng(2)
    kernel = np.ones(horizon)
    p_values = []
    for _ in range(1000):
        d = np.convolve(rng.standard_normal(100 + horizon - 1), kernel, "valid")
        p_values.append(DieboldMariano.of(d, np.zeros(d.size), horizon).p_value)
    rejected = np.mean(np.array(p_values) < 0.05)
    assert 0.028 < rejected < 0.085  # three standard errors about 5% at h = 1; 6% is usual at h = 3


@pytest.mark.long
def test_the_null_is_not_rejected_above_its_level_after_correction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Statsmodels collects garbage in each correction, which takes 0.1 s.
    monkeypatch.setattr("gc.collect", lambda: 0)
    rng = np.random.default_rng(3)
    rejected = dict.fromkeys(("t", "wilcoxon", "Bonferroni", "Holm", "Benjamini-Hochberg"), 0)
    for _ in range(1000):
        reference, *others = rng.standard_normal((5, 60))
        tests = paired_tests(reference, {str(k): loss for k, loss in enumerate(others)})
        rejected["t"] += tests[0].t < 0.05
        rejected["wilcoxon"] += tests[0].wilcoxon < 0.05
        for name in ("Bonferroni", "Holm", "Benjamini-Hochberg"):
            rejected[name] += min(test.corrected[name] for test in tests) < 0.05
    for name in ("t", "wilcoxon"):
        assert 28 < rejected[name] < 72, name  # 5% of 1,000, three standard errors
    for name in ("Bonferroni", "Holm", "Benjamini-Hochberg"):
        assert rejected[name] < 72, name  # of any of the four


def test_corrections_are_those_of_the_textbook() -> None:
    """Holm (1979) and Benjamini and Hochberg (1995) on p-values that are known exactly."""
    rng = np.random.default_rng(4)
    reference = np.zeros(12)
    others = {str(k): rng.standard_normal(12) + 0.4 * k for k in range(3)}
    tests = paired_tests(reference, others)
    p = np.sort([test.wilcoxon for test in tests])
    bonferroni, holm, hochberg = (
        np.sort([test.corrected[name] for test in tests])
        for name in ("Bonferroni", "Holm", "Benjamini-Hochberg")
    )
    np.testing.assert_allclose(bonferroni, np.minimum(3 * p, 1.0))
    np.testing.assert_allclose(
        holm, np.minimum(np.maximum.accumulate(p * [3, 2, 1]), 1.0), rtol=1e-12
    )
    backward = np.minimum.accumulate((p * 3 / np.arange(1, 4))[::-1])[::-1]
    np.testing.assert_allclose(hochberg, np.minimum(backward, 1.0), rtol=1e-12)


def test_equal_losses_are_not_tested() -> None:
    (test,) = paired_tests(np.arange(9.0), {"same": np.arange(9.0)})
    assert (test.mean_difference, test.t, test.wilcoxon) == (0.0, 1.0, 1.0)


def test_a_confidence_set_contains_the_best_and_not_the_worst() -> None:
    rng = np.random.default_rng(5)
    common = rng.standard_normal(60)
    losses = {
        "good": common + 0.2 * rng.standard_normal(60),
        "as good": common + 0.2 * rng.standard_normal(60),
        "bad": common + 1.0 + 0.2 * rng.standard_normal(60),
    }
    p_values, included = model_confidence_set(losses, size=0.1, n_resamples=499, seed=0)
    assert included == ("good", "as good")
    assert p_values["bad"] < 0.01
    assert max(p_values.values()) == 1.0


@pytest.mark.long
def test_another_model_is_significantly_worse(setting: Setting) -> None:
    section = get("significance").run(setting, ignore)
    table = section.tables[0]
    assert table.columns[-3:] == ("Bonferroni", "Holm", "Benjamini-Hochberg")
    by_model = {row[0]: row for row in table.rows}
    assert by_model["BlackScholes"][1] > 0.0
    assert any("Bates" in text for text in section.findings)

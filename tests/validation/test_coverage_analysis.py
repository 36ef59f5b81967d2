import numpy as np
import pytest

from levy_validation import Setting, get
from levy_validation.analyses.coverage import LEVELS, measured, standard_error, under_noise
from levy_validation.intervals import Counts, add, fit_to_truth, hits
from levy_validation.setting import ignore
from levy_validation.simulation import simulated


def test_wider_intervals_contain_the_truth_more_often() -> None:
    truth = simulated("VarianceGamma", "spread", 0)
    fit = fit_to_truth(truth)
    counts = [hits(fit, truth, level, ("robust",))["robust/parameters"][0] for level in LEVELS]
    assert counts == sorted(counts)
    assert hits(fit, truth, 1.0 - 1e-12, ("robust",))["robust/parameters"] == [3, 3]


@pytest.mark.long
def test_independent_errors_of_equal_variance_are_covered_at_every_level(setting: Setting) -> None:
    """The assumptions of `laplace_iid` hold under independent errors and weights of price."""
    total: dict[float, Counts] = {level: {} for level in LEVELS}
    for seed in range(60):
        truth = simulated("VarianceGamma", "independent", seed)
        fit = fit_to_truth(truth, "price").with_uncertainty("laplace_iid")
        for level in LEVELS:
            add(total[level], hits(fit, truth, level, ("laplace_iid",)))
    for level in LEVELS:
        n_hits, trials = total[level]["laplace_iid/parameters"]
        # Parameters of a surface err together: between √60 and √180 independent trials.
        assert abs(n_hits / trials - level) < 3.0 * standard_error(level, 100), level


def test_intervals_of_no_width_contain_nothing() -> None:
    truth = simulated("VarianceGamma", "spread", 0)
    fit = fit_to_truth(truth)
    assert hits(fit, truth, 0.0, ("robust",))["robust/parameters"] == [0, 3]


@pytest.mark.long
def test_the_section_states_every_case_level_and_error_model(setting: Setting) -> None:
    section = get("coverage").run(setting, ignore)
    (table,) = section.tables
    assert len(table.rows) == 8 * 4 * 3 * 2
    by_case = measured(under_noise, setting, "spread", 2)
    assert set(by_case) == set(LEVELS)
    assert np.isnan(standard_error(0.95, 0))

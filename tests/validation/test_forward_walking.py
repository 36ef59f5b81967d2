from dataclasses import replace

import numpy as np
import pytest

from levy_numerics.errors import InvalidInputError
from levy_validation import Setting, get
from levy_validation.analyses.forward_walking import (
    detected_drift,
    simulated_regimes,
    walked,
)
from levy_validation.change_point import ChangePoint
from levy_validation.setting import ignore


def null_p_values(n: int, correlation: float, *, whiten: bool) -> np.ndarray:
    """Return p-values of 1,000 autoregressive series without a change."""
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(1000):
        series = rng.standard_normal(n)
        series[0] /= np.sqrt(1.0 - correlation**2)
        for k in range(1, n):
            series[k] += correlation * series[k - 1]
        p_values.append(ChangePoint.of(series, rng, n_permutations=99, whiten=whiten).p_value)
    return np.array(p_values)


@pytest.mark.long
def test_independent_errors_alarm_at_the_stated_rate() -> None:
    for level in (0.05, 0.2):
        alarms = np.mean(null_p_values(30, 0.0, whiten=False) <= level)
        assert abs(alarms - level) < 3.0 * np.sqrt(level * (1.0 - level) / 1000)


@pytest.mark.long
def test_correlated_errors_alarm_seldom_once_correlation_is_removed() -> None:
    assert np.mean(null_p_values(80, 0.0, whiten=True) <= 0.05) < 0.072
    assert np.mean(null_p_values(80, 0.5, whiten=True) <= 0.05) < 0.14
    assert np.mean(null_p_values(80, 0.5, whiten=False) <= 0.05) > 0.3


def test_a_planted_change_is_found_where_it_was_planted() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(100):
        series = rng.standard_normal(40)
        series[25:] += 2.0
        found.append(ChangePoint.of(series, rng, n_permutations=199))
    assert np.mean([f.p_value <= 0.05 for f in found]) > 0.95
    assert np.median(np.abs([f.position - 25 for f in found])) <= 1.0
    assert np.mean([f.after - f.before for f in found]) == pytest.approx(2.0, abs=0.15)


@pytest.mark.long
def test_a_planted_change_of_regime_is_found(setting: Setting) -> None:
    days, change = simulated_regimes(setting)
    walk = walked(setting, days, ignore)
    drift = detected_drift(setting, walk)
    assert drift.is_alarm
    assert abs(drift.changes["variance"].position - change) <= 1
    before, after = (drift.changes["variance"].before, drift.changes["variance"].after)
    assert after - before == pytest.approx(0.25, abs=0.08)
    quiet = walked(setting, days[:change], ignore)
    assert not detected_drift(setting, quiet).is_alarm


@pytest.mark.long
def test_parameters_age_with_the_horizon_and_averages_lag_a_change(setting: Setting) -> None:
    days, change = simulated_regimes(setting)
    walk = walked(setting, days, ignore)
    for horizon, by_forecast in walk.errors.items():
        for errors in by_forecast.values():
            assert errors.shape == (len(days) - horizon,)
    errors = walk.errors[1]
    assert walk.same_day < np.median(errors["last day"])
    # The day after the change: the last day's parameters are those before it.
    assert errors["last day"][change - 1] == errors["last day"].max()
    after = slice(change + 1, None)
    assert np.median(errors["mean of all days"][after]) > np.median(errors["last day"][after])


def test_few_days_are_refused(setting: Setting) -> None:
    with pytest.raises(InvalidInputError, match="3 days can be fitted; 8 are required"):
        walked(setting, setting.surfaces, ignore)


@pytest.mark.long
def test_quoted_days_are_walked_where_there_are_enough(setting: Setting) -> None:
    days, _ = simulated_regimes(setting)
    section = get("forward_walking").run(replace(setting, surfaces=days[:8]), ignore)
    assert section.figures["days"] == 8
    assert "planted change at day" not in section.figures

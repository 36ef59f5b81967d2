"""Rolling windows and their statistics."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levy_calibration.drift import Reference
from levy_calibration.drift.statistics import ks, outside, psi
from levy_calibration.drift.window import Window

REFERENCE = Reference.of({"vol": np.linspace(0.1, 0.9, 2_001), "skew": np.linspace(-1, 1, 2_001)})


@given(st.lists(st.integers(0, 30), max_size=12), st.integers(1, 40))
def test_a_window_holds_the_last_surfaces_however_they_come(batches: list[int], size: int) -> None:
    every = np.arange(2.0 * sum(batches)).reshape(-1, 2)
    window, start = Window.of(("vol", "skew"), size), 0
    for n in batches:
        window = window.extended(every[start : start + n])
        start += n
        assert window.n_surfaces == min(start, size)
    np.testing.assert_array_equal(window.values, every[max(0, len(every) - size) :])


def test_each_quantity_is_compared_with_its_own_distribution() -> None:
    values = np.random.default_rng(1).uniform((0.1, 0.0), (0.9, 2.0), (500, 2))
    vol, skew = Window.of(("vol", "skew"), 500).extended(values).drift(REFERENCE, 200)
    for one, column in ((vol, values[:, 0]), (skew, values[:, 1])):
        quantiles = REFERENCE.quantiles[one.quantity]
        expected = psi(column, quantiles), ks(column, quantiles), outside(column, quantiles)
        assert (one.psi, one.ks, one.outside) == expected
    assert vol.psi < 0.1
    assert skew.psi > 0.25
    assert skew.outside == pytest.approx(0.5, abs=0.1)


def test_too_few_values_and_unknown_quantities_are_not_reported() -> None:
    values = np.random.default_rng(2).uniform(0.1, 0.9, (100, 3))
    values[50:, 1] = np.nan
    window = Window.of(("vol", "skew", "n_quotes"), 500).extended(values)
    vol, skew, n_quotes = window.drift(REFERENCE, 60)
    assert vol.psi < 0.5
    for one in (skew, n_quotes):
        assert all(math.isnan(value) for value in (one.psi, one.ks, one.outside))
    assert all(math.isnan(one.psi) for one in window.drift(REFERENCE, 101))
    assert all(math.isnan(one.psi) for one in Window.of(("vol",), 10).drift(REFERENCE, 0))

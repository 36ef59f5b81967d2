"""The line of put-call parity: Tukey's biweight, by iteratively reweighted least squares."""

import numpy as np
import pytest

from levy_surfaces.parity import Pairs, ParityLine

STRIKE = np.arange(80.0, 121.0, 2.0)


def pairs_of(difference: np.ndarray) -> Pairs:
    """Return pairs without spreads, whose calls less puts are the difference."""
    put = 5.0 + np.pi / 1e5 + np.maximum(-difference, 0.0)
    is_call = np.repeat([True, False], STRIKE.size)
    unknown = np.full(2 * STRIKE.size, np.nan)
    price = np.append(put + difference, put)
    return Pairs.of(np.tile(STRIKE, 2), is_call, price, unknown, unknown)


def test_the_line_is_the_weighted_least_squares_line_of_its_own_biweights() -> None:
    noise = 0.05 * np.random.default_rng(3).standard_normal(STRIKE.size)
    difference = 0.98 * (101.0 - STRIKE) + noise
    difference[3] += 1.0
    difference[10] -= 0.25
    line = ParityLine.fit(pairs_of(difference))
    assert line is not None
    residual = line.residual(STRIKE, difference)
    # Beaton and Tukey (1974): biweight with 95% efficiency, on the scale of the median deviation.
    scale = 1.4826 * np.median(np.abs(residual))
    weight = np.maximum(1.0 - (residual / (4.685 * scale)) ** 2, 0.0) ** 2
    slope, intercept = np.polyfit(STRIKE, difference, 1, w=np.sqrt(weight))
    assert line.discount == pytest.approx(-slope, rel=1e-8)
    assert line.intercept == pytest.approx(intercept, rel=1e-8)
    assert line.n_pairs == np.count_nonzero(weight) < STRIKE.size


def test_a_wide_pair_has_little_weight() -> None:
    difference = 0.98 * (101.0 - STRIKE)
    pairs = pairs_of(difference + np.where(np.arange(STRIKE.size) < 8, 0.5, 0.0))
    spread = np.where(np.arange(STRIKE.size) < 8, 10.0, 0.1)
    line = ParityLine.fit(Pairs(**{**vars(pairs), "spread": spread}))
    assert line is not None
    assert line.forward == pytest.approx(101.0, abs=1e-2)
    assert line.discount == pytest.approx(0.98, abs=1e-3)

"""Drift statistics against SciPy, closed forms and known distributions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from levy_calibration.drift.reference import N_QUANTILES, Reference, pack, unpack
from levy_calibration.drift.statistics import N_BINS, ks, outside, psi

UNIFORM = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
NORMAL = stats.norm.ppf(UNIFORM)
VALUES = arrays.arrays(
    float,
    st.integers(1, 300),
    elements=st.floats(-5.0, 5.0, allow_nan=False).map(lambda value: round(value, 1)),
)


def with_atoms() -> np.ndarray:
    """Return quantiles of which 40% are one, 20% are two (the maximum), the rest in between."""
    spread = np.linspace(1.01, 1.99, N_QUANTILES * 2 // 5)
    return np.concatenate((np.ones(N_QUANTILES * 2 // 5), spread, np.full(N_QUANTILES // 5, 2.0)))


@given(VALUES, st.sampled_from(["normal", "atoms"]))
def test_ks_is_scipys(values: np.ndarray, name: str) -> None:
    reference = {"normal": NORMAL, "atoms": with_atoms()}[name]
    expected = stats.ks_2samp(values, reference, method="asymp").statistic
    assert ks(values, reference) == pytest.approx(expected, abs=1e-12)


@given(VALUES, st.sampled_from(["normal", "atoms"]))
def test_statistics_are_bounded_and_do_not_look_at_order(values: np.ndarray, name: str) -> None:
    reference = {"normal": NORMAL, "atoms": with_atoms()}[name]
    assert 0.0 <= ks(values, reference) <= 1.0
    assert 0.0 <= outside(values, reference) <= 1.0
    index = psi(values, reference)
    # The largest PSI is that of a window in a single bin.
    n, share = values.size, 1.0 / N_BINS
    low, high = 0.5 / (n + 0.5 * N_BINS), (n + 0.5) / (n + 0.5 * N_BINS)
    worst = (high - share) * np.log(high / share) + 9 * (low - share) * np.log(low / share)
    assert 0.0 <= index <= worst + 1e-9
    again = np.random.default_rng(0).permutation(values)
    assert psi(again, reference) == index
    assert ks(again, reference) == ks(values, reference)


def test_training_itself_does_not_drift() -> None:
    for reference in (UNIFORM, NORMAL, with_atoms()):
        assert psi(reference, reference) < 1e-12
        assert ks(reference, reference) == 0.0
        assert outside(reference, reference) == 0.0


def test_psi_has_its_closed_form() -> None:
    # Half of the values in the lowest decile, half in the highest.
    values = np.repeat([UNIFORM[0], UNIFORM[-1]], 5_000)
    n = values.size + 0.5 * N_BINS
    full, empty = 5_000.5 / n, 0.5 / n
    expected = 2 * (full - 0.1) * np.log(full / 0.1) + 8 * (empty - 0.1) * np.log(empty / 0.1)
    assert psi(values, UNIFORM) == pytest.approx(expected, rel=1e-12)


def test_deciles_that_coincide_are_one_bin() -> None:
    reference = with_atoms()
    # Ones in place of twos: of the bins, only the first and the last change.
    values = np.where(reference == 2.0, 1.0, reference)
    index = psi(np.repeat(values, 1_000), reference)
    expected = 0.2 * np.log(0.6 / 0.4)
    assert index > expected
    assert np.isfinite(index)
    assert ks(values, reference) == pytest.approx(0.2)


@pytest.mark.parametrize("n", [200, 1_000])
def test_psi_of_samples_of_training_is_as_small_as_is_documented(n: int) -> None:
    rng = np.random.default_rng(4)
    found = np.array([psi(rng.standard_normal(n), NORMAL) for _ in range(400)])
    assert found.mean() == pytest.approx((N_BINS - 1) / n, rel=0.1)
    assert np.quantile(found, 0.99) < 1.3 * stats.chi2(N_BINS - 1).ppf(0.99) / n


@pytest.mark.parametrize(("shift", "least"), [(0.5, 0.2), (1.0, 0.8), (3.0, 5.0)])
def test_a_shift_is_detected(shift: float, least: float) -> None:
    values = shift + np.random.default_rng(5).standard_normal(1_000)
    assert psi(values, NORMAL) > least
    distance = 2.0 * stats.norm.cdf(shift / 2.0) - 1.0
    assert ks(values, NORMAL) == pytest.approx(distance, abs=0.05)


def test_what_lies_outside_is_a_share() -> None:
    values = np.array([UNIFORM[0] - 1e-9, UNIFORM[0], 0.5, UNIFORM[-1], 7.0])
    assert outside(values, UNIFORM) == pytest.approx(0.4)


def test_a_reference_keeps_values_that_occurred_and_leaves_out_constants() -> None:
    rng = np.random.default_rng(6)
    days = rng.choice([14 / 365, 30 / 365, 1.0], size=5_000)
    made = Reference.of(
        {
            "days": days,
            "vol": rng.lognormal(size=5_000),
            "constant": np.full(5_000, 200.0),
            "unknown": np.full(5_000, np.nan),
            "partly": np.where(days == 1.0, np.nan, days),
        }
    )
    assert list(made.quantiles) == ["days", "vol", "partly"]
    assert set(made.quantiles["days"]) == set(days)
    assert set(made.quantiles["partly"]) == {14 / 365, 30 / 365}
    for quantiles in made.quantiles.values():
        assert quantiles.shape == (N_QUANTILES,)
        assert np.all(np.diff(quantiles) >= 0.0)


def test_places_are_ranks_among_training() -> None:
    made = Reference({"u": UNIFORM, "atoms": with_atoms()})
    below, above, middle, least = made.places("u", np.array([-1.0, 2.0, 0.5, UNIFORM[0]]))
    assert (below, above) == (0.0, 1.0)
    assert middle == pytest.approx(0.5)
    assert least > 0.0
    (place,) = made.places("atoms", np.array([1.0]))
    assert place == pytest.approx(0.2)


def test_a_reference_is_read_as_it_was_written() -> None:
    made = Reference({"skew": NORMAL, "G": UNIFORM})
    again = unpack(pack(made))
    assert list(again.quantiles) == ["skew", "G"]
    for name, quantiles in made.quantiles.items():
        np.testing.assert_array_equal(again.quantiles[name], quantiles)
    assert pack(again) == pack(made)

import numpy as np
import pytest

from levy_surfaces.synthetic.augmentation import (
    MIN_QUOTES,
    SpreadNoise,
    drop_quotes,
    random_subsets,
    with_relative_noise,
)
from levy_surfaces.synthetic.datasets import DataSet
from levy_surfaces.synthetic.layouts import LAYOUTS

AUGMENTATIONS = {
    "spread": SpreadNoise(),
    "relative": lambda s, rng: with_relative_noise(s, 0.01, rng),
    "missing": lambda s, rng: drop_quotes(s, 0.2, rng),
    "subsets": random_subsets,
}


@pytest.fixture(params=LAYOUTS)
def surfaces(request, data):
    return next(DataSet.open(data, "VarianceGamma", layout=request.param).parts()).surfaces


def _arrays(surfaces):
    return {name: np.array(value) for name, value in vars(surfaces).items()}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_leaves_its_input_alone_and_repeats_by_seed(surfaces, name):
    before = _arrays(surfaces)
    made = [AUGMENTATIONS[name](surfaces, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert all(
        np.array_equal(a, b)
        for a, b in zip(before.values(), _arrays(surfaces).values(), strict=True)
    )
    first, again, other = map(_arrays, made)
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert any(not np.array_equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_nothing_appears_that_was_not_quoted_and_what_is_gone_is_zero(surfaces, name):
    made = AUGMENTATIONS[name](surfaces, np.random.default_rng(0))
    assert not np.any(made.present & ~surfaces.present)
    assert not made.price[~made.present].any()
    assert not made.half_spread[~made.present].any()
    assert np.all(made.price >= 0.0)
    assert np.all(made.present.sum(axis=1) >= MIN_QUOTES)


def test_mids_stay_within_their_spread(surfaces):
    made = SpreadNoise()(surfaces, np.random.default_rng(0))
    assert np.all(np.abs(made.price - surfaces.price) <= made.half_spread + 1e-15)
    moved = np.abs(made.price - surfaces.price)[surfaces.present]
    assert np.median(moved / made.half_spread[surfaces.present]) > 0.1


def test_relative_noise_has_its_deviation(surfaces):
    made = with_relative_noise(surfaces, 0.01, np.random.default_rng(0))
    there = surfaces.price > 1e-3
    assert (made.price[there] / surfaces.price[there]).std() == pytest.approx(0.01, rel=0.1)


def test_a_requested_fifth_of_the_quotes_is_dropped(surfaces):
    made = drop_quotes(surfaces, 0.2, np.random.default_rng(0))
    assert made.present.sum() == pytest.approx(0.8 * surfaces.present.sum(), rel=0.02)


def test_subsets_differ_in_maturities_strikes_and_numbers(surfaces):
    made = random_subsets(surfaces, np.random.default_rng(0))
    counts = made.present.sum(axis=1)
    years = np.broadcast_to(made.maturity_years, made.price.shape)
    maturities = [np.unique(years[k][made.present[k]]).size for k in range(made.n_surfaces)]
    assert len(set(counts)) > made.n_surfaces // 2
    assert len(set(maturities)) > 2

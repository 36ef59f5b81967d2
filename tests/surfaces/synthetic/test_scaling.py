import json

import numpy as np
import pytest

from levy_surfaces.synthetic.scaling import StandardScaler


def test_what_it_was_fitted_on_has_mean_nought_and_deviation_one():
    features = np.random.default_rng(0).normal(3.0, 2.0, (500, 4))
    scaled = StandardScaler.fit(features).transform(features)
    assert scaled.mean(axis=0) == pytest.approx(0.0, abs=1e-12)
    assert scaled.std(axis=0) == pytest.approx(1.0)


def test_only_quotes_that_are_there_count():
    points = np.random.default_rng(0).normal(size=(20, 7, 3))
    present = np.random.default_rng(1).random((20, 7)) < 0.6
    spoilt = np.where(present[..., None], points, 1e6)
    fitted = [StandardScaler.fit(values, present) for values in (points, spoilt)]
    assert np.array_equal(fitted[0].mean, fitted[1].mean)
    assert np.array_equal(fitted[0].deviation, fitted[1].deviation)


def test_a_feature_that_does_not_vary_is_centred_alone():
    scaled = StandardScaler.fit(np.full((3, 1), 7.0)).transform(np.array([[7.0], [8.0]]))
    assert scaled.tolist() == [[0.0], [1.0]]


def test_it_survives_json_and_keeps_the_precision_of_what_it_scales():
    features = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    scaler = StandardScaler.fit(features)
    again = StandardScaler.from_mapping(json.loads(json.dumps(scaler.as_mapping())))
    assert np.array_equal(again.transform(features), scaler.transform(features))
    assert again.transform(features).dtype == np.float32

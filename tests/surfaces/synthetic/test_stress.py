import numpy as np
import pytest

from levy_surfaces.synthetic.ranges import Box, model_names, sobol_targets
from levy_surfaces.synthetic.stress import (
    NEAR_EXPIRY_DAYS,
    Scenario,
    stressed_examples,
    stressed_targets,
)


def _moments(name, scenario):
    box = Box.of(name)
    usual = sobol_targets(len(box.axes), 256, seed=0)
    cumulants = [
        box.model(t).cumulants(1.0) for t in (usual, stressed_targets(box, scenario, usual))
    ]
    return [(np.sqrt(k2), k3 / k2**1.5) for _, k2, k3, _ in cumulants]


@pytest.mark.parametrize("name", model_names())
def test_a_crash_is_more_skewed_to_the_left_than_most_days(name):
    (_, usual), (_, crash) = _moments(name, Scenario.CRASH_SKEW)
    assert np.median(crash) < np.quantile(usual, 0.3)
    assert np.all(crash < 0.0)


@pytest.mark.parametrize("name", model_names())
def test_a_spike_is_more_volatile_than_most_days(name):
    (usual, _), (spike, _) = _moments(name, Scenario.VOL_SPIKE)
    assert spike.min() > np.quantile(usual, 0.6)


def test_near_expiry_leaves_short_maturities_alone():
    surfaces = stressed_examples("NIG", Scenario.NEAR_EXPIRY, 4, seed=0).surfaces
    left = np.broadcast_to(surfaces.maturity_years, surfaces.price.shape)[surfaces.present]
    assert left.max() * 365 == pytest.approx(NEAR_EXPIRY_DAYS)
    assert np.all(surfaces.present.sum(axis=1) == 60)
    assert not surfaces.price[~surfaces.present].any()

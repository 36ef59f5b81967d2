"""Fixtures: surfaces of Variance Gamma, with and without noise."""

import pytest

from levy_numerics import models
from levy_validation import DatedQuotes, Effort, Setting
from levy_validation.simulation import simulated

FEW = Effort(
    n_surfaces=12,
    n_days=16,
    n_compared=2,
    n_rivals=4,
    n_sobol=32,
    n_resamples=199,
    n_steps=4,
    n_refits=6,
)


@pytest.fixture(scope="session")
def setting() -> Setting:
    """Return a setting of three noisy surfaces of Variance Gamma."""
    surfaces = tuple(
        DatedQuotes(f"day {k}", simulated("VarianceGamma", "spread", k).quotes) for k in range(3)
    )
    return Setting(models.get("VarianceGamma"), surfaces, effort=FEW)

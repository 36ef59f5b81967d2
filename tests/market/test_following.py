"""Models followed through real days, in the folder LEVY_MARKET_DATA."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from levy_numerics import models
from tests.benchmarks.following import Compared, Walk, compared, daily_quotes

FOLDER = os.environ.get("LEVY_MARKET_DATA")

pytestmark = [
    pytest.mark.skipif(FOLDER is None, reason="LEVY_MARKET_DATA is not set"),
    pytest.mark.long,
]


@cache
def on_the_index(name: str, estimator: str) -> Compared:
    days = daily_quotes(Path(FOLDER or ""), "spx_cboe_2019")
    walk, warm = (Walk.of(one, models.get(name), days) for one in (estimator, "warm"))
    return compared(walk, warm)


@pytest.mark.parametrize("name", ["VarianceGamma", "CGMYSato"])
def test_the_filter_predicts_the_next_day_better_than_a_warm_start(name: str) -> None:
    found = on_the_index(name, "filter")
    assert found.predicted_ratio < 0.97
    assert found.cost_ratio < 1.03**2
    assert 0.9 <= found.covered <= 0.99


def test_the_penalised_fit_predicts_no_worse_and_fits_nearly_as_well() -> None:
    found = on_the_index("CGMYSato", "penalised")
    assert found.predicted_ratio < 1.0
    assert found.cost_ratio < 1.04**2


def test_parameters_move_less_from_day_to_day() -> None:
    assert np.median(on_the_index("CGMYSato", "filter").move_ratio) < 1.0

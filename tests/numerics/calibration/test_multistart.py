"""Multi-start: agreement requires distant starts, and hopeless starts are abandoned."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.calibration import calibrate
from levy_numerics.calibration.least_squares import multistart_agreement
from levy_numerics.calibration.solver_problem import Solution, Status
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import read_quotes

BEST = Solution(np.zeros(2), np.ones(2), np.ones((2, 2)), np.ones(2), "converged", "", 1)
FOLDER = os.environ.get("LEVY_MARKET_DATA")


def test_starts_side_by_side_agree_once() -> None:
    near = [np.array([0.50, 0.50]), np.array([0.55, 0.52])]
    apart = [np.array([0.50, 0.50]), np.array([0.65, 0.50])]
    assert not multistart_agreement([BEST, BEST], 1e-12, 2, near)
    assert multistart_agreement([BEST, BEST], 1e-12, 2, apart)
    assert not multistart_agreement([BEST, BEST], 1e-12, 3, apart)


def test_a_fit_at_a_bound_needs_two_starts_more() -> None:
    bound = replace(BEST, status="at_bound")
    starts = [np.array([share, 0.5]) for share in (0.1, 0.3, 0.5, 0.7)]
    assert not multistart_agreement([bound] * 3, 1e-12, 2, starts)
    assert multistart_agreement([bound] * 4, 1e-12, 2, starts)


def test_an_exact_fit_needs_no_second_start() -> None:
    exact = replace(BEST, residuals=np.full(2, 1e-13))
    assert multistart_agreement([exact], 1e-12, 6, [np.array([0.5, 0.5])])


@pytest.mark.parametrize("status", ["converged", "at_bound"])
def test_one_start_suffices_where_it_arrives_directly(status: Status) -> None:
    direct = replace(BEST, status=status, n_evaluations=10)
    assert multistart_agreement([direct], 1e-12, 1)
    assert not multistart_agreement([replace(direct, n_evaluations=11)], 1e-12, 1)
    assert multistart_agreement([replace(direct, n_evaluations=11)] * 2, 1e-12, 1)


def test_a_start_that_stalls_does_not_suffice() -> None:
    assert not multistart_agreement([replace(BEST, status="stalled")], 1e-12, 1)


def test_models_of_several_minima_need_more_starts() -> None:
    needed = {name: models.get(name).min_repeat_hits for name in ("VarianceGamma", "Kou", "Merton")}
    assert needed["Kou"] > needed["VarianceGamma"]
    assert needed["Merton"] > needed["VarianceGamma"]


@pytest.mark.skipif(FOLDER is None, reason="LEVY_MARKET_DATA is not set")
@pytest.mark.parametrize(
    ("folder", "day", "model", "weights"),
    [
        ("spx_pyql_20110124", None, "Kou", "vega"),
        ("spx_pyql_20110124", None, "Kou", "price"),
        ("dax_2012_nmof", None, "Kou", "price"),
        ("spx_cboe_2019", "2019-05-20", "Merton", "vega"),
        ("sse50etf_2015_2017", "2015-06-25", "Merton", "price"),
    ],
)
def test_a_default_fit_is_as_good_as_that_of_thirty_starts(
    folder: str, day: str | None, model: str, weights: str
) -> None:
    plain = Path(str(FOLDER)) / folder / "quotes.csv"
    path = plain if plain.exists() else plain.with_name("quotes.csv.gz")
    quotes = clean(read_quotes(path, quote_date=day)).quotes
    fit = calibrate(models.get(model), quotes, weights=weights)
    reference = calibrate(models.get(model), quotes, weights=weights, n_starts=30)
    assert fit.cost <= reference.cost * 1.001
    # A thousand, for Merton, before hopeless starts were abandoned.
    assert fit.n_evaluations < 1000

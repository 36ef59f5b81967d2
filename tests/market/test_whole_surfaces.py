"""Fits of whole surfaces of real quotes, in the folder LEVY_MARKET_DATA."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.calibration import (
    CalibrationResult,
    calibrate,
    calibrate_each_maturity,
    compare_one,
    in_spread_share,
    ranked,
)
from levy_numerics.market import Quotes
from tests.benchmarks.real_quotes import SCHOUTENS
from tests.benchmarks.whole_surfaces import BASES, daily_surface

FOLDER = os.environ.get("LEVY_MARKET_DATA")
DAYS = ("2019-04-29", "2019-05-13", "2019-05-21")

pytestmark = pytest.mark.skipif(FOLDER is None, reason="LEVY_MARKET_DATA is not set")


@cache
def quotes_of(day: str) -> Quotes:
    return daily_surface(Path(FOLDER or ""), day)


@cache
def fit(name: str, day: str) -> CalibrationResult:
    return calibrate(models.get(name), quotes_of(day), weights="vega")


def cuts(kind: str) -> list[float]:
    """Return the reduction of the base's error, for every model of a kind on every day."""
    return [
        1.0 - fit(base + kind, day).fit.implied_vol_rmse / fit(base, day).fit.implied_vol_rmse
        for base in BASES
        if base + kind in models.names()
        for day in DAYS
    ]


def test_the_surfaces_hold_a_thousand_quotes_of_many_expiries() -> None:
    for day in DAYS:
        contracts = quotes_of(day).contracts
        assert contracts.size > 1000
        assert np.unique(contracts.maturity_years).size >= 8


@pytest.mark.parametrize("kind", ["Sato", "CIR", "Additive"])
def test_a_time_structure_cuts_the_error_of_its_base_by_two_fifths(kind: str) -> None:
    found = cuts(kind)
    assert min(found) > 0.2
    assert np.median(found) >= 0.4


@pytest.mark.parametrize("base", BASES)
def test_a_stationary_model_warns_about_the_term_structure(base: str) -> None:
    warnings = " ".join(fit(base, DAYS[0]).warnings)
    assert "term structure" in warnings
    assert all(remedy in warnings for remedy in ("Sato", "clock", "per maturity"))
    assert "term structure" not in " ".join(fit(f"{base}Sato", DAYS[0]).warnings)


def test_an_additive_process_fits_days_of_an_index_and_strikes_it_has_not_seen() -> None:
    ratios = []
    for day in DAYS:
        compared = compare_one(models.get("CGMYAdditive"), quotes_of(day), weights="vega")
        seen, unseen = compared.in_sample, compared.out_of_sample
        assert seen is not None
        assert unseen is not None
        ratios.append(unseen.implied_vol_rmse / seen.implied_vol_rmse)
        assert compared.result.fit.implied_vol_rmse < 0.0042
        assert in_spread_share(quotes_of(day), compared.result.model_prices) > 0.27
    assert np.median(ratios) < 1.05


def test_errors_by_expiry_make_up_the_error_of_the_whole() -> None:
    whole = fit("NIG", DAYS[0])
    squares = [one.fit.n_quotes * one.fit.implied_vol_rmse**2 for one in whole.by_maturity]
    assert np.sqrt(sum(squares) / whole.fit.n_quotes) == pytest.approx(whole.fit.implied_vol_rmse)


@pytest.mark.parametrize("base", ["VarianceGamma", "NIG"])
def test_a_fit_of_each_expiry_is_better_than_any_law_that_joins_them(base: str) -> None:
    each = calibrate_each_maturity(models.get(base), quotes_of(DAYS[0]), weights="vega")
    assert each.fit.implied_vol_rmse < fit(f"{base}Sato", DAYS[0]).fit.implied_vol_rmse


def test_models_with_a_time_structure_rank_first_on_strikes_they_have_not_seen() -> None:
    found = ranked(compare_one(models.get(name), quotes_of(DAYS[1])) for name in ("NIG", "NIGSato"))
    assert [one.name for one in found] == ["NIGSato", "NIG"]
    assert found[0].out_of_sample is not None
    assert found[0].score < 1.1 * found[0].result.fit.implied_vol_rmse


def test_the_limit_of_the_best_cgmy_of_2002_is_named() -> None:
    surface = SCHOUTENS.surface(Path(FOLDER or ""))
    found = calibrate(models.get("CGMY"), surface.quotes)
    assert "G → 0" in found.boundary_parameters
    assert any("G → 0" in warning for warning in found.warnings)
    # The log return has infinite variance in this limit: no quote contains it.
    variance = found.moments["variance"]
    assert variance.is_extrapolated
    assert variance.standard_error > variance.value
    assert any("all strikes: variance" in w for w in found.uncertainty.warnings)

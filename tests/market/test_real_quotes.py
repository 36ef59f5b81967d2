"""Fits of real quotes, in the folder LEVY_MARKET_DATA."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_numerics import models
from levy_numerics.calibration import CalibrationResult, calibrate
from levy_numerics.market import Quotes
from levy_surfaces.cleaning import CleaningRules, clean
from levy_surfaces.reading import read_quotes
from levy_surfaces.reasons import Reason
from levy_surfaces.summary import summary
from tests.benchmarks.real_quotes import PUBLISHED, SCHOUTENS, SETS, SPX_2019, published

FOLDER = os.environ.get("LEVY_MARKET_DATA")

pytestmark = pytest.mark.skipif(FOLDER is None, reason="LEVY_MARKET_DATA is not set")

BY_NAME = {market.name: market for market in SETS}


def folder() -> Path:
    return Path(FOLDER or "")


@pytest.fixture(scope="module")
def schoutens() -> Quotes:
    """Return all 75 calls, in and out of the money, since no puts are quoted."""
    surface = SCHOUTENS.surface(folder())
    assert surface.size == 75
    return surface.quotes


def fit(name: str, quotes: Quotes) -> CalibrationResult:
    return calibrate(models.get(name), quotes, weights="price")


@pytest.mark.parametrize(
    ("name", "rmse"), [("BlackScholes", 6.699), ("VarianceGamma", 3.695), ("CGMY", 2.886)]
)
def test_published_parameters_have_their_published_error(
    schoutens: Quotes, name: str, rmse: float
) -> None:
    assert published(name, schoutens).fit.rmse == pytest.approx(rmse, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "best_known"), [("BlackScholes", 6.699), ("VarianceGamma", 3.627), ("CGMY", 2.711)]
)
def test_a_fit_is_at_least_as_good_as_the_best_known(
    schoutens: Quotes, name: str, best_known: float
) -> None:
    found = fit(name, schoutens)
    assert found.fit.rmse <= best_known + 1e-3
    assert found.fit.rmse <= published(name, schoutens).fit.rmse
    assert name in PUBLISHED


def test_the_singular_cgmy_optimum_of_2002_is_not_hidden(schoutens: Quotes) -> None:
    found = fit("CGMY", schoutens)
    assert found.status == "at_bound"
    assert found.warnings


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_set_is_read_and_keeps_its_out_of_the_money_side(name: str) -> None:
    market = BY_NAME[name]
    table = read_quotes(market.path(folder()), quote_date=market.day)
    surface = clean(table)
    both_sides = table.frame["is_call"].nunique() == 2
    assert surface.size >= (0.4 if both_sides else 1.0) * surface.n_read
    assert surface.n_read == len(table.frame)
    assert set(surface.dropped_by_reason) <= {str(reason) for reason in Reason}
    surface.quotes.check_bounds()


@pytest.mark.parametrize("name", ["dax_2012_nmof", "spx_pyql_20110124", "spx_cboe_2019"])
def test_forwards_are_those_of_the_sets_own_parity(name: str) -> None:
    market = BY_NAME[name]
    table = read_quotes(market.path(folder()), quote_date=market.day)
    theirs = table.frame.groupby("series")[["forward", "discount"]].first()
    surface = clean(table)
    for line in summary(surface):
        own = theirs.loc[line.forward.series]
        assert line.forward.forward == pytest.approx(own["forward"], rel=2e-4)
        assert line.forward.discount == pytest.approx(own["discount"], abs=1.5e-3)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_european_options_do_not_look_american(name: str) -> None:
    path = BY_NAME[name].path(folder())
    days = pd.read_csv(path, usecols=["quote_date"])["quote_date"].unique()
    for day in days[:: max(1, len(days) // 4)]:
        surface = clean(read_quotes(path, quote_date=day))
        assert not [w for w in surface.warnings if "look American" in w], day


def test_a_performance_index_keeps_its_negative_dividend_yield() -> None:
    surface = BY_NAME["dax_2012_nmof"].surface(folder())
    yields = [line.dividend_yield for line in summary(surface)]
    assert len(yields) == 10
    assert all(found is not None and -0.003 < found < 0.0 for found in yields)


def test_a_week_before_expiry_the_rate_is_borrowed_and_the_forward_is_not() -> None:
    first = BY_NAME["spx_pyql_20110124"].surface(folder()).forwards[0]
    assert first.source == "put-call parity, discount interpolated between expiries"
    assert 0.0 < first.rate < 0.02
    assert first.forward == pytest.approx(1291.04, abs=0.1)


def test_roots_of_2011_have_forwards_of_their_own() -> None:
    surface = BY_NAME["spx_pyql_20110124"].surface(folder())
    assert set(surface.root) == {"SPX", "SPXW", "SPXPM"}
    assert len(surface.forwards) == 15


def test_bitcoin_discounts_by_one() -> None:
    surface = BY_NAME["btc_deribit_202106"].surface(folder())
    assert {f.discount for f in surface.forwards} == {1.0}


def test_bitcoin_forwards_are_near_the_futures_and_within_bid_and_ask() -> None:
    """June 2021; order books are thin, and mids alone miss the futures by up to 5.1%."""
    path = BY_NAME["btc_deribit_202106"].path(folder())
    days = pd.read_csv(path, usecols=["quote_date"])["quote_date"].unique()
    assert len(days) == 30
    for day in days:
        table = read_quotes(path, quote_date=day)
        surface = clean(table)
        for found in surface.forwards:
            mine = table.frame[table.frame["series"] == found.series]
            assert found.forward == pytest.approx(mine["forward"].median(), rel=2.5e-3)
            traded = mine[(mine["ask"] > 0) & (mine["bid"] <= mine["ask"])]
            calls, puts = (traded[traded["is_call"] == side] for side in (True, False))
            both = calls.merge(puts, on="strike", suffixes=("_c", "_p"))
            low = both["strike"] + (both["bid_c"] - both["ask_p"]) / found.discount
            high = both["strike"] + (both["ask_c"] - both["bid_p"]) / found.discount
            if len(both):
                assert low.max() * (1 - 1e-12) <= found.forward <= high.min() * (1 + 1e-12)


def test_convex_mids_are_not_required() -> None:
    surface = clean(read_quotes(SPX_2019.path(folder()), quote_date=SPX_2019.day), CleaningRules())
    assert surface.dropped_by_reason.get("not_convex_in_strike", 0) < 0.01 * surface.size


def test_one_expiry_fits_where_the_whole_surface_cannot() -> None:
    quotes = SPX_2019.surface(folder()).quotes
    years = quotes.contracts.maturity_years
    nearest = years[np.argmin(np.abs(years - 60 / 365))]
    one = calibrate(models.get("CGMY"), quotes.select(years == nearest), weights="vega")
    assert one.fit.implied_vol_rmse < 0.0065

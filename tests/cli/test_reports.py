"""Figures of the report of a fit."""

from pathlib import Path

import numpy as np
import pytest

from levy_cli.cleaned import CleanedQuotes
from levy_cli.fitting import FittedSurface, fit_surface
from levy_cli.reports.figures import maturity_axis, points, smiles_of
from levy_cli.reports.fit import errors_by_maturity, heat_map
from levy_numerics.calibration.hybrid import FitStrategy
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import read_quotes


@pytest.fixture(scope="module")
def fitted(quotes: Path) -> FittedSurface:
    """Fit Black-Scholes to quotes with a skew."""
    strategy = FitStrategy(method="least_squares")
    cleaned = CleanedQuotes(clean(read_quotes(quotes)))
    return fit_surface(cleaned, model_type="BlackScholes", strategy=strategy)


def test_the_heat_map_is_positive_where_the_model_is_above_the_market(
    fitted: FittedSurface,
) -> None:
    (cells,) = heat_map(fitted).data
    # One volatility is below those of the market at low strikes, where the skew is high.
    assert np.nanmax(cells.z[:, 0]) < -1.0
    total = np.nansum(cells.z * cells.customdata)
    assert total == pytest.approx(100.0 * np.nansum(fitted.model_vols - fitted.market_vols))


def test_errors_by_maturity_are_in_vol_points(fitted: FittedSurface) -> None:
    root_mean_square, mean = errors_by_maturity(fitted).data
    expiries = fitted.result.fit_by_maturity
    assert [100.0 * (e.fit_quality.implied_vol_rmse or 0.0) for e in expiries] == pytest.approx(
        root_mean_square.y
    )
    assert [100.0 * (e.mean_vol_error or 0.0) for e in expiries] == pytest.approx(mean.y)


def test_bars_of_a_smile_extend_from_bid_to_ask(fitted: FittedSurface) -> None:
    surface = fitted.quotes.surface
    smile = smiles_of(surface, fitted.market_vols)[0]
    bars = points(smile).error_y
    assert np.all(bars.array > 0.0)
    assert np.all(bars.arrayminus > 0.0)


@pytest.mark.parametrize(
    ("years", "labels"),
    [
        ([0.02, 0.3, 1.2], ["1M", "3M", "6M", "1Y"]),
        ([0.1, 0.2], ["36 days", "73 days"]),
        ([0.2], ["73 days"]),
    ],
)
def test_maturities_are_labelled_by_tenors(years: list[float], labels: list[str]) -> None:
    axis = maturity_axis(years)
    assert axis["ticktext"] == labels
    assert min(years) <= min(axis["tickvals"]) <= max(axis["tickvals"]) <= max(years)


def test_errors_are_drawn_on_an_axis_of_tenors(fitted: FittedSurface) -> None:
    axis = errors_by_maturity(fitted).layout.xaxis
    assert axis.type == "log"
    assert all(label.endswith(("days", "D", "W", "M", "Y")) for label in axis.ticktext)

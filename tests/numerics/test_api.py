"""The public functions of `levy_numerics`, and how their results are shown."""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

import levy_numerics
from levy_numerics import (
    CalibrationResult,
    Contracts,
    Quotes,
    Surface,
    calibrate,
    display,
    greeks,
    implied_vol,
    models,
    price,
    pricing,
    sample_posterior,
)
from levy_numerics.calibration import calibrate_each_maturity, compare_one
from levy_numerics.errors import InvalidInputError, UnknownModelError, UnsupportedError
from levy_numerics.surface import DroppedQuote

MODEL = models.VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15)
CONTRACTS = Contracts.grid(
    spot=100.0,
    rate=0.02,
    dividend_yield=0.01,
    strikes=[80.0, 90.0, 100.0, 110.0, 120.0],
    maturities=[0.5, 1.0],
)


@pytest.fixture(scope="module")
def quotes() -> Quotes:
    return Quotes.of(CONTRACTS, price(MODEL, CONTRACTS).value.round(3))


@pytest.fixture(scope="module")
def frame(quotes: Quotes) -> pd.DataFrame:
    c = quotes.contracts
    return pd.DataFrame(
        {
            "strike": c.strike,
            "maturity_years": c.maturity_years,
            "option_type": "C",
            "spot": 100.0,
            "rate": 0.02,
            "dividend_yield": 0.01,
            "mid": quotes.price,
        }
    )


@pytest.fixture(scope="module")
def fitted(quotes: Quotes) -> CalibrationResult:
    return calibrate("VarianceGamma", quotes)


def test_every_public_name_exists() -> None:
    assert set(levy_numerics.__all__) <= set(dir(levy_numerics))
    assert levy_numerics.__version__.count(".") >= 1
    with pytest.raises(AttributeError, match="no attribute 'prices'"):
        _ = levy_numerics.prices


def test_a_submodule_does_not_replace_a_function() -> None:
    code = (
        "import levy_numerics.implied_volatility, levy_numerics.calibration.least_squares\n"
        "from levy_numerics import calibrate, greeks, implied_vol, price, sample_posterior\n"
        "assert all(map(callable, (calibrate, greeks, implied_vol, price, sample_posterior)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_model_is_given_by_name_or_class_and_quotes_as_object_or_frame(
    quotes: Quotes, frame: pd.DataFrame, fitted: CalibrationResult
) -> None:
    for model, given in (
        (models.VarianceGamma, quotes),
        ("VarianceGamma", Surface(quotes)),
        ("VarianceGamma", frame),
        ("VarianceGamma", frame.to_dict("list")),
    ):
        assert calibrate(model, given).parameters == pytest.approx(fitted.parameters, rel=1e-6)


def test_functions_of_contracts_read_the_same_frame(frame: pd.DataFrame) -> None:
    assert np.array_equal(price(MODEL, frame).value, price(MODEL, CONTRACTS).value)
    of_frame = greeks(MODEL, frame, spot=100.0)
    assert np.array_equal(of_frame.delta, greeks(MODEL, CONTRACTS, spot=100.0).delta)


def test_implied_vols_are_those_of_quotes_and_of_prices_with_contracts(quotes: Quotes) -> None:
    prices = price(MODEL, CONTRACTS)
    assert np.array_equal(implied_vol(prices), implied_vol(prices.value, CONTRACTS))
    assert implied_vol(quotes) == pytest.approx(implied_vol(prices), abs=1e-4)


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ("strike", "columns are missing: strike"),
        ("maturity_years", "maturity_years; quotes with an expiry date are read by"),
        ("option_type", "columns are missing: option_type"),
        ("rate", "columns are missing: rate, or discount"),
        ("spot", "columns are missing: forward, or spot and rate"),
        ("mid", "columns are missing: mid, or bid and ask"),
    ],
)
def test_a_missing_column_is_named(frame: pd.DataFrame, without: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        calibrate("VarianceGamma", frame.drop(columns=without))


def test_forward_and_discount_columns_are_used_before_spot_and_rate(frame: pd.DataFrame) -> None:
    given = frame.assign(forward=101.0, discount=0.97)
    contracts = Surface.from_columns(given).quotes.contracts
    assert set(contracts.forward) == {101.0}
    assert set(contracts.discount) == {0.97}


def test_bid_and_ask_are_kept_and_their_middle_is_the_price(frame: pd.DataFrame) -> None:
    sides = frame.drop(columns="mid").assign(bid=frame["mid"] - 0.1, ask=frame["mid"] + 0.1)
    quotes = Surface.from_columns(sides).quotes
    assert quotes.price == pytest.approx(frame["mid"].to_numpy())
    assert quotes.bid == pytest.approx(frame["mid"].to_numpy() - 0.1)
    one_sided = frame.assign(bid=frame["mid"].where(frame.index > 0), ask=frame["mid"])
    assert Surface.from_columns(one_sided).quotes.bid is None


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("option_type", "X", "option_type 'x' is not one of"),
        ("strike", "high", "column strike must have a number"),
        ("strike", -1.0, "strike"),
    ],
)
def test_a_wrong_value_is_rejected(
    frame: pd.DataFrame, column: str, value: Any, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        price(MODEL, frame.assign(**{column: value}))


def test_what_is_neither_a_model_nor_quotes_is_rejected(quotes: Quotes) -> None:
    with pytest.raises(UnknownModelError, match="Heston"):
        calibrate("Heston", quotes)
    with pytest.raises(InvalidInputError, match="a name or a class"):
        calibrate(MODEL, quotes)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="quotes must be Quotes, Surface, a DataFrame"):
        calibrate("VarianceGamma", [1.0, 2.0])


def test_a_surface_survives_its_frame(quotes: Quotes) -> None:
    surface = Surface(quotes, quote_date="2024-01-02", underlying="X", spot=100.0)
    again = Surface.from_columns(surface.to_frame()).quotes
    assert np.array_equal(again.price, quotes.price)
    assert np.array_equal(again.contracts.forward, quotes.contracts.forward)


def test_the_summary_of_a_surface_counts_what_was_dropped(quotes: Quotes) -> None:
    dropped = DroppedQuote("/3", "stale", "…", 90.0, 0.5, "call")
    text = Surface(quotes, (dropped, dropped), ("a warning",)).summary()
    assert "Note: 2 dropped: stale" in text
    assert "Note: a warning" in text


def test_the_summary_of_a_fit_has_every_parameter(fitted: CalibrationResult) -> None:
    lines = str(fitted).splitlines()
    assert lines[0].strip() == "VarianceGamma Calibration Results"
    assert max(map(len, lines[:9])) <= 80
    for name, value in fitted.parameters.items():
        (line,) = (line for line in lines if line.startswith(f"{name} "))
        assert float(line.split()[1]) == pytest.approx(value, rel=1e-5)


def test_results_convert_to_frames_html_and_figures(
    quotes: Quotes, fitted: CalibrationResult
) -> None:
    draws = sample_posterior("VarianceGamma", quotes, n_draws=256)
    term_structure = calibrate_each_maturity(models.VarianceGamma, quotes)
    prices, sensitivities = price(MODEL, CONTRACTS), greeks(MODEL, CONTRACTS, spot=100.0)
    sizes = ((fitted, 3), (draws, 4), (term_structure, 2), (prices, 10), (sensitivities, 10))
    for result, n_rows in sizes:
        assert len(result.to_frame()) == n_rows
        assert result._repr_html_().count("<tr>") > n_rows
        assert result.plot().data


def test_draws_and_their_frame_agree_with_the_fit(
    quotes: Quotes, fitted: CalibrationResult
) -> None:
    draws = sample_posterior("VarianceGamma", quotes)
    table = draws.to_frame().set_index("parameter")
    for name, error in fitted.standard_errors.items():
        assert abs(table.loc[name, "mean"] - fitted.parameters[name]) < 5.0 * error
        assert table.loc[name, "low_95"] < table.loc[name, "median"] < table.loc[name, "high_95"]


def test_priors_of_single_parameters_can_be_replaced(quotes: Quotes) -> None:
    near = {"nu": {"distribution": "normal", "mu": 0.4, "sigma": 1e-4}}
    draws = sample_posterior("VarianceGamma", quotes, priors=near)
    low, high = draws.intervals()["nu"]
    assert high - low < 1e-3


def test_a_comparison_lists_the_fits_in_and_out_of_sample(quotes: Quotes) -> None:
    table = compare_one(models.BlackScholes, quotes).to_frame()
    assert list(table["quotes"]) == ["all quotes", "in sample", "out of sample"]


def test_long_tables_are_cut_in_print_and_whole_in_the_frame() -> None:
    many = Contracts.of(maturity_years=1.0, strike=np.linspace(50.0, 150.0, 60), forward=100.0)
    prices = price(models.BlackScholes(sigma=0.2), many)
    assert "Note: 40 of 60 rows are shown" in prices.summary()
    assert len(prices.to_frame()) == 60


def test_a_missing_package_is_named_with_its_extra() -> None:
    with pytest.raises(UnsupportedError, match=r"levy_nowhere is not installed.*\[cli\]"):
        display.optional("levy_nowhere.graph", "cli")


def test_a_plot_without_contracts_names_what_is_missing() -> None:
    with pytest.raises(UnsupportedError, match="plot"):
        pricing.price(MODEL, CONTRACTS).plot()

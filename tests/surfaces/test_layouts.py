"""One synthetic chain, in the layouts of vendors, is read and fitted to its known parameters."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from levy_numerics import calibrate
from levy_numerics.errors import InvalidInputError
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import read_quotes

FOLDER: Final = Path(__file__).parent / "layouts"
EXPECTED: Final = json.loads((FOLDER / "expected.json").read_text())
LACKING: Final[dict[str, dict[str, Any]]] = {
    "wide_chain": {"quote_date": "2026-03-16"},
    "calls_only_with_spot": {"rate": 0.025, "dividend": 0.019},
}
"""The options that a file truly lacks."""
FORMATS: Final = {
    "calls_only_with_spot": "one row per quote",
    "cboe_delayed": "Cboe delayed quotes",
    "deribit_book_summary": "Deribit book summary",
    "european_numbers": "one row per quote, separated by semicolons, decimal commas",
    "implied_vols": "one row per quote",
    "optionmetrics": "OptionMetrics",
    "optionsdx": "optionsDX",
    "rate_in_percent": "one row per quote",
    "wide_chain": "calls and puts on one row",
    "yahoo_chain": "Yahoo Finance (yfinance)",
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_layout_is_recognised_and_fits_to_the_parameters(name: str) -> None:
    table = read_quotes(FOLDER / f"{name}.csv", **LACKING.get(name, {}))
    assert table.recognition is not None
    assert table.recognition.format == FORMATS[name]
    surface = clean(table)
    result = calibrate("NIGSato", surface.quotes, n_starts=1)
    is_coin = name.startswith("deribit")
    expected = EXPECTED["coin" if is_coin else "chain"]["parameters"]
    for parameter, value in expected.items():
        fitted = getattr(result.model, parameter)
        assert fitted == pytest.approx(value, rel=0.05 if is_coin else 0.02), parameter


@pytest.mark.parametrize("name", [name for name in FORMATS if not name.startswith("deribit")])
def test_forwards_and_maturities_are_those_of_the_chain(name: str) -> None:
    table = read_quotes(FOLDER / f"{name}.csv", **LACKING.get(name, {}))
    surface = clean(table)
    expected = [*EXPECTED["chain"]["expiries"].values()]
    # The header of Cboe's file has the time of day, 16:15, and options expire at 16:00.
    for forward, expiry in zip(surface.forwards, expected, strict=True):
        assert forward.forward == pytest.approx(expiry["forward"], rel=1e-5)
        assert forward.maturity_years == pytest.approx(expiry["maturity_years"], abs=3e-5)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("wide_chain", r"quote_date or maturity_years \(or --date"),
        ("calls_only_with_spot", "--rate and --dividend"),
    ],
)
def test_a_file_that_lacks_something_is_refused_with_the_option(name: str, remedy: str) -> None:
    with pytest.raises(InvalidInputError, match=remedy):
        clean(read_quotes(FOLDER / f"{name}.csv"))


def test_rates_in_per_cent_are_corrected_with_a_statement() -> None:
    surface = clean(read_quotes(FOLDER / "rate_in_percent.csv"))
    assert any("read as per cent and divided by 100" in w for w in surface.warnings)
    assert surface.forwards[-1].rate == pytest.approx(0.025, abs=1e-3)

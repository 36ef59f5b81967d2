"""American quotes: premiums are removed by the fitted model, and forwards follow."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_numerics import calibration, models, pricing
from levy_numerics.calibration import CalibrationResult
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts
from levy_numerics.pricing.early_exercise import Terms
from levy_numerics.surface import Surface
from levy_surfaces.american import AmericanTable, fit_american
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import QuoteTable, read_quotes

SPOT, RATE, DIVIDEND_YIELD = 100.0, 0.05, 0.01
TRUTH = models.CGMY(C=0.3, G=5.0, M=12.0, Y=0.9)
MATURITIES = [30 / 365, 91 / 365, 182 / 365, 1.0]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """American calls and puts of a CGMY model, in ticks of a cent, with spreads."""
    return written(tmp_path_factory.mktemp("american"), Terms(exercise="american"))


def written(folder: Path, terms: Terms) -> Path:
    rows = []
    for is_call in (True, False):
        contracts = Contracts.grid(
            spot=SPOT,
            rate=RATE,
            dividend_yield=DIVIDEND_YIELD,
            strikes=np.arange(70.0, 131.0, 5.0),
            maturities=MATURITIES,
            is_call=is_call,
        )
        prices = pricing.price(TRUTH, contracts, terms=terms, spot=SPOT)
        half_spread = np.maximum(0.02, 0.005 * prices.value)
        rows.append(
            pd.DataFrame(
                {
                    "maturity_years": contracts.maturity_years,
                    "strike": contracts.strike,
                    "option_type": "C" if is_call else "P",
                    "bid": np.maximum(prices.value - half_spread, 0.0).round(2),
                    "ask": (prices.value + half_spread).round(2),
                }
            )
        )
    file = folder / "chain.csv"
    pd.concat(rows).to_csv(file, index=False)
    return file


def read(path: Path, exercise: str | None) -> QuoteTable:
    return read_quotes(path, exercise=exercise, spot=SPOT, rate=RATE)  # type: ignore[arg-type]


def fit(surface: Surface, last: CalibrationResult | None) -> CalibrationResult:
    start = None if last is None else last.parameters
    return calibration.calibrate(models.CGMY, surface.quotes, start=start)


def forward_errors(surface: Surface) -> np.ndarray:
    carry = RATE - DIVIDEND_YIELD
    return np.array(
        [f.forward / (SPOT * np.exp(carry * f.maturity_years)) - 1.0 for f in surface.forwards]
    )


@pytest.mark.long
def test_an_american_chain_gives_back_its_model_and_its_forwards(path: Path) -> None:
    american = fit_american(AmericanTable(read(path, "american")), fit)
    fitted = american.fit.model.as_mapping()
    # In a European fit, C is 16% too large and forwards are up to 22 basis points too low.
    treated_as_european = clean(read(path, "european"))
    biased = fit(treated_as_european, None).model.as_mapping()
    assert abs(fitted["C"] / TRUTH.C - 1.0) < 0.03 < 0.1 < abs(biased["C"] / TRUTH.C - 1.0)
    assert abs(fitted["Y"] - TRUTH.Y) < 0.01 < 0.03 < abs(biased["Y"] - TRUTH.Y)
    for name, (low, high) in american.fit.intervals().items():
        assert low <= getattr(TRUTH, name) <= high
    assert np.max(np.abs(forward_errors(american.surface))) < 2e-4
    assert np.max(np.abs(forward_errors(treated_as_european))) > 1e-3
    contracts = american.surface.quotes.contracts
    exact = (
        pricing.price(TRUTH, contracts, terms=Terms(exercise="american"), spot=SPOT).value
        - pricing.price(TRUTH, contracts).value
    )
    assert np.max(np.abs(american.premium - exact)) < 0.02
    assert "American quotes" in american.warnings[0]
    assert len(american.warnings) == 1, "the iteration converges"


LOOK_AMERICAN = "these quotes look American"


def test_american_quotes_of_unknown_exercise_are_reported(path: Path) -> None:
    (warning,) = [w for w in clean(read(path, None)).warnings if LOOK_AMERICAN in w]
    assert "set exercise american" in warning
    for rate in (0.05, None):
        table = read_quotes(path, spot=SPOT, rate=rate)
        assert any(LOOK_AMERICAN in w for w in clean(table).warnings)
    # Without a rate, the slope of American pairs implies a negative one.
    assert "implied rate -" in next(w for w in clean(table).warnings if LOOK_AMERICAN in w)
    stated = clean(read(path, "european"))
    assert not any(LOOK_AMERICAN in w for w in stated.warnings)


def test_european_quotes_of_unknown_exercise_do_not_look_american(tmp_path: Path) -> None:
    european = written(tmp_path, Terms())
    for rate in (0.05, None):
        surface = clean(read_quotes(european, spot=SPOT, rate=rate))
        assert not any(LOOK_AMERICAN in w for w in surface.warnings)


def test_american_quotes_require_spot_and_rate(path: Path) -> None:
    with pytest.raises(InvalidInputError, match="--spot"):
        AmericanTable(read_quotes(path, exercise="american", rate=RATE))
    with pytest.raises(InvalidInputError, match="--rate"):
        AmericanTable(read_quotes(path, exercise="american", spot=SPOT))

"""The line of each expiry in reports."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_numerics.black import black_price
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import read_quotes
from levy_surfaces.summary import ExpirySummary, summary

YEARS = 182 / 365


@pytest.fixture
def line(written: Callable[[pd.DataFrame], Path]) -> ExpirySummary:
    """Return the summary of one expiry, whose volatility is 20% at the forward, with a skew."""
    forward = 100.0 * np.exp(0.02 * YEARS)
    strike = np.repeat(np.arange(80.0, 125.0, 6.0), 2)
    is_call = np.tile([True, False], strike.size // 2)
    price = black_price(
        forward=forward,
        strike=strike,
        maturity_years=YEARS,
        discount=np.exp(-0.03 * YEARS),
        vol=0.2 - 0.3 * np.log(strike / forward),
        is_call=is_call,
    )
    frame = pd.DataFrame(
        {
            "quote_date": "2024-01-03",
            "spot": 100.0,
            "expiry": "2024-07-03",
            "strike": strike,
            "option_type": np.where(is_call, "C", "P"),
            "bid": price - 0.01,
            "ask": price + 0.01,
        }
    )
    (only,) = summary(clean(read_quotes(written(frame))))
    return only


def test_the_volatility_at_the_money_is_that_at_the_forward(line: ExpirySummary) -> None:
    assert line.atm_vol == pytest.approx(0.2, abs=1e-4)


def test_an_expiry_has_the_range_of_its_strikes_and_the_yield_of_its_forward(
    line: ExpirySummary,
) -> None:
    assert (line.n_quotes, line.strike_low, line.strike_high) == (8, 80.0, 122.0)
    assert line.dividend_yield == pytest.approx(0.01, abs=1e-4)

"""Fixtures: a small synthetic market, quoted in ticks, which tests modify."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_numerics.black import black_price

SPOT, RATE, DIVIDEND, VOL = 100.0, 0.03, 0.01, 0.2
EXPIRIES = {"2024-04-03": 91 / 365, "2024-07-03": 182 / 365, "2025-01-02": 365 / 365}
STRIKES = np.arange(70.0, 135.0, 5.0)
HALF_SPREAD = 0.02

Market = pd.DataFrame
Writer = Callable[[pd.DataFrame], Path]


def quoted(vol_of: dict[str, float] | None = None) -> Market:
    """Return calls and puts of one day by Black's formula; parity holds up to rounding."""
    rows = []
    for expiry, years in EXPIRIES.items():
        forward = SPOT * np.exp((RATE - DIVIDEND) * years)
        for strike in STRIKES:
            for kind in "CP":
                price = float(
                    black_price(
                        forward=forward,
                        strike=strike,
                        maturity_years=years,
                        discount=np.exp(-RATE * years),
                        vol=(vol_of or {}).get(expiry, VOL),
                        is_call=kind == "C",
                    )
                )
                mid = round(price, 3)
                rows.append(
                    {
                        "quote_date": "2024-01-03",
                        "underlying": "ACME",
                        "spot": SPOT,
                        "expiry": expiry,
                        "strike": strike,
                        "option_type": kind,
                        "bid": max(mid - HALF_SPREAD, 0.0),
                        "ask": mid + HALF_SPREAD,
                        "colour": "blue",
                    }
                )
    return pd.DataFrame(rows)


@pytest.fixture
def market() -> Market:
    """Return a market without arbitrage, with a volatility of 20%."""
    return quoted()


@pytest.fixture
def inverted_market() -> Market:
    """Return a market whose last expiry has lower prices than the one before."""
    return quoted({"2025-01-02": 0.1})


@pytest.fixture
def written(tmp_path: Path) -> Writer:
    """Write a table as CSV and return its path."""

    def write(frame: pd.DataFrame) -> Path:
        path = tmp_path / "quotes.csv"
        frame.to_csv(path, index=False)
        return path

    return write

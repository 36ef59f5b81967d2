"""Fixtures: a file of quotes from a Variance Gamma process."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from levy_numerics import models, pricing
from levy_numerics.market import Contracts

PARAMETERS = {"sigma": 0.2, "nu": 0.3, "theta": -0.15}


@pytest.fixture(scope="session")
def quotes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write calls and puts of three expiries with bid and ask, one of them crossed."""
    days = {"2024-04-03": 91, "2024-07-03": 182, "2025-01-02": 365}
    frames = []
    for is_call in (True, False):
        contracts = Contracts.grid(
            spot=100.0,
            rate=0.03,
            dividend_yield=0.01,
            strikes=np.arange(75.0, 130.0, 5.0),
            maturities=[n / 365 for n in days.values()],
            is_call=is_call,
        )
        model = models.from_mapping("VarianceGamma", PARAMETERS)
        price = pricing.price(model, contracts).value
        frames.append(
            pd.DataFrame(
                {
                    "quote_date": "2024-01-03",
                    "underlying": "ACME",
                    "spot": 100.0,
                    "expiry": np.repeat(list(days), 11),
                    "strike": contracts.strike,
                    "option_type": "C" if is_call else "P",
                    "bid": price * 0.999,
                    "ask": price * 1.001,
                }
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    frame.loc[0, ["bid", "ask"]] = [30.0, 20.0]
    path = tmp_path_factory.mktemp("quotes") / "quotes.csv"
    frame.to_csv(path, index=False)
    return path

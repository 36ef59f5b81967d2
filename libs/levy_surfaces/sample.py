"""A synthetic option chain, to try the commands without other data."""

from importlib.resources import files
from typing import Final

import pandas as pd

SAMPLE_MODEL: Final = "NIGSato"
SAMPLE_PARAMETERS: Final = {"alpha": 9.0, "beta": -5.0, "delta": 0.12, "gamma": 0.55}
"""Parameters that the prices were made with, at a rate of 2.5% and a dividend yield of 1.9%."""


def sample_chain() -> pd.DataFrame:
    """Return 615 quotes of 2026-03-16 on an index XYZ at 2943.15, in ticks, bid and ask.

    Six expiries up to 15 months; prices of the model NIGSato with `SAMPLE_PARAMETERS`.
    """
    path = files("levy_surfaces").joinpath("data", "sample_chain.csv")
    with path.open("rb") as file:
        return pd.read_csv(file)

"""The benchmark surface: calls, 20 strikes by 10 maturities."""

from typing import Final

import numpy as np

from levy_numerics import models
from levy_numerics.market import Contracts
from levy_numerics.models import Model

SPOT: Final = 100.0
RATE: Final = 0.03
DIVIDEND_YIELD: Final = 0.01
STRIKES: Final = np.linspace(80.0, 120.0, 20)
MATURITY_DAYS: Final = (30, 61, 91, 122, 182, 273, 365, 547, 730, 1095)
"""Whole days of a 365-day year, so that libraries with calendars use the same maturities."""
MATURITIES: Final = np.array(MATURITY_DAYS) / 365.0


def contracts(strikes: np.ndarray = STRIKES, maturities: np.ndarray = MATURITIES) -> Contracts:
    """Return calls on the grid of strikes by maturities, in row-major (maturity, strike) order."""
    return Contracts.grid(
        spot=SPOT, rate=RATE, dividend_yield=DIVIDEND_YIELD, strikes=strikes, maturities=maturities
    )


def nearby_models(name: str, n: int) -> list[Model]:
    """Return n parameter sets within 1% of a model's example, to defeat caches."""
    example = models.get(name).example()
    return [
        type(example)(**{k: v * (1.0 + 0.01 * i / n) for k, v in example.as_mapping().items()})
        for i in range(n)
    ]


def batch(name: str, n: int) -> Model:
    """Return the parameter sets of `nearby_models` as one batch."""
    sets = [model.as_mapping() for model in nearby_models(name, n)]
    return models.get(name)(**{k: np.array([s[k] for s in sets]) for k in sets[0]})

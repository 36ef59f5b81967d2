"""Surfaces for tests of calibration."""

import numpy as np

from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import Model
from levy_numerics.pricing import price

CONTRACTS = Contracts.grid(
    spot=100.0,
    rate=0.03,
    dividend_yield=0.01,
    strikes=100.0 * np.exp(np.linspace(-0.4, 0.4, 20)),
    maturities=np.linspace(0.1, 2.0, 10),
)


def exact_quotes(model: Model, contracts: Contracts = CONTRACTS) -> Quotes:
    """Return quotes without error."""
    return Quotes.of(contracts, price(model, contracts, tolerance=1e-12).value)


def recovered(found: Model, truth: Model, quotes: Quotes, residuals: np.ndarray) -> bool:
    """Return whether parameters are within 0.1%, or, if not identified, prices within 1e-8 F."""
    pairs = zip(found.as_mapping().values(), truth.as_mapping().values(), strict=True)
    same = all(abs(a - b) <= 1e-3 * abs(b) for a, b in pairs)
    return same or float(np.max(np.abs(residuals / quotes.contracts.forward))) <= 1e-8

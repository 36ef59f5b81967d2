"""The standard grid: 20 scaled strikes at 10 maturities, 200 out-of-the-money options.

Strikes widen as the square root of time: a column is one value of ln(K/F)/√T, as a listing on an
exchange roughly is. Twenty fixed strikes would spend most of the short maturities where prices
are nil, and reach less than a deviation at the long ones.
"""

from typing import Final

import numpy as np

from levy_numerics.market import Contracts

MATURITY_DAYS: Final = (14, 30, 61, 91, 137, 182, 273, 365, 547, 730)
MATURITY_YEARS: Final = np.array(MATURITY_DAYS) / 365.0
"""Shape (10,): two weeks to two years."""

_SPACING: Final = np.sinh(np.linspace(-1.6, 1.4, 20))
SCALED_LOG_STRIKES: Final = np.where(
    _SPACING < 0, 0.7 * _SPACING / -_SPACING[0], 0.5 * _SPACING / _SPACING[-1]
)
"""ln(K/F)/√T, shape (20,): −0.7 to 0.5, denser near the money."""

SHAPE: Final = (MATURITY_YEARS.size, SCALED_LOG_STRIKES.size)
"""(maturities, strikes)."""


def log_strikes() -> np.ndarray:
    """ln(K/F) of the grid, shape (10, 20): a row for each maturity."""
    return np.asarray(np.sqrt(MATURITY_YEARS)[:, None] * SCALED_LOG_STRIKES)


def otm_contracts(log_strike: np.ndarray, maturity_years: np.ndarray) -> Contracts:
    """Out-of-the-money options in forward units: F = D = 1, puts below the forward, calls above.

    Parameters
    ----------
    log_strike, maturity_years : ndarray, shape (n,)
        ln(K/F), and years.
    """
    return Contracts.of(
        maturity_years=maturity_years,
        strike=np.exp(log_strike),
        forward=1.0,
        is_call=np.asarray(log_strike) >= 0.0,
    )


def grid_contracts() -> Contracts:
    """The 200 options of the grid, in row-major (maturity, strike) order."""
    return otm_contracts(log_strikes().ravel(), np.repeat(MATURITY_YEARS, SHAPE[1]))

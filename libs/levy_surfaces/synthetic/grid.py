"""The standard grid: 20 strikes at 10 maturities, 200 out-of-the-money options in forward units.

Strikes are the same multiples of the forward at every maturity, denser near the money. Strikes that
widen with √T gave less accurate networks: see `docs/decisions/0006*`.
"""

from typing import Final

import numpy as np

from levy_numerics.market import Contracts

MATURITY_DAYS: Final = (14, 30, 61, 91, 137, 182, 273, 365, 547, 730)
MATURITY_YEARS: Final = np.array(MATURITY_DAYS) / 365.0
"""Shape (10,): two weeks to two years."""

_SPACING: Final = np.sinh(np.linspace(-1.6, 1.4, 20))
LOG_STRIKES: Final = np.where(
    _SPACING < 0, 0.6 * _SPACING / -_SPACING[0], 0.45 * _SPACING / _SPACING[-1]
)
"""ln(K/F), shape (20,): K/F from 0.55 to 1.57."""

SHAPE: Final = (MATURITY_YEARS.size, LOG_STRIKES.size)
"""(maturities, strikes)."""


def flat_log_strikes() -> np.ndarray:
    """Return ln(K/F) of the 200 options, in row-major (maturity, strike) order."""
    return np.tile(LOG_STRIKES, SHAPE[0])


def flat_maturity_years() -> np.ndarray:
    """Return the maturity of the 200 options, in the same order."""
    return np.repeat(MATURITY_YEARS, SHAPE[1])


def otm_contracts(log_strike: np.ndarray, maturity_years: np.ndarray) -> Contracts:
    """Return out-of-the-money options with F = D = 1: puts below the forward, calls above.

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
    """Return the 200 options, in row-major (maturity, strike) order."""
    return otm_contracts(flat_log_strikes(), flat_maturity_years())

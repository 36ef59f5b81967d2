"""Signs that prices, strikes, rates or maturities are in a wrong unit."""

from typing import Final

import numpy as np

from levy_numerics.market import Quotes
from levy_surfaces.arbitrage import MID_ONLY_SPREAD
from levy_surfaces.screening import QuoteArrays

_MIN_IN_THE_MONEY: Final = 4
_SHARE_BELOW_INTRINSIC: Final = 0.4
_USUAL_VOLATILITIES: Final = (0.015, 4.0)
_NEAR_THE_MONEY: Final = 0.1
"""Of K/F − 1, per root year: one standard deviation at a volatility of 10%."""



def intrinsic_warning(
    quotes: QuoteArrays, kept: np.ndarray, lower: np.ndarray, unit: np.ndarray
) -> tuple[str, ...]:
    """Return a warning if many in-the-money quotes are worth less than intrinsic value at the ask.

    Parameters
    ----------
    quotes : QuoteArrays
    kept : ndarray of bool, shape (n,)
        Quotes with a usable price.
    lower, unit : ndarray, shape (n,)
        Discounted intrinsic value; discounted forward.
    """
    relative, absolute = MID_ONLY_SPREAD
    in_the_money = kept & (lower > absolute * unit)
    n_in_the_money = int(np.count_nonzero(in_the_money))
    if n_in_the_money < _MIN_IN_THE_MONEY:
        return ()
    best = np.where(
        np.isnan(quotes.ask), quotes.price * (1.0 + relative) + absolute * unit, quotes.ask
    )
    n_below = int(np.count_nonzero(in_the_money & (best < lower)))
    if n_below < _SHARE_BELOW_INTRINSIC * n_in_the_money:
        return ()
    return (
        f"{n_below} of {n_in_the_money} in-the-money quotes are worth less than intrinsic value: "
        "check spot or forward, rate, dividends, and the units of prices and strikes",
    )


def volatility_warning(quotes: Quotes) -> tuple[str, ...]:
    """Return a warning if prices near the forward are far too low or high for any underlying.

    At the money, time value over D·F is 0.4·σ√T, and less away from it. The largest quotient near
    the money is therefore about the volatility there; none is taken without quotes so near.
    """
    c = quotes.contracts
    root_years = np.sqrt(c.maturity_years)
    distance = (c.strike - c.forward) / c.forward
    near = np.abs(distance) <= _NEAR_THE_MONEY * root_years
    if not near.any():
        return ()
    intrinsic = np.maximum(np.where(c.is_call, -distance, distance), 0.0)
    time_value = quotes.price / (c.discount * c.forward) - intrinsic
    vol = float(np.max((time_value / (0.4 * root_years))[near]))
    low, high = _USUAL_VOLATILITIES
    if low <= vol <= high:
        return ()
    return (
        f"implied volatility at the money is about {vol:.2%} a year: check that prices have the "
        "currency and unit of the strikes, and that maturities are in years",
    )

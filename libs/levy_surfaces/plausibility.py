"""Signs that prices, strikes, rates or maturities are in a wrong unit."""

from typing import Final

import numpy as np

from levy_numerics.implied_vol import implied_vol_or_reason
from levy_numerics.market import Quotes
from levy_surfaces.arbitrage import MID_ONLY_SPREAD
from levy_surfaces.screening import QuoteArrays

_MIN_IN_THE_MONEY: Final = 4
_SHARE_BELOW_INTRINSIC: Final = 0.4
_USUAL_VOLATILITIES: Final = (0.02, 5.0)
_NEAREST: Final = 3


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
    """Return a warning if volatility at the money is outside 2% to 500%."""
    c = quotes.contracts
    n_nearest = min(_NEAREST, c.size)
    near = np.argpartition(np.abs(c.forward - c.strike) / c.forward, n_nearest - 1)[:n_nearest]
    forward, strike, discount = c.forward[near], c.strike[near], c.discount[near]
    price, years, is_call = quotes.price[near], c.maturity_years[near], c.is_call[near]
    gain = np.where(is_call, forward - strike, strike - forward)
    time_value = price / (discount * forward) - np.maximum(gain / forward, 0.0)
    low, high = _USUAL_VOLATILITIES
    # At the money, time value over D·F is 0.4·σ√T; away from it, less.
    at_least = float(np.median(time_value / (0.4 * np.sqrt(years))))
    if 2.0 * low < at_least < 0.4 * high:
        return ()
    result = implied_vol_or_reason(
        price,
        forward=forward,
        strike=strike,
        maturity_years=years,
        discount=discount,
        is_call=is_call,
    )
    vols = result.vol[result.ok & (result.vol > 0.0)]
    if vols.size == 0 or low <= (vol := float(np.median(vols))) <= high:
        return ()
    return (
        f"implied volatility at the money is {vol:.2%} a year: check that prices have the "
        "currency and unit of the strikes, and that maturities are in years",
    )

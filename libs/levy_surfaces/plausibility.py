"""Warnings about prices, strikes, rates or maturities that may be in a wrong unit."""

from typing import Final

import numpy as np

from levy_numerics.market import Quotes
from levy_surfaces.arbitrage import MID_ONLY_SPREAD
from levy_surfaces.screening import QuoteArrays

_MIN_QUOTES: Final = 4
"""Fewer quotes out of bounds may be single misprints."""
_SHARE_OUTSIDE: Final = 0.4
"""A wrong unit affects most quotes of a side, bad quotes affect few."""
_USUAL_VOLATILITIES: Final = (0.015, 4.0)
"""Annual volatilities beyond which a wrong unit is likely."""
_NEAR_THE_MONEY: Final = 0.1
"""Largest |K/F − 1| per root year: one standard deviation at a volatility of 10%."""


def bounds_warning(
    quotes: QuoteArrays, kept: np.ndarray, lower: np.ndarray, upper: np.ndarray, unit: np.ndarray
) -> tuple[str, ...]:
    """Return warnings if many quotes are outside their no-arbitrage bounds even at bid and ask.

    Parameters
    ----------
    quotes : QuoteArrays
    kept : ndarray of bool, shape (n,)
        Quotes with a usable price.
    lower, upper, unit : ndarray, shape (n,)
        Discounted intrinsic value; the largest price; discounted forward.
    """
    relative, absolute = MID_ONLY_SPREAD
    slack = relative * quotes.price + absolute * unit
    ask = np.where(np.isnan(quotes.ask), quotes.price + slack, quotes.ask)
    bid = np.where(np.isnan(quotes.bid), quotes.price - slack, quotes.bid)
    in_the_money = kept & (lower > absolute * unit)
    sides = (
        (in_the_money, ask < lower, "in-the-money quotes are worth less than intrinsic value"),
        (kept, bid > upper, "quotes are worth more than the discounted forward or strike"),
    )
    return tuple(
        f"{n_off} of {n} {fault}: check spot or forward, rate, dividends, and the units of prices "
        "and strikes"
        for which, off, fault in sides
        if (n := int(np.count_nonzero(which))) >= _MIN_QUOTES
        and (n_off := int(np.count_nonzero(which & off))) >= _SHARE_OUTSIDE * n
    )


def no_market_warning(is_used: np.ndarray, prices: str) -> tuple[str, ...]:
    """Return a warning if quotes are used whose bid and ask are zero.

    Parameters
    ----------
    is_used : ndarray of bool, shape (n,)
        Whether a quote is used though its bid and ask are zero.
    prices : str
        Where their prices come from, for people.
    """
    n_used = int(np.count_nonzero(is_used))
    if not n_used:
        return ()
    return (
        f"bid and ask are zero on {n_used} quotes: the prices in {prices} are used, which may be "
        "old and have no known spread",
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

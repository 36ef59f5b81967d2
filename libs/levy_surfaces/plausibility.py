"""Warnings about prices, strikes, rates or maturities that may be in a wrong unit."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from levy_numerics.market import Quotes
from levy_numerics.surface import Forward, Surface
from levy_surfaces.arbitrage import MID_ONLY_SPREAD
from levy_surfaces.reasons import Reason
from levy_surfaces.screening import QuoteArrays
from levy_surfaces.summary import vols_of

_MIN_QUOTES: Final = 4
"""Fewer quotes out of bounds may be single misprints."""
_SHARE_OUTSIDE: Final = 0.4
"""A wrong unit affects most quotes of a side, bad quotes affect few."""
_USUAL_VOLATILITIES: Final = (0.015, 4.0)
"""Annual volatilities beyond which a wrong unit is likely."""
_CONTRADICTIONS: Final = frozenset(
    str(reason)
    for reason in (
        *(Reason.CROSSED, Reason.MID_OUTSIDE_SPREAD, Reason.CONFLICTING, Reason.STALE),
        *(Reason.NO_TIME_VALUE, Reason.ABOVE_MAXIMUM, Reason.NOT_MONOTONE, Reason.NOT_CONVEX),
        Reason.CALENDAR,
    )
)
_SHARE_BAD: Final = 0.1
"""Share of such quotes beyond which the file, rather than a few quotes, is likely to be wrong."""
_FAR_STRIKES: Final = 0.4
"""|ln(K/F)| that some quote of every usable surface is within."""
_MIN_MATURITIES: Final = 3
_WEEK_YEARS: Final = 7.0 / 365.0
_MIN_CONSTANT: Final = 10
_USUAL_RATE: Final = 0.25
"""Largest usual |rate|, continuous, per year."""
_FAR_SPOT: Final = 0.5
"""|ln(F/S)| that only carry explains: the forwards of volatility indices are within it."""
_NEAR_FOR_VOLS: Final = 0.05
"""Largest |K/F − 1| at which a file's own volatilities are compared."""
_VOL_TOLERANCE: Final = 0.15
_MONTH_YEARS: Final = 1.0 / 12.0
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


def damage_warning(reasons: pd.Series) -> tuple[str, ...]:
    """Return a warning if many quotes contradict themselves or each other.

    Parameters
    ----------
    reasons : Series of str, shape (n,)
        Why each quote was dropped; empty for those kept.
    """
    n_bad = int(reasons.isin(_CONTRADICTIONS).sum())
    n_in_the_money = int((reasons == str(Reason.IN_THE_MONEY)).sum())
    if n_bad < _MIN_QUOTES or n_bad <= _SHARE_BAD * (len(reasons) - n_in_the_money):
        return ()
    return (
        f"{n_bad} of {len(reasons)} quotes contradict themselves or others (crossed, stale, or "
        "with arbitrage): check that the columns are the right ones and of one snapshot",
    )


def constant_warning(table: pd.DataFrame) -> tuple[str, ...]:
    """Return warnings about columns of prices or volatilities that have one value in all rows."""
    has_sides = bool(table[["bid", "ask"]].notna().any(axis=None))
    names = ("bid", "ask", "mid") if has_sides else ("mid", "implied_vol")
    return tuple(
        f"{name} is {values.iloc[0]:g} in all {len(values)} rows: check that the column is the "
        "right one"
        for name in names
        if len(values := table[name].dropna()) >= _MIN_CONSTANT
        and values.iloc[0] > 0
        and (values == values.iloc[0]).all()
    )


def moneyness_warning(quotes: Quotes) -> tuple[str, ...]:
    """Return a warning if all strikes are far from their forwards."""
    ratio = quotes.contracts.strike / quotes.contracts.forward
    if np.any(np.abs(np.log(ratio)) < _FAR_STRIKES):
        return ()
    return (
        f"all strikes are far from the forward ({ratio.min():.3g} to {ratio.max():.3g} times it): "
        "check the units of strikes, spot and forward",
    )


def maturity_warning(table: pd.DataFrame) -> tuple[str, ...]:
    """Return a warning if several maturities without dates are all within a week."""
    years = table["maturity_years"]
    if table["expiry"].notna().any() or years.nunique() < _MIN_MATURITIES:
        return ()
    if years.max() > _WEEK_YEARS:
        return ()
    return (f"all maturities are below {years.max():.3g} years: check that they are in years",)


def rate_warning(forwards: Sequence[Forward]) -> tuple[str, ...]:
    """Return a warning if a discount implies a rate that is not plausible, beyond a month."""
    high = [
        forward
        for forward in forwards
        if forward.maturity_years >= _MONTH_YEARS and abs(forward.rate) > _USUAL_RATE
    ]
    if not high:
        return ()
    worst = max(high, key=lambda forward: abs(forward.rate))
    return (
        f"the discount factor of {len(high)} expiries implies a rate beyond ±{_USUAL_RATE:.0%} "
        f"({worst.rate:.0%} at {worst.maturity_years:.4g} years): check prices, strikes and rates",
    )


def spot_warning(surface: Surface) -> tuple[str, ...]:
    """Return a warning if no usual carry leads from the spot to the forward of most expiries."""
    if surface.spot is None:
        return ()
    ratio = np.array([f.forward for f in surface.forwards]) / surface.spot
    years = np.array([f.maturity_years for f in surface.forwards])
    is_far = np.abs(np.log(ratio)) > _FAR_SPOT + _USUAL_RATE * years
    if not np.mean(is_far) > 0.5:
        return ()
    return (
        f"the spot {surface.spot:g} is far from the forwards (typically {np.median(ratio):.3g} "
        "times it), which the fit uses: check the spot, its date and its unit",
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


def own_volatility_warning(surface: Surface, table: pd.DataFrame) -> tuple[str, ...]:
    """Return a warning if a file's own volatilities contradict those that its prices imply.

    Quotes near the forward are compared, where rates, dividends and day counts matter least.

    Parameters
    ----------
    surface : Surface
        Cleaned quotes of a file.
    table : DataFrame
        `QuoteTable.frame`, in which `row` and `is_call` identify a quote.
    """
    if table["implied_vol"].nunique() < _MIN_QUOTES:
        return ()
    c = surface.quotes.contracts
    keys = pd.MultiIndex.from_arrays([surface.row, c.is_call])
    stated = table[~table.duplicated(["row", "is_call"])].set_index(["row", "is_call"])
    own = stated["implied_vol"].reindex(keys).to_numpy(float)
    distance = np.abs(c.strike / c.forward - 1.0)
    near = (own > 0) & (distance <= _NEAR_FOR_VOLS)
    if np.count_nonzero(near) < _MIN_QUOTES:
        return ()
    implied = vols_of(surface.quotes.price[near], c.select(near))
    ratio = float(np.nanmedian(implied / own[near]))
    if not abs(ratio - 1.0) > _VOL_TOLERANCE:
        return ()
    return (
        f"prices imply volatilities {ratio:.3g} times those that the file states: check prices, "
        "strikes, maturities and dates, or the unit of the volatilities",
    )

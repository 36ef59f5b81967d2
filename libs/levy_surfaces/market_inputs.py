"""Complete a table with what the user states, and correct rates, maturities and volatilities."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from levy_numerics.black import black_price
from levy_numerics.errors import InvalidInputError
from levy_surfaces.formats.names import squeezed
from levy_surfaces.given import GivenMarket
from levy_surfaces.maturities import DAYS_PER_YEAR
from levy_surfaces.quote_settings import QuoteSettings
from levy_surfaces.rate_curves import RateCurve

_PER_CENT_RATE: Final = 1.0
"""Rates above 100% a year are per cent."""
_PER_CENT_YIELD: Final = 0.2
"""Dividend yields above 20% are per cent where the rates are."""
_PER_CENT_VOL: Final = 3.0
"""Median implied volatilities above 300% are per cent."""
_DAYS_YEARS: Final = 10.0
"""Maturities above ten years are days if all are whole numbers."""
_LONG_YEARS: Final = 5.0
"""Maturities beyond which options are rare, and months are likely."""
_TIME_UNITS: Final = ("year", "yte", "month", "week")
"""Parts of names of columns that state the unit."""
_SAME_DAYS: Final = 0.6
"""Difference from calendar days, in days, up to which stated maturities are days."""


@dataclass(frozen=True)
class StatedMarket:
    """Spot, rate and dividend yield that the user states, by row."""

    settings: QuoteSettings

    def applied(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the frame with the columns that the user states replaced."""
        columns: dict[str, float | np.ndarray] = {}
        if self.settings.spot is not None:
            columns["spot"] = self.settings.spot
        rate = self.settings.rate
        if isinstance(rate, RateCurve):
            columns["rate"] = rate.rate(frame["maturity_years"].to_numpy(float))
        elif rate is not None:
            columns["rate"] = rate
        if self.settings.dividend is not None:
            columns["dividend_yield"] = self.settings.dividend
        return frame.assign(**columns)

    @property
    def replaced(self) -> dict[str, str]:
        """The columns that the user states, with their values for people."""
        rate = self.settings.rate
        texts = {
            "spot": self.settings.spot,
            "rate": rate.name if isinstance(rate, RateCurve) else rate,
            "dividend_yield": self.settings.dividend,
        }
        return {
            name: value if isinstance(value, str) else f"{value:g}"
            for name, value in texts.items()
            if value is not None
        }


def decimal_rates(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return rates and yields as decimals, where they are per cent, and what was done.

    Raises
    ------
    InvalidInputError
        Dividend yields are beyond those of any underlying even as per cent.
    """
    sizes = {name: float(frame[name].abs().max()) for name in ("rate", "dividend_yield")}
    if not max(np.nan_to_num(size) for size in sizes.values()) > _PER_CENT_RATE:
        return frame, []
    limits = {"rate": _PER_CENT_RATE, "dividend_yield": _PER_CENT_YIELD}
    if not sizes["rate"] > _PER_CENT_RATE:
        limits["dividend_yield"] = _PER_CENT_RATE
    names = [name for name, size in sizes.items() if size > limits[name]]
    yields = sizes["dividend_yield"]
    if "dividend_yield" in names and yields / 100.0 > _PER_CENT_YIELD:
        raise InvalidInputError(
            f"dividend_yield (up to {yields:g}) is not a yield, as decimal or per cent: if it is "
            "an amount of money or in basis points, give the continuous yield (--dividend 1.9%)",
            column="dividend_yield",
        )
    listed = " and ".join(f"{name} (up to {sizes[name]:g})" for name in names)
    return frame.assign(**{name: frame[name] / 100.0 for name in names}), [
        f"{listed}: read as per cent and divided by 100, because rates above 100% a year are not "
        "plausible"
    ]


def years_of_days(stated: np.ndarray, calendar_years: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return stated maturities in years, where they are days, and what was done.

    Parameters
    ----------
    stated : ndarray, shape (n,)
        Column `maturity_years`; NaN where missing.
    calendar_years : ndarray, shape (n,)
        By the dates; NaN where missing.
    """
    known = ~np.isnan(stated)
    if not known.any():
        return stated, []
    days = calendar_years * DAYS_PER_YEAR
    both = known & ~np.isnan(days) & (days > 1.0)
    if both.any() and np.all(np.abs(stated - days)[both] <= _SAME_DAYS):
        reason = "they equal the calendar days between the dates"
    elif (
        not both.any()
        and float(np.max(stated[known])) > _DAYS_YEARS
        and np.all(stated[known] == np.round(stated[known]))
    ):
        reason = f"they are whole numbers up to {np.max(stated[known]):g}"
    else:
        return stated, []
    return stated / DAYS_PER_YEAR, [
        f"maturities are read as days and divided by 365, because {reason}"
    ]


def unstated_unit(label: str, stated: np.ndarray, is_undated: np.ndarray) -> list[str]:
    """Return a warning if maturities without dates may be months.

    Parameters
    ----------
    label : str
        The table's name of the column.
    stated : ndarray, shape (n,)
        Maturities in years, NaN where missing.
    is_undated : ndarray of bool, shape (n,)
        Whether a row has no date of expiry.
    """
    longest = float(np.max(stated[is_undated], initial=0.0, where=~np.isnan(stated[is_undated])))
    if longest <= _LONG_YEARS or any(mark in squeezed(label) for mark in _TIME_UNITS):
        return []
    return [
        f"maturities up to {longest:.3g} are read as years (column {label}): if they are months, "
        f"pass --scale maturity_years={1.0 / 12.0:.6g}"
    ]


def decimal_vols(frame: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Return implied volatilities as decimals, and whether they were per cent.

    Raises
    ------
    InvalidInputError
        Volatilities are beyond those of any underlying even as per cent.
    """
    vols = frame["implied_vol"]
    usable = vols[vols > 0]
    typical = float(usable.median()) if len(usable) else 0.0
    if typical / 100.0 > _PER_CENT_VOL:
        raise InvalidInputError(
            f"implied_vol (typically {typical:g}) is not a Black volatility, as decimal or per "
            "cent: if it is in basis points, pass --scale implied_vol=0.0001; volatilities of the "
            "normal model are not read",
            column="implied_vol",
        )
    is_percent = typical > _PER_CENT_VOL
    return (frame.assign(implied_vol=vols / 100.0) if is_percent else frame), is_percent


def prices_of_vols(frame: pd.DataFrame, spot: float | None) -> tuple[pd.DataFrame, list[str]]:
    """Return the frame with `mid` by Black's formula, where it has volatilities and no prices.

    Raises
    ------
    InvalidInputError
        A forward cannot be derived from the columns and options.
    """
    priced = frame[["bid", "ask", "mid"]].notna().any(axis=None)
    if priced or frame["implied_vol"].isna().all():
        return frame, []
    warnings: list[str] = []
    mid = np.full(len(frame), np.nan)
    positions = frame.groupby("series").indices
    discounts = frame["discount"].to_numpy(float, copy=True)
    for rows in positions.values():
        group = frame.iloc[rows]
        years = float(group["maturity_years"].iloc[0])
        if not years > 0:
            continue
        given = GivenMarket.of(group, years, spot, f"{years:.4g} years")
        if given.forward is None:
            raise InvalidInputError(
                "implied volatilities need a forward: add a column forward, or spot and rate "
                "(--spot, --rate and --dividend on the command line)"
            )
        discount = given.discount
        if discount is None:
            discount = 1.0
            discounts[rows] = 1.0
            warnings = [
                "implied volatilities are priced with a discount factor of 1, because neither the "
                "file nor --rate gives a rate; volatilities do not depend on it"
            ]
        elif "without dividends" in given.source:
            warnings = [
                "forwards of the implied volatilities are carried from the spot without dividends, "
                "because neither the file nor --dividend gives a yield"
            ]
        vols = group["implied_vol"].to_numpy(float)
        ok = vols > 0
        price = black_price(
            forward=given.forward,
            strike=group["strike"].to_numpy(float),
            maturity_years=years,
            discount=discount,
            vol=np.where(ok, vols, 1.0),
            is_call=group["is_call"].to_numpy(bool),
        )
        mid[rows] = np.where(ok, price, np.nan)
    return frame.assign(mid=mid, discount=discounts), warnings

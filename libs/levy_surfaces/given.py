"""Forward and discount that a file's own columns give to one series."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from levy_numerics.errors import InvalidInputError

_MAX_RATE: Final = 1.0
"""Continuous rates above 100% a year are taken for per cent."""
_MAX_DISCOUNT: Final = 1.5
"""Discount factor up to which negative rates are accepted for short maturities."""
_LOW_RATE: Final = -0.05
_MAX_MATURITY_YEARS: Final = 50.0
_DISCOUNT_SLACK: Final = 1.1
"""Factor by which a discount may exceed its limits: over days, the rate it implies is noise."""


@dataclass(frozen=True)
class GivenMarket:
    """Forward and discount of one series by the file's columns, and the missing columns.

    Attributes
    ----------
    forward, discount : float or None
    states_forward : bool
        Whether the forward is a column of its own, not carried from the spot.
    source : str
        Which columns gave them, for people.
    lacking : str
        Why forward or discount is missing, and what to add.
    """

    forward: float | None
    discount: float | None
    states_forward: bool
    source: str
    lacking: str

    @property
    def is_complete(self) -> bool:
        """Whether the columns give both forward and discount."""
        return self.forward is not None and self.discount is not None

    @classmethod
    def of(cls, group: pd.DataFrame, years: float, spot: float | None, name: str) -> "GivenMarket":
        """Read the columns of one series.

        Raises
        ------
        InvalidInputError
            A rate, yield, discount or maturity is out of range for the unit of its column.
        """
        forward, discount, rate, dividend = (
            float(group[column].median())
            for column in ("forward", "discount", "rate", "dividend_yield")
        )
        _check_units(years, discount, {"rate": rate, "dividend_yield": dividend}, name)
        states_forward, source = not np.isnan(forward), "the file's forward and discount"
        if np.isnan(discount) and not np.isnan(rate):
            discount = float(np.exp(-rate * years))
        if np.isnan(forward) and spot is not None and not np.isnan(rate):
            carried = 0.0 if np.isnan(dividend) else dividend
            forward = spot * float(np.exp((rate - carried) * years))
            source = "spot, rate and dividend yield"
            if np.isnan(dividend):
                source = "spot and rate, without dividends"
        return cls(
            forward=None if np.isnan(forward) else forward,
            discount=None if np.isnan(discount) else discount,
            states_forward=states_forward,
            source=source,
            lacking=_lacking(forward, discount, spot),
        )


def discount_limits(years: float) -> tuple[float, float]:
    """Return the least and greatest discount factor of a maturity that rates can imply.

    Rates are within ±100%, and below −5% only where that keeps the discount below 1.5.
    """
    low = float(np.exp(-_MAX_RATE * years)) / _DISCOUNT_SLACK
    high = float(np.exp(_MAX_RATE * years)) * _DISCOUNT_SLACK
    return low, min(high, max(_MAX_DISCOUNT, float(np.exp(-_LOW_RATE * years))))


def _lacking(forward: float, discount: float, spot: float | None) -> str:
    if not np.isnan(forward):
        if np.isnan(discount):
            return (
                "the file gives a forward but neither a rate nor a discount; add one of them "
                "(--rate on the command line)"
            )
        return ""
    if not np.isnan(discount) and spot is None:
        return (
            "the file gives a rate or discount but neither a forward nor a spot; add one of them "
            "(--spot on the command line)"
        )
    if not np.isnan(discount):
        return "the file gives a discount but no forward; add a forward, or a rate beside the spot"
    return (
        "no strike has both a call and a put, and the file gives no forward; add a column forward, "
        "or spot and rate (--spot, --rate and --dividend on the command line)"
    )


def _check_units(years: float, discount: float, rates: dict[str, float], name: str) -> None:
    if years > _MAX_MATURITY_YEARS:
        message = (
            f"{name}: maturity_years {years:g} is above {_MAX_MATURITY_YEARS:g}; it is in years, "
            "so divide days by 365"
        )
        raise InvalidInputError(message, column="maturity_years")
    for column, rate in rates.items():
        if abs(rate) > _MAX_RATE:
            message = (
                f"{name}: {column} {rate:g} means {rate:.0%} a year; it is a fraction between "
                f"{-_MAX_RATE:g} and {_MAX_RATE:g}, so divide per cent by 100"
            )
            raise InvalidInputError(message, column=column)
    limits = discount_limits(years)
    if not np.isnan(discount) and not limits[0] <= discount <= limits[1]:
        message = (
            f"{name}: discount {discount:g} is not between {limits[0]:.4g} and {limits[1]:.4g}; it "
            "is the present value of one unit of currency paid at expiry"
        )
        raise InvalidInputError(message, column="discount")

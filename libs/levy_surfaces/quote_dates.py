"""Warnings about quote dates: the market was closed, or the day repeats the day before."""

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from pandas.tseries.holiday import (
    AbstractHolidayCalendar,
    GoodFriday,
    Holiday,
    USLaborDay,
    USMartinLutherKingJr,
    USMemorialDay,
    USPresidentsDay,
    USThanksgivingDay,
    nearest_workday,
    sunday_to_monday,
)

from levy_numerics.errors import InvalidInputError
from levy_surfaces.quote_files import QuoteFile
from levy_surfaces.reading import QuoteTable, quote_days, read_file

_MIN_COMMON: Final = 10
"""Fewer equal quotes may be a coincidence of illiquid options."""
_SATURDAY: Final = 5


class _UsExchanges(AbstractHolidayCalendar):
    """Full-day closures of US option exchanges that recur every year."""

    rules = [  # noqa: RUF012 # pandas' own interface
        Holiday("New Year's Day", month=1, day=1, observance=sunday_to_monday),
        USMartinLutherKingJr,
        USPresidentsDay,
        GoodFriday,
        USMemorialDay,
        Holiday("Juneteenth", month=6, day=19, start_date="2022-01-01", observance=nearest_workday),
        Holiday("Independence Day", month=7, day=4, observance=nearest_workday),
        USLaborDay,
        USThanksgivingDay,
        Holiday("Christmas Day", month=12, day=25, observance=nearest_workday),
    ]


def closed_market_warning(table: QuoteTable) -> tuple[str, ...]:
    """Return a warning if the quote date is a weekend or a holiday of US exchanges."""
    if table.quote_date is None:
        return ()
    day = pd.Timestamp(table.quote_date[:10])
    holidays = _UsExchanges().holidays(day, day, return_name=True)
    if day.day_of_week >= _SATURDAY:
        closed = f"a {day.day_name()}: unless the market trades every day"
    elif len(holidays):
        closed = f"a holiday of US exchanges ({holidays.iloc[0]}): if the options trade there"
    else:
        return ()
    return (f"the quote date {day:%Y-%m-%d} is {closed}, the quotes are of an earlier day",)


def copied_day_warning(file: QuoteFile, table: QuoteTable) -> tuple[str, ...]:
    """Return a warning if all quotes equal those of the date before in the same file."""
    if table.quote_date is None:
        return ()
    earlier = [day for day in quote_days(file) if day < table.quote_date[:10]]
    if not earlier:
        return ()
    try:
        earlier_file = replace(file, quote_date=earlier[-1], warnings=[])
        before = read_file(earlier_file, underlying=table.underlying)
    except InvalidInputError:
        return ()
    if not _same_quotes(before.frame, table.frame):
        return ()
    return (
        f"all quotes of {table.quote_date} equal those of {earlier[-1]}: the day is a copy, and "
        "its quotes are too old for its maturities",
    )


def _same_quotes(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Return whether all priced contracts of two days have the same bid, ask and mid."""
    contract, prices = ["expiry", "root", "strike", "is_call"], ["bid", "ask", "mid"]
    left, right = (frame.drop_duplicates(contract) for frame in (before, after))
    both = left.merge(right, on=contract, suffixes=("_before", "_after"))
    old, new = (both[[f"{name}_{when}" for name in prices]].to_numpy(float) for when in _WHEN)
    priced = np.nanmax(np.nan_to_num(new), axis=1, initial=0.0) > 0
    if np.count_nonzero(priced) < max(_MIN_COMMON, len(right) // 2):
        return False
    return bool(np.array_equal(old[priced], new[priced], equal_nan=True))


_WHEN: Final = ("before", "after")

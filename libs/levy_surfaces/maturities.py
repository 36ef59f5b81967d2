"""Maturities from dates and timestamps, in one day count: ACT/365 fixed on elapsed time.

Two calendar dates are as many days apart as in the calendar, in the place where they are
written. Two timestamps are as far apart as the time that elapses between them. Where only the
expiry lacks a time of day, the time of settlement is assumed and reported.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from levy_numerics.errors import InvalidInputError
from levy_surfaces.settlement import AM_NANOSECONDS, ExpiryTime, clock_text, is_am_settled
from levy_surfaces.timestamps import NANOSECONDS_PER_DAY, Moment, Moments

DAYS_PER_YEAR: Final = 365.0
SAME_MATURITY_YEARS: Final = 60.0 / (86_400.0 * DAYS_PER_YEAR)
"""One minute: maturities that differ by less belong to one expiry."""

_DISAGREEMENT_DAYS: Final = 7.0
"""Business-day counts and rounding differ by less than a week, or by less than half."""
_DISAGREEMENT_SHARE: Final = 0.5


@dataclass(frozen=True)
class ContractDates:
    """Dates and settlement that determine the maturity of each row.

    Attributes
    ----------
    quote_date, expiry : Moments
    settlement, root : Series of str
        "AM", "PM" or empty; upper case.
    """

    quote_date: Moments
    expiry: Moments
    settlement: pd.Series
    root: pd.Series

    def years(self, expiry_time: ExpiryTime) -> tuple[np.ndarray, list[str]]:
        """Return maturities in years, shape (n,), NaN where a date is missing, and warnings.

        Raises
        ------
        InvalidInputError
            Offsets from UTC are written on one side only, or dates and times are mixed.
        """
        present = ~(self.quote_date.is_missing | self.expiry.is_missing)
        years = np.full(present.size, np.nan)
        if not present.any():
            return years, []
        years[present], warnings = self.select(present)._years(expiry_time)
        return years, warnings

    def calendar_years(self) -> np.ndarray:
        """Return calendar days over 365, shape (n,), NaN where a date is missing."""
        present = ~(self.quote_date.is_missing | self.expiry.is_missing)
        years = np.full(present.size, np.nan)
        if present.any():
            years[present] = self.select(present)._calendar_years()
        return years

    def select(self, which: np.ndarray) -> "ContractDates":
        """Return the rows of a mask."""
        return replace(
            self,
            quote_date=self.quote_date.select(which),
            expiry=self.expiry.select(which),
            settlement=self.settlement[which],
            root=self.root[which],
        )

    def _years(self, expiry_time: ExpiryTime) -> tuple[np.ndarray, list[str]]:
        quote = self.quote_date.present
        quote_has_time = not all(m.is_midnight for m in quote)
        expiry_has_time = not all(m.is_midnight for m in self.expiry.present)
        if quote_has_time and not expiry_has_time:
            return self._settled_years(expiry_time)
        warnings = [] if expiry_time.is_default else [_unused_expiry_time(expiry_has_time)]
        if not expiry_has_time:
            return self._calendar_years(), [*warnings, *self._calendar_day_warnings()]
        _refuse_mixed("expiry", self.expiry.present)
        if all(m.nanoseconds is None for m in quote):
            return self._calendar_years(), [*warnings, self._unused_times()]
        if not quote_has_time:
            warnings.append(
                f"quote_date {quote[0].day} is taken as midnight{_zone_suffix(quote[0])}, because "
                "the expiries have times of day; write the time of the quotes to correct this"
            )
        return self._elapsed_years(), warnings

    def _calendar_years(self) -> np.ndarray:
        ends, starts = (
            np.array([m.day.toordinal() for m in moments.present])[moments.codes]
            for moments in (self.expiry, self.quote_date)
        )
        years: np.ndarray = (ends - starts) / DAYS_PER_YEAR
        return years

    def _calendar_day_warnings(self) -> list[str]:
        """Return warnings about differences that calendar days do not resolve."""
        warnings = []
        n_today = int(np.sum(self._calendar_years() == 0.0))
        if n_today:
            warnings.append(
                f"{n_today} quotes expire on quote_date and count as expired, because dates have "
                "no time of day; write the times of quote_date and expiry to use them"
            )
        kinds: dict[date, set[bool]] = {}
        for _, expiry, settlement, root in self._distinct()[1]:
            kinds.setdefault(expiry.day, set()).add(is_am_settled(settlement, root, expiry.day))
        if any(len(settlements) > 1 for settlements in kinds.values()):
            warnings.append(
                "AM- and PM-settled options of one date have the same maturity, in whole days, "
                "because quote_date has no time of day; write one to distinguish them"
            )
        return warnings

    def _distinct(self) -> tuple[np.ndarray, list[tuple[Moment, Moment, str, str]]]:
        """Return a code for each row, and quote date, expiry, settlement and root of each code."""
        columns = (self.quote_date.codes, self.expiry.codes, self.settlement, self.root)
        rows = pd.Series(list(zip(*columns, strict=True)), dtype=object)
        codes, distinct = pd.factorize(rows)
        quotes, expiries = self.quote_date.present, self.expiry.present
        return codes, [(quotes[q], expiries[e], str(s), str(r)) for q, e, s, r in distinct]

    def _unused_times(self) -> str:
        """Return a warning; raise if expiries differ only in their time of day."""
        times: dict[date, int | None] = {}
        for moment in self.expiry.present:
            if times.setdefault(moment.day, moment.nanoseconds) != moment.nanoseconds:
                raise InvalidInputError(
                    f"options expire at several times of {moment.day}, but quote_date has no time "
                    "of day; write the time of the quotes in quote_date",
                    column="quote_date",
                )
        timed = next(m for m in self.expiry.present if not m.is_midnight)
        return (
            f"times of day of expiry are not used, because quote_date has none ({timed.label} "
            f"counts as {timed.day}): maturities are whole calendar days over 365; write the time "
            "of the quotes in quote_date to use them"
        )

    def _elapsed_years(self) -> np.ndarray:
        _refuse_mixed("quote_date", self.quote_date.present)
        ends, starts = self.expiry.present, self.quote_date.present
        if (ends[0].offset_seconds is None) != (starts[0].offset_seconds is None):
            raise InvalidInputError(
                "one of quote_date and expiry has an offset from UTC and the other has none; write "
                "both with their offsets, or both in one local time",
                column="expiry",
            )
        elapsed = _instants(ends)[self.expiry.codes] - _instants(starts)[self.quote_date.codes]
        years: np.ndarray = elapsed / (NANOSECONDS_PER_DAY * DAYS_PER_YEAR)
        return years

    def _settled_years(self, expiry_time: ExpiryTime) -> tuple[np.ndarray, list[str]]:
        quotes = self.quote_date.present
        _refuse_mixed("quote_date", quotes)
        if quotes[0].offset_seconds is None and (
            expiry_time.zone or expiry_time.offset_seconds is not None
        ):
            raise InvalidInputError(
                "the expiry time has a time zone, but quote_date has no offset from UTC; write one "
                "in quote_date, or give the expiry time without a zone",
                column="quote_date",
            )
        codes, distinct = self._distinct()
        years = np.empty(len(distinct))
        any_am = False
        for k, (quote, expiry, settlement, root) in enumerate(distinct):
            is_am = is_am_settled(settlement, root, expiry.day)
            any_am |= is_am
            end = expiry_time.at(_as_date_of(expiry, quote), quote, is_am=is_am)
            years[k] = end.instant_nanoseconds - quote.instant_nanoseconds
        years /= NANOSECONDS_PER_DAY * DAYS_PER_YEAR
        place = expiry_time.place or self._place()
        return years[codes], [_assumed_times(expiry_time, place, any_am=any_am)]

    def _place(self) -> str:
        """Describe the time zone of an expiry time that has none of its own."""
        has_offset = self.quote_date.present[0].offset_seconds is not None
        if has_offset and any(m.offset_seconds is not None for m in self.expiry.present):
            return "in the time zone of expiry"
        return "in the time zone of quote_date"


def _as_date_of(expiry: Moment, quote: Moment) -> Moment:
    """Drop the offset of a date where the quotes have none: all times are then local."""
    return expiry if quote.offset_seconds is not None else Moment(expiry.day)


def _assumed_times(expiry_time: ExpiryTime, place: str, *, any_am: bool) -> str:
    am = f", AM-settled ones at {clock_text(AM_NANOSECONDS)}" if any_am else ""
    default = " (default; --expiry-time changes it)" if expiry_time.is_default else ""
    return (
        "expiry has no time of day: options are taken to expire at "
        f"{clock_text(expiry_time.nanoseconds)} {place}{am}{default}"
    )


def _unused_expiry_time(expiry_has_time: bool) -> str:
    reason = "expiry has times of day" if expiry_has_time else "quote_date has no time of day"
    return f"the expiry time is not used, because {reason}"


def _zone_suffix(moment: Moment) -> str:
    return f" {moment.offset_text}" if moment.offset_text else ""


def _instants(moments: list[Moment]) -> np.ndarray:
    return np.array([m.instant_nanoseconds for m in moments], dtype=np.int64)


def _refuse_mixed(name: str, moments: list[Moment]) -> None:
    """Refuse a column of timestamps that lack a time of day or an offset in some rows only."""
    dated = [m for m in moments if m.nanoseconds is None]
    if dated:
        raise InvalidInputError(
            f"{name} has a time of day in some rows and none in others ({dated[0].day}); write it "
            "in all rows or in none",
            column=name,
        )
    if len({m.offset_seconds is None for m in moments}) > 1:
        raise InvalidInputError(
            f"{name} has an offset from UTC in some rows and none in others; write it in all rows "
            "or in none",
            column=name,
        )


def group_maturities(years: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return maturities with those within a minute of each other made equal, and warnings.

    Parameters
    ----------
    years : ndarray, shape (n,)

    Returns
    -------
    tuple
        Maturities, shape (n,), each the median of its group; a group spans a minute at most.
    """
    distinct = np.unique(years)
    if not np.any(np.diff(distinct) <= SAME_MATURITY_YEARS):
        return years, []
    starts: list[float] = []
    for value in distinct:
        if not starts or value - starts[-1] > SAME_MATURITY_YEARS:
            starts.append(float(value))
    group = np.searchsorted(starts, years, side="right") - 1
    grouped = pd.Series(years).groupby(group)
    spread = grouped.max() - grouped.min()
    n_merged, widest = int(np.sum(spread > 0)), float(spread.max())
    seconds = widest * DAYS_PER_YEAR * 86_400.0
    what = "one expiry" if n_merged == 1 else f"each of {n_merged} expiries"
    return grouped.transform("median").to_numpy(float), [
        f"maturities of {what} differ by up to {widest:.2g} years ({seconds:.2g} s) between "
        "quotes: they are taken as equal"
    ]


def disagreement(
    years: np.ndarray, dated: np.ndarray, is_stated: np.ndarray, rows: pd.Series
) -> list[str]:
    """Return a warning if stated maturities are far from what the dates imply.

    Business days and rounding change a maturity by less than half, or by less than a week.
    """
    limit = np.maximum(_DISAGREEMENT_DAYS / DAYS_PER_YEAR, _DISAGREEMENT_SHARE * np.abs(dated))
    far = is_stated & (np.abs(years - dated) > limit)
    if not far.any():
        return []
    k = int(np.argmax(far))
    return [
        f"maturity_years differs from expiry and quote_date in {int(far.sum())} rows (row "
        f"{rows.iloc[k]}: {years[k]:g} against {dated[k]:.4g} years); maturity_years is used"
    ]

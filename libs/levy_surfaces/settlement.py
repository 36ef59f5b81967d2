"""Times of day at which options expire whose expiry is written as a date."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, Self

from levy_numerics.errors import InvalidInputError
from levy_surfaces.printable import shortened
from levy_surfaces.timestamps import Moment, offset_in_zone, parse_clock

AM_NANOSECONDS: Final = (9 * 60 + 30) * 60 * 10**9
"""09:30, when the opening prices that AM-settled index options settle to begin to form."""
PM_NANOSECONDS: Final = 16 * 3600 * 10**9
"""16:00, the close of the regular session of US equity markets."""

AM_ROOTS: Final = frozenset({"SPX", "NDX", "RUT", "DJX"})
"""Index roots whose monthly options settle at the opening of the third Friday."""

_SETTLEMENT: Final = re.compile(r"([AP])\.?\s?M\.?(?:[-_\s]*SETTLE(?:D|MENT))?")


@dataclass(frozen=True)
class ExpiryTime:
    """Time of day at which options expire whose expiry is written as a date.

    Attributes
    ----------
    nanoseconds : int
        Since midnight.
    offset_seconds : int or None
        East of UTC.
    zone : str
        IANA name; with neither this nor an offset, the time is local to the quotes.
    is_default : bool
    """

    nanoseconds: int = PM_NANOSECONDS
    offset_seconds: int | None = None
    zone: str = ""
    is_default: bool = True

    @classmethod
    def of(cls, text: str | None) -> Self:
        """Parse `16:00`, `16:00-04:00` or `16:00 America/New_York`; None is the default, 16:00.

        Raises
        ------
        InvalidInputError
            The text is not a time of day.
        """
        if text is None:
            return cls()
        clock = parse_clock(text)
        if clock is None:
            raise InvalidInputError(
                f"expiry time '{shortened(text)}' is not a time of day; write 16:00, "
                "16:00-04:00 or '16:00 America/New_York'"
            )
        return cls(*clock, is_default=False)

    def at(self, expiry: Moment, quote: Moment, *, is_am: bool) -> Moment:
        """Return the moment at which an option expires whose expiry is a date.

        The time zone is that of this convention, or else that of the expiry as written, or else
        that of the quote.
        """
        nanoseconds = AM_NANOSECONDS if is_am else self.nanoseconds
        for source in (self, expiry, quote):
            if source.zone:
                offset = offset_in_zone(source.zone, expiry.day, nanoseconds)
                return Moment(expiry.day, nanoseconds, offset, source.zone)
            if source.offset_seconds is not None:
                return Moment(expiry.day, nanoseconds, source.offset_seconds)
        return Moment(expiry.day, nanoseconds)

    @property
    def place(self) -> str:
        """The time zone, as a message shows it; empty if it is local to the quotes."""
        return self.zone or Moment(date.min, 0, self.offset_seconds).offset_text


def parse_settlement(text: str) -> str | None:
    """Return AM or PM for texts such as `am`, `A.M.` and `PM-settled`; None for others."""
    match = _SETTLEMENT.fullmatch(text.strip().upper())
    return None if match is None else f"{match[1]}M"


def is_am_settled(settlement: str, root: str, expiry: date) -> bool:
    """Return whether an option settles at the opening: as its settlement says, or by its root.

    Without a settlement, a root may be called AM or PM. Options of `AM_ROOTS` that expire on the
    third Friday of a month, or on the Thursday before if that is a holiday, are AM-settled; all
    others are PM-settled.
    """
    stated = parse_settlement(settlement) or parse_settlement(root)
    if stated:
        return stated == "AM"
    monthly = expiry.weekday() == 4 and 15 <= expiry.day <= 21
    thursday_before = expiry.weekday() == 3 and 14 <= expiry.day <= 20
    return root in AM_ROOTS and (monthly or thursday_before)


def clock_text(nanoseconds: int) -> str:
    """Return hours and minutes since midnight as 09:30."""
    minutes = nanoseconds // (60 * 10**9)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"

"""Read dates and timestamps without losing the time of day or the place where they are written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Final, Self
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

FIRST_YEAR: Final = 1950
LAST_YEAR: Final = 2199
"""The years from first to last, in nanoseconds, fit into 64 bits."""
NANOSECONDS_PER_DAY: Final = 86_400 * 10**9
EXPECTED_FORM: Final = (
    "write 2024-07-01, or 2024-07-01T10:00 with an offset such as -04:00 if known"
)

_ZONE: Final = r"(?P<utc>Z|\s?UTC)|\s?(?P<sign>[+-])(?P<oh>\d\d)(:?(?P<om>[0-5]\d))?"
_OFFSET: Final = re.compile(_ZONE, re.ASCII | re.IGNORECASE)
_CLOCK: Final = r"(?P<h>[01]\d|2[0-3]):(?P<m>[0-5]\d)(:(?P<s>[0-5]\d)([.,](?P<f>\d{1,9}))?)?"
_MOMENT: Final = re.compile(
    r"(?P<y>\d{4})(?P<dash>-?)(?P<mo>\d\d)(?P=dash)(?P<d>\d\d)"
    rf"([T ]{_CLOCK}({_ZONE})?(\[(?P<zone>[\w+/-]+)\])?)?",
    re.ASCII | re.IGNORECASE,
)
_MAX_OFFSET_HOURS: Final = 18
"""No time zone is further from UTC."""


@dataclass(frozen=True)
class Moment:
    """A date, or a date with a time of day, as written.

    Attributes
    ----------
    day : date
        In the place where it is written.
    nanoseconds : int or None
        Since midnight; None for a date without a time.
    offset_seconds : int or None
        East of UTC; None where it is not written.
    zone : str
        IANA name of the time zone; empty where it is not written.
    """

    day: date
    nanoseconds: int | None = None
    offset_seconds: int | None = None
    zone: str = ""

    @property
    def is_midnight(self) -> bool:
        """Whether it may be a calendar date: without a time, or midnight where it is written."""
        return not self.nanoseconds

    @cached_property
    def wall_nanoseconds(self) -> int:
        """Nanoseconds from 1970 by the clock of the place where it is written."""
        days = (self.day - date(1970, 1, 1)).days
        return days * NANOSECONDS_PER_DAY + (self.nanoseconds or 0)

    @property
    def instant_nanoseconds(self) -> int:
        """Nanoseconds from 1970 in UTC; by the local clock where no offset is written."""
        return self.wall_nanoseconds - (self.offset_seconds or 0) * 10**9

    def matches(self, selected: "Moment") -> bool:
        """Return whether a selection means this moment.

        A date selects all moments of that day as written; a time without an offset compares with
        the local clock, one with an offset compares instants.
        """
        if selected.nanoseconds is None:
            return self.day == selected.day
        if selected.offset_seconds is None:
            return self.wall_nanoseconds == selected.wall_nanoseconds
        return (
            self.offset_seconds is not None
            and self.instant_nanoseconds == selected.instant_nanoseconds
        )

    @cached_property
    def label(self) -> str:
        """ISO text: the date alone at midnight, otherwise with time and offset."""
        if self.is_midnight:
            return self.day.isoformat()
        clock, fraction = divmod(self.nanoseconds or 0, 10**9)
        time = str(timedelta(seconds=clock)).rjust(8, "0")
        digits = f".{fraction:09d}".rstrip("0") if fraction else ""
        return f"{self.day.isoformat()}T{time}{digits}{self.offset_text}"

    @property
    def offset_text(self) -> str:
        """The offset as `+08:00`; empty where it is not written."""
        if self.offset_seconds is None:
            return ""
        hours, minutes = divmod(abs(self.offset_seconds) // 60, 60)
        return f"{'-' if self.offset_seconds < 0 else '+'}{hours:02d}:{minutes:02d}"


@lru_cache(maxsize=100_000)
def parse_moment(text: str) -> Moment | None:
    """Return the date or timestamp that a text contains, or None.

    ISO 8601 with a complete date: `2024-07-01`, `20240701`, `2024-07-01T10:00:00.5-04:00`,
    `2024-07-01 10:00Z`, each optionally with a zone (`[America/New_York]`) behind the offset.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        return None
    try:
        day = date(int(match["y"]), int(match["mo"]), int(match["d"]))
    except ValueError:
        return None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        return None
    if match["h"] is None:
        return Moment(day)
    offset, zone = _offset_seconds(match), match["zone"] or ""
    if (match["sign"] and offset is None) or (zone and (offset is None or zone_of(zone) is None)):
        return None
    return Moment(day, _nanoseconds(match), offset, zone)


def parse_clock(text: str) -> tuple[int, int | None, str] | None:
    """Return time of day, offset and zone of `16:00`, `16:00-04:00` or `16:00 America/New_York`.

    Returns
    -------
    tuple or None
        Nanoseconds since midnight, seconds east of UTC (or None) and IANA name (or ""); None if
        the text is not a time of day.
    """
    match = re.compile(_CLOCK, re.ASCII).match(text.strip())
    if match is None:
        return None
    rest = text.strip()[match.end() :].strip()
    if not rest:
        return _nanoseconds(match), None, ""
    offset = _OFFSET.fullmatch(rest)
    if offset is not None:
        seconds = _offset_seconds(offset)
        return None if seconds is None else (_nanoseconds(match), seconds, "")
    return None if zone_of(rest) is None else (_nanoseconds(match), None, rest)


@lru_cache(maxsize=100)
def zone_of(name: str) -> ZoneInfo | None:
    """Return the IANA time zone of that name, or None."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def offset_in_zone(zone: str, day: date, nanoseconds: int) -> int:
    """Return the seconds east of UTC that a zone's clocks show at a local time of a day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone_of(zone) or UTC)
    offset = (midnight + timedelta(microseconds=nanoseconds // 1000)).utcoffset()
    return int((offset or timedelta()).total_seconds())


def _nanoseconds(match: re.Match[str]) -> int:
    seconds = 3600 * int(match["h"]) + 60 * int(match["m"]) + int(match["s"] or 0)
    return seconds * 10**9 + int((match["f"] or "0").ljust(9, "0"))


def _offset_seconds(match: re.Match[str]) -> int | None:
    if match["utc"]:
        return 0
    if not match["sign"] or int(match["oh"]) > _MAX_OFFSET_HOURS:
        return None
    seconds = 3600 * int(match["oh"]) + 60 * int(match["om"] or 0)
    return -seconds if match["sign"] == "-" else seconds


@dataclass(frozen=True)
class Moments:
    """A column of moments; rows without one are None.

    Attributes
    ----------
    distinct : list of Moment or None
    codes : ndarray of int, shape (n,)
        Index of each row's moment in `distinct`.
    """

    distinct: Sequence[Moment | None]
    codes: np.ndarray

    @classmethod
    def of(cls, texts: pd.Series) -> Self:
        """Parse a column of text; blank and malformed entries become None."""
        codes, distinct = pd.factorize(texts)
        return cls([parse_moment(str(text)) for text in distinct], codes)

    @classmethod
    def absent(cls, n: int) -> Self:
        """Return a column of n rows without any moment."""
        return cls([None], np.zeros(n, dtype=int))

    @property
    def present(self) -> list[Moment]:
        """The distinct moments."""
        return [moment for moment in self.distinct if moment is not None]

    @property
    def is_missing(self) -> np.ndarray:
        """Mask of the rows without a moment, shape (n,)."""
        missing = np.array([m is None for m in self.distinct], dtype=bool)
        return np.asarray(missing[self.codes])

    def select(self, which: np.ndarray) -> "Moments":
        """Return the rows of a mask, and only the moments that they have."""
        used, codes = np.unique(self.codes[which], return_inverse=True)
        return Moments([self.distinct[int(k)] for k in used], codes)

    def wall(self) -> pd.Series:
        """Return the local clock's time of each row as datetime64[us]; NaT where there is none."""
        nanoseconds = [pd.NaT if m is None else m.wall_nanoseconds for m in self.distinct]
        times = pd.Series(pd.to_datetime(pd.Series(nanoseconds, dtype=object), unit="ns"))
        return times.astype("datetime64[us]").iloc[self.codes].reset_index(drop=True)

"""Dates as people write them, converted to ISO 8601: d/m/Y, m/d/Y, names of months, Unix times."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import numpy as np
import pandas as pd

DayOrder = Literal["dmy", "mdy", ""]
"""Order of numeric dates that do not begin with the year; empty where none occurs."""

MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_CLOCK: Final = (
    r"(?:[T ,]+(?:at\s+|@\s*)?(?P<clock>\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?)\s*(?P<half>[ap]\.?m\.?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d|[A-Z]{2,4})?)?"
)
_NUMERIC: Final = re.compile(
    rf"(?P<a>\d{{1,2}})(?P<sep>[/.-])(?P<b>\d{{1,2}})(?P=sep)(?P<y>\d{{4}}|\d{{2}}){_CLOCK}",
    re.IGNORECASE,
)
_YEAR_FIRST: Final = re.compile(rf"(?P<y>\d{{4}})[/.](?P<m>\d{{1,2}})[/.](?P<d>\d{{1,2}}){_CLOCK}")
_WEEKDAY: Final = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_DAY_MONTH: Final = re.compile(
    rf"{_WEEKDAY}(?P<d>\d{{1,2}})[\s-]*(?P<m>[a-z]{{3,9}})\.?[\s,-]*'?(?P<y>\d{{4}}|\d{{2}}){_CLOCK}",
    re.IGNORECASE,
)
_MONTH_DAY: Final = re.compile(
    rf"{_WEEKDAY}(?P<m>[a-z]{{3,9}})\.?[\s-]+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?[\s-]+"
    rf"(?P<y>\d{{4}}){_CLOCK}",
    re.IGNORECASE,
)
_UNIX: Final = re.compile(r"\d{9,10}(?:\.\d+)?|\d{12,13}|\d{15,16}|\d{18,19}")
_UNIX_DIVISORS: Final = {9: 0, 10: 0, 12: 3, 13: 3, 15: 6, 16: 6, 18: 9, 19: 9}
_ZERO_OFFSETS: Final = frozenset({"Z", "UTC", "GMT"})
_TWO_DIGIT_YEARS: Final = 2000
_YEAR_DIRECTIVE: Final = re.compile("%[YyGcx]")
_TRIAL: Final = datetime(2026, 11, 23, tzinfo=UTC)
"""Day, month and year differ from each other and from the defaults of `strptime`."""


class AmbiguousDatesError(ValueError):
    """Numeric dates whose order of day and month cannot be determined."""


@dataclass(frozen=True)
class DateStyle:
    """How a table writes dates.

    Attributes
    ----------
    order : {"dmy", "mdy", ""}
    pattern : str
        `strptime` pattern of all dates; empty for the forms that are recognised.
    """

    order: DayOrder = ""
    pattern: str = ""

    @classmethod
    def of(cls, date_format: str | None, texts: Iterable[str]) -> "DateStyle":
        """Return the style that an option names, or else that of a sample.

        Parameters
        ----------
        date_format : str or None
            `dmy`, `mdy`, or a `strptime` pattern such as `%d.%m.%Y`.
        texts : iterable of str
            Dates of the table.

        Raises
        ------
        AmbiguousDatesError
            Days and months cannot be distinguished, or contradict each other.
        """
        if date_format in {"dmy", "mdy"}:
            return cls(order="dmy" if date_format == "dmy" else "mdy")
        if date_format:
            return cls(pattern=date_format)
        return cls(order=_order_of(texts))

    def iso(self, column: pd.Series) -> pd.Series:
        """Return a column of dates as ISO text; texts without a known form are left as they are."""
        if column.dtype.kind in "iuf":
            column = column.map(lambda v: f"{v:.0f}" if np.isfinite(v) else "")
        codes, distinct = pd.factorize(column.astype(str).str.strip())
        texts = np.array([*(self._iso(text) for text in distinct), ""], dtype=object)
        return pd.Series(texts[codes], index=column.index, dtype="str")

    def _iso(self, text: str) -> str:
        if self.pattern:
            try:
                moment = datetime.strptime(text, self.pattern)  # noqa: DTZ007
            except ValueError:
                return text
            has_time = any(code in self.pattern for code in ("%H", "%I", "%T", "%X"))
            return moment.isoformat() if has_time else moment.date().isoformat()
        if _UNIX.fullmatch(text):
            return unix_iso(text)
        match = _NUMERIC.fullmatch(text)
        if match is not None:
            day, month = (
                (match["b"], match["a"]) if self._is_mdy(match) else (match["a"], match["b"])
            )
            return _iso(match["y"], int(month), int(day), match) or text
        match = _YEAR_FIRST.fullmatch(text)
        if match is not None:
            return _iso(match["y"], int(match["m"]), int(match["d"]), match) or text
        match = _DAY_MONTH.fullmatch(text) or _MONTH_DAY.fullmatch(text)
        if match is not None:
            return _iso(match["y"], _month(match["m"]), int(match["d"]), match) or text
        return text

    def _is_mdy(self, match: re.Match[str]) -> bool:
        return self.order == "mdy" and match["sep"] != "."


def is_date_format(text: str) -> bool:
    """Return whether a text is `dmy`, `mdy` or a `strptime` pattern with day, month and year."""
    if text in {"dmy", "mdy"}:
        return True
    # Python warns of a day without a year, from 3.13.
    if not _YEAR_DIRECTIVE.search(text.replace("%%", "")):
        return False
    try:
        return datetime.strptime(_TRIAL.strftime(text), text).date() == _TRIAL.date()  # noqa: DTZ007
    except (ValueError, re.error):
        # A directive that occurs twice is an error of the regular expression.
        return False


def unix_iso(text: str) -> str:
    """Return a time since 1970 as ISO text in UTC; its unit follows from its length."""
    digits, _, fraction = text.partition(".")
    divisor = 10 ** _UNIX_DIVISORS[len(digits)]
    seconds, rest = divmod(int(digits), divisor)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return text
    nanoseconds = rest * 10**9 // divisor if divisor > 1 else int(f"{fraction:0<9}"[:9] or 0)
    suffix = f".{nanoseconds:09d}" if nanoseconds else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{suffix}+00:00"


def _order_of(texts: Iterable[str]) -> DayOrder:
    day_first = month_first = doubtful = ""
    for text in texts:
        match = _NUMERIC.fullmatch(text.strip())
        # Dates with points, as in 17.04.2026, have the day first wherever they are in use.
        if match is None or match["sep"] == ".":
            continue
        a, b = int(match["a"]), int(match["b"])
        if a > 12 >= b:
            day_first = day_first or text
        elif b > 12 >= a:
            month_first = month_first or text
        elif a != b:
            doubtful = doubtful or text
    if day_first and month_first:
        raise AmbiguousDatesError(f"'{day_first}' has the day first and '{month_first}' the month")
    if day_first or month_first:
        return "dmy" if day_first else "mdy"
    if doubtful:
        raise AmbiguousDatesError(f"'{doubtful}' may have the day or the month first")
    return ""


def _month(name: str) -> int:
    abbreviation = name[:3].lower()
    return MONTHS.index(abbreviation) + 1 if abbreviation in MONTHS else 0


def _iso(year: str, month: int, day: int, match: re.Match[str]) -> str | None:
    """Return the ISO text of a date and the clock of a match; None if the date does not exist."""
    full = int(year) if len(year) == 4 else _TWO_DIGIT_YEARS + int(year)
    try:
        date = datetime(full, month, day, tzinfo=UTC).date()
    except ValueError:
        return None
    if match["clock"] is None:
        return date.isoformat()
    hours, _, rest = match["clock"].partition(":")
    hour = int(hours)
    if match["half"]:
        hour = hour % 12 + (12 if match["half"][0].lower() == "p" else 0)
    return f"{date.isoformat()}T{hour:02d}:{rest}{_offset(match['zone'])}"


def _offset(zone: str | None) -> str:
    """Return an offset from UTC; abbreviations of local time, such as EDT, leave it out."""
    if zone is None:
        return ""
    if zone.upper() in _ZERO_OFFSETS:
        return "+00:00"
    if zone[0] in "+-":
        return zone
    return ""

"""Maturities as desks write them: 2w, 3M, 1y6m."""

import re
from typing import Final

_PART: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[dwmy]", re.IGNORECASE)
_YEARS: Final = {"d": 1 / 365, "w": 7 / 365, "m": 1 / 12, "y": 1.0}


def tenor_years(text: str) -> float | None:
    """Return a tenor in years, a day being 1/365 and a month 1/12; None of other texts.

    Examples
    --------
    >>> tenor_years("3M"), tenor_years("1y6m"), tenor_years("0.25")
    (0.25, 1.5, None)
    """
    parts = _PART.findall(text.strip())
    if not parts or "".join(parts) != text.strip():
        return None
    return sum(float(part[:-1]) * _YEARS[part[-1].lower()] for part in parts)

"""Cboe delayed quotes: lines with name, last price and time, then calls left and puts right."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from levy_surfaces.formats.base import QuoteFormat

_LAST: Final = re.compile(r"last:\s*([\d,]+\.?\d*)", re.IGNORECASE)
_DATE: Final = re.compile(
    r"([a-z]{3,9}\.?\s+\d{1,2},?\s+\d{4})(?:,?\s+(?:at|@)\s+(\d{1,2}:\d\d\s*(?:[ap]m)?))?",
    re.IGNORECASE,
)


def _facts(lines: Sequence[str]) -> Mapping[str, str]:
    """Return underlying, spot and quote date of the lines above the header."""
    facts: dict[str, str] = {}
    text = "\n".join(lines)
    if last := _LAST.search(text):
        facts["spot"] = last[1].replace(",", "")
        named = next(line for line in lines if _LAST.search(line))
        facts["underlying"] = named.split(",")[0].strip().strip('"')
    if date := _DATE.search(text):
        facts["quote_date"] = f"{date[1]} {date[2] or ''}".strip()
    return facts


FORMATS: Final = (
    QuoteFormat(
        name="Cboe delayed quotes",
        signature=("expirationdate", "calls", "bid", "ask", "strike", "puts"),
        columns={"expiry": "expirationdate", "strike": "strike"},
        calls={
            "symbol": "calls",
            "bid": "bid",
            "ask": "ask",
            "last": ("lastsale", "last"),
            "implied_vol": "iv",
        },
        puts={
            "symbol": "puts",
            "bid": "bid",
            "ask": "ask",
            "last": ("lastsale", "last"),
            "implied_vol": "iv",
        },
        strike_in_middle=True,
        preamble=_facts,
    ),
)

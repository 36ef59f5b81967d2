"""optionsDX end-of-day and intraday chains, with a call and a put on each row."""

from typing import Final

from levy_surfaces.formats.base import QuoteFormat

FORMATS: Final = (
    QuoteFormat(
        name="optionsDX",
        signature=("underlyinglast", "expiredate", "cbid", "cask", "strike", "pbid", "pask"),
        columns={
            "quote_date": "quotedate",
            "spot": "underlyinglast",
            "expiry": "expiredate",
            "days_to_expiry": "dte",
            "strike": "strike",
        },
        calls={"bid": "cbid", "ask": "cask", "last": "clast", "implied_vol": "civ"},
        puts={"bid": "pbid", "ask": "pask", "last": "plast", "implied_vol": "piv"},
    ),
)

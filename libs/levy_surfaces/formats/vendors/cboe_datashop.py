"""Cboe DataShop end-of-day option quotes; the 15:45 snapshot is used where a file has it.

Cboe recommends it over the end of day, when market makers widen their quotes.
"""

from typing import Final

from levy_surfaces.formats.base import QuoteFormat

FORMATS: Final = (
    QuoteFormat(
        name="Cboe DataShop end-of-day quotes",
        signature=("underlyingsymbol", "quotedate", "expiration", "strike", "optiontype"),
        columns={
            "underlying": "underlyingsymbol",
            "quote_date": "quotedate",
            "root": "root",
            "expiry": "expiration",
            "strike": "strike",
            "option_type": "optiontype",
            "bid": ("bid1545", "bideod", "bid"),
            "ask": ("ask1545", "askeod", "ask"),
            "last": "close",
            "implied_vol": ("impliedvolatility1545", "impliedvolatility"),
            "spot": (
                *("activeunderlyingprice1545", "activeunderlyingprice"),
                *("impliedunderlyingprice1545", "underlyingbid1545", "underlyingbideod"),
            ),
        },
    ),
)

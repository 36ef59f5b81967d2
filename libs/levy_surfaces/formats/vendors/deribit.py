"""Deribit book summaries, and instruments with their tickers.

`underlying_price` is the price of the future of the option's expiry, or a synthetic one. Options
expire at 08:00 UTC. Premiums of inverse options are in the coin; the reader converts them.
"""

from typing import Final

from levy_surfaces.formats.base import Names, QuoteFormat

_PRICES: Final[dict[str, Names]] = {
    "symbol": "instrumentname",
    "bid": ("bidprice", "bestbidprice"),
    "ask": ("askprice", "bestaskprice"),
    "last": ("lastprice", "last"),
    "implied_vol": "markiv",
    "forward": "underlyingprice",
    "currency": ("quotecurrency", "settlementcurrency"),
}

FORMATS: Final = (
    QuoteFormat(
        name="Deribit book summary",
        signature=("instrumentname", "markiv", "underlyingprice", "creationtimestamp"),
        columns={**_PRICES, "quote_date": ("quotedate", "creationtimestamp")},
        scale={"implied_vol": 0.01},
        expiry_time="08:00:00+00:00",
    ),
    QuoteFormat(
        name="Deribit instruments",
        signature=("instrumentname", "expirationtimestamp", "strike", "optiontype"),
        columns={
            **_PRICES,
            "quote_date": ("quotedate", "timestamp"),
            "expiry": "expirationtimestamp",
            "strike": "strike",
            "option_type": "optiontype",
        },
        scale={"implied_vol": 0.01},
    ),
)

"""Bybit option tickers; premiums are in dollars, expiry is at 08:00 UTC."""

from typing import Final

from levy_surfaces.formats.base import QuoteFormat

FORMATS: Final = (
    QuoteFormat(
        name="Bybit",
        signature=("symbol", "bid1price", "ask1price"),
        columns={
            "symbol": "symbol",
            "bid": "bid1price",
            "ask": "ask1price",
            "last": "lastprice",
            "implied_vol": ("markpriceiv", "markiv"),
            "forward": "underlyingprice",
            "spot": "indexprice",
            "quote_date": ("quotedate", "timestamp", "time"),
        },
        expiry_time="08:00:00+00:00",
    ),
)

"""Binance option tickers; `exercisePrice` is the index, not the strike. Expiry is at 08:00 UTC."""

from typing import Final

from levy_surfaces.formats.base import QuoteFormat

FORMATS: Final = (
    QuoteFormat(
        name="Binance",
        signature=("symbol", "strikeprice", "exerciseprice", "bidprice", "askprice"),
        columns={
            "symbol": "symbol",
            "strike": "strikeprice",
            "bid": "bidprice",
            "ask": "askprice",
            "last": "lastprice",
            "spot": "exerciseprice",
            "quote_date": ("quotedate", "timestamp"),
        },
        expiry_time="08:00:00+00:00",
    ),
)

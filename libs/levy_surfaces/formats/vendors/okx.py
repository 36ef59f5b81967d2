"""OKX option tickers and instruments; premiums are in the coin, expiry is at 08:00 UTC."""

from typing import Final

from levy_surfaces.formats.base import QuoteFormat

FORMATS: Final = (
    QuoteFormat(
        name="OKX",
        signature=("instid", "bidpx", "askpx"),
        columns={
            "symbol": "instid",
            "bid": "bidpx",
            "ask": "askpx",
            "last": "last",
            "quote_date": ("quotedate", "ts"),
        },
        expiry_time="08:00:00+00:00",
    ),
)

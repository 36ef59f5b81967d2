"""Yahoo Finance, as `yfinance` returns option chains.

The option symbol contains expiry, side and strike. The chain has no quote date: the day of its
latest trade is used, since quotes are refreshed while the market trades.
"""

from typing import Final

from levy_surfaces.formats.base import QuoteFormat

FORMATS: Final = (
    QuoteFormat(
        name="Yahoo Finance (yfinance)",
        signature=("contractsymbol", "lasttradedate", "strike", "bid", "ask"),
        columns={
            "symbol": "contractsymbol",
            "strike": "strike",
            "bid": "bid",
            "ask": "ask",
            "last": "lastprice",
            "last_trade": "lasttradedate",
            "implied_vol": "impliedvolatility",
            "currency": "currency",
            "quote_date": ("quotedate", "asofdate", "snapshotdate"),
            "expiry": ("expiry", "expiration", "expirationdate"),
            "spot": ("spot", "underlyingprice", "underlyinglast"),
            "rate": "rate",
            "dividend_yield": "dividendyield",
        },
    ),
)

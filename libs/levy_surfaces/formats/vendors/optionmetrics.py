"""OptionMetrics IvyDB option prices (WRDS); strikes are multiplied by 1,000."""

from typing import Final

from levy_surfaces.formats.base import QuoteFormat

FORMATS: Final = (
    QuoteFormat(
        name="OptionMetrics",
        signature=("exdate", "cpflag", "strikeprice"),
        columns={
            "quote_date": "date",
            "symbol": "symbol",
            "underlying": "ticker",
            "expiry": "exdate",
            "option_type": "cpflag",
            "strike": "strikeprice",
            "bid": "bestbid",
            "ask": "bestoffer",
            "mid": ("mid", "midprice"),
            "last": "last",
            "implied_vol": "implvolatility",
            "forward": "forwardprice",
            "spot": ("spot", "underlyingprice"),
            "rate": ("rate", "riskfreerate"),
            "dividend_yield": "dividendyield",
            "settlement": ("amsettlement", "amsetflag"),
            "exercise": "exercisestyle",
        },
        scale={"strike": 1e-3},
        missing=("-99.99", "-99.990000"),
    ),
)

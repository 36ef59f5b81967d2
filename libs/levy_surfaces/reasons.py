"""Reasons for dropping a quote, shared by the command line and the HTTP interface."""

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Reasons for dropping a quote; the first that applies is reported."""

    EXPIRED = "expired"
    NO_MARKET = "no_market"
    MISSING_PRICE = "missing_price"
    CROSSED = "crossed"
    MID_OUTSIDE_SPREAD = "mid_outside_spread"
    ZERO_BID = "zero_bid"
    DUPLICATE = "duplicate"
    CONFLICTING = "conflicting_quotes"
    MATURITY = "outside_maturity_window"
    NO_FORWARD = "no_forward"
    MONEYNESS = "outside_moneyness_window"
    NO_TIME_VALUE = "no_time_value"
    ABOVE_MAXIMUM = "above_maximum"
    IN_THE_MONEY = "in_the_money"
    NOT_MONOTONE = "not_monotone_in_strike"
    NOT_CONVEX = "not_convex_in_strike"
    CALENDAR = "calendar_arbitrage"
    STALE = "stale"
    TOO_FEW = "too_few_at_maturity"

    @property
    def meaning(self) -> str:
        """Explanation for a user."""
        return _MEANINGS[self]


_MEANINGS: Final = {
    Reason.EXPIRED: "already expired",
    Reason.NO_MARKET: "no market: bid and ask are zero",
    Reason.MISSING_PRICE: "no usable price: no mid, no bid with an ask, or a price of zero",
    Reason.CROSSED: "the bid is above the ask",
    Reason.MID_OUTSIDE_SPREAD: "the price is not between bid and ask",
    Reason.ZERO_BID: "zero bid, or bid at or below intrinsic value",
    Reason.DUPLICATE: "the same contract is already quoted at this price",
    Reason.CONFLICTING: "the same contract is quoted more than once at incompatible prices",
    Reason.MATURITY: "outside the requested maturities",
    Reason.NO_FORWARD: "neither put-call parity nor the file determines a forward",
    Reason.MONEYNESS: "outside the requested moneyness",
    Reason.NO_TIME_VALUE: "at or below discounted intrinsic value",
    Reason.ABOVE_MAXIMUM: "at or above the discounted forward (call) or strike (put)",
    Reason.IN_THE_MONEY: "in the money: the out-of-the-money option at the strike is used instead",
    Reason.NOT_MONOTONE: "vertical-spread arbitrage at bid and ask",
    Reason.NOT_CONVEX: "butterfly arbitrage at bid and ask",
    Reason.CALENDAR: "calendar-spread arbitrage at bid and ask",
    Reason.STALE: "put-call parity violated by much more than the bid-ask spread (stale quote)",
    Reason.TOO_FEW: "too few quotes at this expiry for a per-expiry fit",
}

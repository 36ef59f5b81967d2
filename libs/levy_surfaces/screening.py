"""The checks of quotes that files and HTTP requests share, on arrays.

Each check returns masks over the quotes; `cleaning` (files) and `requested` (requests) apply them
and report the reasons.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from levy_surfaces.arbitrage import (
    MID_ONLY_SPREAD,
    CallEquivalents,
    butterfly_violations,
    calendar_quotes_to_remove,
    quotes_to_remove,
    vertical_spread_violations,
)
from levy_surfaces.parity import Pairs, ParityLine
from levy_surfaces.reasons import Reason

STALE_SCALES: Final = 8.0
"""Standard deviations of the pairs about their own line beyond which a pair is stale."""

_PRICE_SLACK: Final = 1e-6
"""Relative rounding of a mid that is written with fewer digits than its bid and ask."""
_SAME_PRICE: Final = 1e-4
"""Half the relative difference up to which two prices of a contract agree.

Far below usual spreads, but above the change of a price within a minute, by which maturities of one
expiry may differ.
"""
_SAME_STRIKE: Final = 1e-9
"""Relative difference up to which two strikes are one: the rounding of a conversion of units."""

Masks = list[tuple[Reason, np.ndarray]]


def equal_strikes(strike: np.ndarray) -> np.ndarray:
    """Return strikes with those within 1e-9 of each other, relatively, made equal; shape (n,)."""
    distinct = np.unique(strike)
    is_same = np.diff(distinct) <= _SAME_STRIKE * np.abs(distinct[1:])
    if not is_same.any():
        return strike
    positions = np.arange(distinct.size)
    positions[1:][is_same] = 0
    first: np.ndarray = distinct[np.maximum.accumulate(positions)]
    return first[np.searchsorted(distinct, strike)]


@dataclass(frozen=True)
class QuoteArrays:
    """Quotes as arrays of shape (n,); NaN where a number is unknown.

    Attributes
    ----------
    series : ndarray of int
        Quotes of one series share forward and discount; by increasing maturity.
    strike, price, bid, ask : ndarray
    is_call : ndarray of bool
    """

    series: np.ndarray
    strike: np.ndarray
    is_call: np.ndarray
    price: np.ndarray
    bid: np.ndarray
    ask: np.ndarray

    def select(self, which: np.ndarray) -> "QuoteArrays":
        """Return some of the quotes, by mask or positions."""
        arrays = (self.series, self.strike, self.is_call, self.price, self.bid, self.ask)
        return QuoteArrays(*(array[which] for array in arrays))

    def pairs(self) -> Pairs:
        """Return the strikes that have both a call and a put; the quotes must be of one series."""
        return Pairs.of(self.strike, self.is_call, self.price, self.bid, self.ask)

    def with_prices(self) -> tuple["QuoteArrays", Masks]:
        """Return the quotes with a price to fit and spreads that are real, and the unusable ones.

        - A bid and an ask of zero are not a market. Where the whole surface is quoted so, as in
          files of last prices, the price counts and the zeros are ignored; elsewhere it is too old.
        - An ask of zero is unknown: no offer was quoted. A side alone bounds the price but is
          not a spread.
        """
        if np.isnan(self.bid).all() and np.isnan(self.ask).all():
            missing = np.isnan(self.price) | (self.price == 0)
            return self, [(Reason.MISSING_PRICE, missing)]
        bid, ask = self.bid, np.where((self.ask == 0) & (self.bid > 0), np.nan, self.ask)
        empty = (bid == 0) & (ask == 0)
        has_market = bool(np.any(bid > 0) or np.any(ask > 0))
        slack = _PRICE_SLACK * np.abs(self.price)
        outside = ~empty & ((self.price < bid - slack) | (self.price > ask + slack))
        price = np.where(np.isnan(self.price) & ~empty, 0.5 * (bid + ask), self.price)
        unknown = empty | np.isnan(bid) | np.isnan(ask)
        quotes = replace(
            self,
            price=price,
            bid=np.where(unknown, np.nan, bid),
            ask=np.where(unknown, np.nan, ask),
        )
        return quotes, [
            (Reason.NO_MARKET, empty & (has_market | np.isnan(price))),
            (Reason.MISSING_PRICE, np.isnan(price)),
            (Reason.CROSSED, bid > ask),
            (Reason.MID_OUTSIDE_SPREAD, outside),
            (Reason.ZERO_BID, (bid == 0) & (ask > 0)),
            (Reason.MISSING_PRICE, price == 0),
        ]

    def repeated(self, kept: np.ndarray) -> Masks:
        """Return the quotes of contracts quoted more than once.

        All but the first where one price satisfies all of them at bid and ask; otherwise all,
        since nothing shows which is right.

        Parameters
        ----------
        kept : ndarray of bool, shape (n,)
            The quotes to compare.
        """
        where = np.flatnonzero(kept)
        keys = (self.is_call[where], self.strike[where], self.series[where])
        order = where[np.lexsort(keys)]
        begins = np.ones(order.size, dtype=bool)
        begins[1:] = np.any([key[order[1:]] != key[order[:-1]] for key in self._contract], axis=0)
        if begins.all():
            return []
        starts, run = np.flatnonzero(begins), np.cumsum(begins) - 1
        slack = _SAME_PRICE * self.price[order]
        low = np.fmin(self.bid[order], self.price[order] - slack)
        high = np.fmax(self.ask[order], self.price[order] + slack)
        agree = np.maximum.reduceat(low, starts) <= np.minimum.reduceat(high, starts)
        several = np.diff(np.append(starts, order.size)) > 1
        duplicate, conflicting = np.zeros((2, self.strike.size), dtype=bool)
        duplicate[order[~begins & agree[run]]] = True
        conflicting[order[(several & ~agree)[run]]] = True
        return [(Reason.DUPLICATE, duplicate), (Reason.CONFLICTING, conflicting)]

    @property
    def _contract(self) -> tuple[np.ndarray, ...]:
        return self.series, self.strike, self.is_call

    def contradicted(self, kept: np.ndarray, markets: "Markets") -> set[int]:
        """Return the series of which a call and a put contradict their forward by over a spread."""
        where = np.flatnonzero(kept)
        if (is_call := self.is_call[where]).all() or not is_call.any():
            return set()
        order = where[np.lexsort((self.is_call[where], self.strike[where], self.series[where]))]
        put, call = order[:-1], order[1:]
        paired = (self.series[put] == self.series[call]) & (self.strike[put] == self.strike[call])
        if not paired.any():
            return set()
        put, call = put[paired], call[paired]
        discount, forward = markets.discount[put], markets.forward[put]
        difference = self.price[call] - self.price[put]
        residual = np.abs(difference - discount * (forward - self.strike[put]))
        relative, absolute = MID_ONLY_SPREAD
        spread = self.ask[call] - self.bid[call] + self.ask[put] - self.bid[put]
        assumed = relative * (self.price[call] + self.price[put]) + absolute * discount * forward
        off = residual > np.where(np.isnan(spread), assumed, 0.5 * spread)
        return set(self.series[put[off]].tolist())

    def stale(self, kept: np.ndarray, lines: dict[int, ParityLine]) -> np.ndarray:
        """Return the quotes near the money that contradict the other side of their strike.

        A pair is judged against the line that was fitted to the pairs of its series, and by their
        scatter about that same line, whatever discount is used to price.
        """
        stale = np.zeros(self.strike.size, dtype=bool)
        for series, line in lines.items():
            mine = np.flatnonzero(kept & (self.series == series))
            pairs = self.select(mine).pairs().priced()
            if not line.is_verified or pairs.size == 0:
                continue
            residual = np.abs(line.residual(pairs.strike, pairs.difference))
            allowed = np.nan_to_num(pairs.spread) / 2.0 + STALE_SCALES * line.scale
            near = np.abs(pairs.strike - line.forward) <= pairs.straddle
            stale[mine[np.isin(self.strike[mine], pairs.strike[near & (residual > allowed)])]] = (
                True
            )
        return stale

    def static_arbitrage(
        self, kept: np.ndarray, markets: "Markets", family: np.ndarray | None = None
    ) -> Masks:
        """Return the fewest quotes whose removal ends static arbitrage at bid and ask.

        Parameters
        ----------
        kept : ndarray of bool, shape (n,)
        markets : Markets
        family : ndarray, shape (n,), optional
            Only series of one family (root) are each other's calendars; all are if absent.
        """
        masks: Masks = []
        if np.count_nonzero(kept) < 2:
            return masks
        kept = kept.copy()
        calls = self._call_equivalents(kept, markets)
        checks = (
            (vertical_spread_violations, Reason.NOT_MONOTONE),
            (butterfly_violations, Reason.NOT_CONVEX),
        )
        for find_violations, reason in () if calls.admit_a_convex_curve() else checks:
            masks.append((reason, self._mask(quotes_to_remove(calls, find_violations))))
            if masks[-1][1].any():
                kept &= ~masks[-1][1]
                calls = self._call_equivalents(kept, markets)
        families = [calls]
        if family is not None:
            labels = family[calls.index]
            families = [calls.select(labels == label) for label in np.unique(labels)]
        for calls in families:
            removed = calendar_quotes_to_remove(calls)
            if removed:
                masks.append((Reason.CALENDAR, self._mask(removed)))
        return masks

    def _call_equivalents(self, kept: np.ndarray, markets: "Markets") -> CallEquivalents:
        where = np.flatnonzero(kept)
        return CallEquivalents.of(
            where,
            series=self.series[where],
            strike=self.strike[where],
            is_call=self.is_call[where],
            price=self.price[where],
            bid=self.bid[where],
            ask=self.ask[where],
            forward=markets.forward[where],
            discount=markets.discount[where],
            noise=markets.noise[where],
        )

    def _mask(self, positions: set[int]) -> np.ndarray:
        mask = np.zeros(self.strike.size, dtype=bool)
        mask[list(positions)] = True
        return mask


@dataclass(frozen=True)
class Markets:
    """Forward, discount and noise of C − P of each quote's series, shape (n,)."""

    forward: np.ndarray
    discount: np.ndarray
    noise: np.ndarray

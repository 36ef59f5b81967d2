"""Static arbitrage at bid and ask, and the fewest quotes whose removal ends it.

All quotes are compared as calls: by parity a put is a call plus D·(F − K), spread unchanged. Mids
of tick-size quotes are seldom convex, so mids are never compared; only a bid above what can be
bought at the asks is an arbitrage. All series are checked at once, because requests of a few
hundred quotes must be checked in microseconds; quotes to remove are searched for only where there
are violations.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.market import is_new

Violations = list[tuple[float, tuple[int, ...]]]
"""Size of each arbitrage, and the positions of its quotes."""

MID_ONLY_SPREAD: Final = (0.02, 1e-4)
"""Half-spread assumed where only one price is known: a fraction of it plus one of the forward."""

_SLACK: Final = 1e-9
"""Per unit of discounted forward: rounding of prices that touch a bound exactly."""
_MAX_CANDIDATES: Final = 12
"""Removals that are tried for each quote removed; each costs a check of the series."""
_MANY_VIOLATIONS: Final = 12
"""Above it the quote with the largest share is removed without a search: noise violates often."""


@dataclass(frozen=True)
class CallEquivalents:
    """Quotes as calls per unit of discounted forward, by series and increasing strike.

    Attributes
    ----------
    index : ndarray of int, shape (n,)
        Positions of the quotes in their source.
    series : ndarray of int, shape (n,)
        Increasing with maturity.
    moneyness : ndarray, shape (n,)
        K/F.
    bid, ask : ndarray, shape (n,)
        Of calls, over D·F.
    """

    index: np.ndarray
    series: np.ndarray
    moneyness: np.ndarray
    bid: np.ndarray
    ask: np.ndarray

    @classmethod
    def of(
        cls,
        index: np.ndarray,
        *,
        series: np.ndarray,
        strike: np.ndarray,
        is_call: np.ndarray,
        price: np.ndarray,
        bid: np.ndarray,
        ask: np.ndarray,
        forward: np.ndarray,
        discount: np.ndarray,
        noise: np.ndarray,
    ) -> "CallEquivalents":
        """Convert quotes; arrays of shape (n,).

        Parameters
        ----------
        noise : ndarray
            Scale about the parity line, currency: it widens the spread assumed where none is known.
        """
        order = np.lexsort((strike, series))
        unit = forward * discount
        moneyness, price = strike / forward, price / unit
        relative, absolute = MID_ONLY_SPREAD
        assumed = relative * price + absolute + noise / unit
        parity = np.where(is_call, 0.0, 1.0 - moneyness)
        bids = np.where(np.isnan(bid), price - assumed, bid / unit) + parity
        asks = np.where(np.isnan(ask), price + assumed, ask / unit) + parity
        return cls(index[order], series[order], moneyness[order], bids[order], asks[order])

    def select(self, which: np.ndarray) -> "CallEquivalents":
        """Return some of the quotes, by mask."""
        arrays = (self.index, self.series, self.moneyness, self.bid, self.ask)
        return CallEquivalents(*(array[which] for array in arrays))

    def without(self, gone: set[int]) -> "CallEquivalents":
        """Return the quotes but those at the positions `gone` of the source."""
        return self.select(~np.isin(self.index, list(gone)))

    def admit_a_convex_curve(self) -> bool:
        """Return whether mids fall with the strike, by at most its increase, and are convex.

        Then a curve without arbitrage lies between all bids and asks, and no quote violates it at
        bid and ask. Noisy mids fail this test although their spreads may pass.
        """
        mid = 0.5 * (self.bid + self.ask)
        new = is_new(self.moneyness) | is_new(self.series)
        if not new.all():
            # Call and put of one strike share the point of the first.
            mid = mid[np.flatnonzero(new)][np.cumsum(new) - 1]
            if np.any((mid < self.bid) | (mid > self.ask)):
                return False
        series, x, y = self.series[new], self.moneyness[new], mid[new]
        together = series[1:] == series[:-1]
        slope = np.diff(y) / np.where(together, np.diff(x), 1.0)
        bends = (together[1:] & together[:-1])[: max(slope.size - 1, 0)]
        return not (
            np.any(np.abs(slope[together] + 0.5) > 0.5) or np.any(np.diff(slope)[bends] < 0.0)
        )

    @property
    def apart(self) -> np.ndarray:
        """Moneyness shifted so that series do not overlap, increasing, shape (n,)."""
        return self.apart_at(self.series, self.moneyness)

    def apart_at(self, series: np.ndarray, moneyness: np.ndarray) -> np.ndarray:
        """Return where a moneyness of a series is on the axis of `apart`."""
        return moneyness + series * (1.0 + float(np.max(self.moneyness, initial=0.0)))


def vertical_spread_violations(calls: CallEquivalents) -> Violations:
    """Return the vertical spreads: calls that rise with the strike, or fall by more than D·ΔK."""
    if calls.index.size < 2:
        return []
    together = calls.series[1:] == calls.series[:-1]
    # Shifted by series, the least so far is always of the same series.
    shift = calls.series * (2.0 + 2.0 * float(np.max(np.abs(calls.ask) + calls.moneyness)))
    cheapest = _running_argmin(calls.ask - shift)[:-1]
    falling = np.where(together, calls.bid[1:] - calls.ask[cheapest], -np.inf)
    bid, ask = calls.bid + calls.moneyness, calls.ask + calls.moneyness
    above = calls.index.size - 1 - _running_argmin((ask + shift)[::-1])[::-1][1:]
    rising = np.where(together, bid[:-1] - ask[above], -np.inf)
    violations = [(falling[j], (int(cheapest[j]), j + 1)) for j in _arbitrages(falling)]
    violations += [(rising[j], (j, int(above[j]))) for j in _arbitrages(rising)]
    return [(float(size), positions) for size, positions in violations]


def butterfly_violations(calls: CallEquivalents) -> Violations:
    """Return the butterflies: a bid above the lower convex envelope of the asks around it."""
    if calls.index.size < 3:
        return []
    x = calls.apart
    corners = _lower_envelopes(x, calls.ask, calls.series)
    excess = calls.bid - np.interp(x, x[corners], calls.ask[corners])
    excess[corners] = -np.inf
    violations: Violations = []
    for j in _arbitrages(excess):
        right = int(np.searchsorted(corners, j))
        violations.append((float(excess[j]), (int(corners[right - 1]), j, int(corners[right]))))
    return violations


def calendar_violations(calls: CallEquivalents) -> Violations:
    """Return the calendars: a bid above what the next series' asks pay for the same moneyness.

    E[(S_T/F_T − k)⁺] grows with T whatever the model, and linear interpolation of convex prices is
    a bound from above.
    """
    begins = is_new(calls.series)
    starts = np.flatnonzero(begins)
    if starts.size < 2:
        return []
    rank = np.cumsum(begins) - 1
    near = np.flatnonzero(rank < starts.size - 1)
    begin = starts[rank[near] + 1]
    end = np.append(starts[1:], calls.series.size)[rank[near] + 1]
    far_series = calls.series[begin]
    x, target = calls.apart, calls.apart_at(far_series, calls.moneyness[near])
    right = np.searchsorted(x, target)
    inside = (right < end) & ((right > begin) | (x[np.minimum(right, x.size - 1)] == target))
    near, right, target = near[inside], right[inside], target[inside]
    excess = calls.bid[near] - np.interp(target, x, calls.ask)
    violations: Violations = []
    for i in _arbitrages(excess):
        j, k = int(near[i]), int(right[i])
        made_of = (j, k) if x[k] == target[i] else (j, k - 1, k)
        violations.append((float(excess[i]), made_of))
    return violations


def quotes_to_remove(
    calls: CallEquivalents, find_violations: Callable[[CallEquivalents], Violations]
) -> set[int]:
    """Return the positions in the source of quotes whose removal ends the violations."""
    violations = find_violations(calls)
    removed: set[int] = set()
    for series in {int(calls.series[positions[0]]) for _, positions in violations}:
        removed |= _fewest_to_remove(calls.select(calls.series == series), find_violations)
    return removed


def calendar_quotes_to_remove(calls: CallEquivalents) -> set[int]:
    """Return the positions of quotes whose removal ends calendar arbitrage of successive series."""
    if not calendar_violations(calls):
        return set()
    removed: set[int] = set()
    for near, far in itertools.pairwise(np.unique(calls.series)):
        both = calls.select((calls.series == near) | (calls.series == far))
        removed |= _fewest_to_remove(both.without(removed), calendar_violations)
    return removed


def _fewest_to_remove(
    calls: CallEquivalents, find_violations: Callable[[CallEquivalents], Violations]
) -> set[int]:
    """Remove, one at a time, the quote whose removal leaves the least arbitrage.

    Ties are broken by the largest distance from the money.
    """

    def find(gone: set[int]) -> Violations:
        rest = calls.without(gone)
        return [
            (size, tuple(int(rest.index[i]) for i in positions))
            for size, positions in find_violations(rest)
        ]

    moneyness = dict(zip(calls.index.tolist(), calls.moneyness.tolist(), strict=True))
    gone: set[int] = set()
    violations = find(gone)
    while violations:
        remaining = {k: find(gone | {k}) for k in _candidates(violations)}
        quote = min(remaining, key=lambda k: (_total(remaining[k]), -abs(np.log(moneyness[k]))))
        gone.add(quote)
        violations = remaining[quote]
    return gone


def _candidates(violations: Violations) -> list[int]:
    """Return the quotes that contribute to the most arbitrage."""
    share: dict[int, float] = defaultdict(float)
    for size, labels in violations:
        for label in labels:
            share[label] += size
    n_tried = _MAX_CANDIDATES if len(violations) <= _MANY_VIOLATIONS else 1
    return sorted(share, key=lambda label: -share[label])[:n_tried]


def _total(violations: Violations) -> float:
    return round(sum(size for size, _ in violations), 12)


def _arbitrages(sizes: np.ndarray) -> list[int]:
    positions: list[int] = np.flatnonzero(sizes > _SLACK).tolist()
    return positions


def _running_argmin(values: np.ndarray) -> np.ndarray:
    """Return the position of the least of the values so far, for each position."""
    least = np.minimum.accumulate(values)
    is_new = np.concatenate([[True], least[1:] < least[:-1]])
    return np.maximum.accumulate(np.where(is_new, np.arange(values.size), 0))


def _lower_envelopes(x: np.ndarray, y: np.ndarray, series: np.ndarray) -> np.ndarray:
    """Return the corners of the lower convex hull of each series (Andrew's monotone chain)."""
    every: list[int] = []
    corners: list[int] = []
    xs, ys = x.tolist(), y.tolist()
    before = None
    for j, label in enumerate(series.tolist()):
        if label != before:
            every += corners
            corners, before = [], label
        while len(corners) >= 2:
            a, b = corners[-2], corners[-1]
            if (ys[b] - ys[a]) * (xs[j] - xs[a]) < (ys[j] - ys[a]) * (xs[b] - xs[a]):
                break
            corners.pop()
        corners.append(j)
    return np.array([*every, *corners])

"""Static arbitrage that survives the bid-ask spread: the fewest quotes whose removal ends it.

Everything is said of call prices: by parity a put is a call plus D·(F − K), spread unchanged.
Mids of tick-size quotes are seldom convex, so mids are never compared; only a bid above what can
be bought at the asks is an arbitrage.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

Conflicts = list[tuple[float, tuple[int, ...]]]
"""Each arbitrage: its size, and the positions of the quotes that it is made of."""

MID_ONLY_SPREAD: Final = (0.02, 1e-4)
"""Half-spread taken where only one price is known: a fraction of it plus one of the forward."""

_SLACK: Final = 1e-9
_MAX_SUSPECTS: Final = 12


@dataclass(frozen=True)
class CallEquivalents:
    """Quotes of one series as calls per unit of discounted forward, by increasing strike.

    Attributes
    ----------
    index : ndarray
        Labels of the rows.
    moneyness : ndarray, shape (n,)
        K/F.
    bid, ask : ndarray, shape (n,)
        Of calls, over D·F.
    """

    index: np.ndarray
    moneyness: np.ndarray
    bid: np.ndarray
    ask: np.ndarray

    def without(self, gone: set[int]) -> "CallEquivalents":
        """Copy that lacks the rows labelled `gone`."""
        keep = ~np.isin(self.index, list(gone))
        return CallEquivalents(
            self.index[keep], self.moneyness[keep], self.bid[keep], self.ask[keep]
        )


def call_equivalents(group: pd.DataFrame) -> CallEquivalents:
    """Quotes of one series as call equivalents.

    Parameters
    ----------
    group : DataFrame
        Columns `strike`, `is_call`, `price`, `bid`, `ask`, `forward`, `discount`, and `noise`, the
        scale about the parity line, which widens the spread taken where none is known.
    """
    ordered = group.sort_values("strike", kind="stable")
    forward = ordered["forward"].to_numpy(float)
    unit = forward * ordered["discount"].to_numpy(float)
    moneyness = ordered["strike"].to_numpy(float) / forward
    price = ordered["price"].to_numpy(float) / unit
    relative, absolute = MID_ONLY_SPREAD
    assumed = relative * price + absolute + group["noise"].loc[ordered.index].to_numpy(float) / unit
    bid = (ordered["bid"] / unit).fillna(pd.Series(price - assumed, ordered.index)).to_numpy(float)
    ask = (ordered["ask"] / unit).fillna(pd.Series(price + assumed, ordered.index)).to_numpy(float)
    parity = np.where(ordered["is_call"].to_numpy(bool), 0.0, 1.0 - moneyness)
    return CallEquivalents(ordered.index.to_numpy(), moneyness, bid + parity, ask + parity)


def not_monotone(calls: CallEquivalents) -> Conflicts:
    """Vertical spreads: a call worth more than one of lower strike, or less by over D·ΔK."""
    found: Conflicts = []
    if calls.index.size < 2:
        return found
    cheapest = _running_argmin(calls.ask)
    shifted_bid, shifted_ask = calls.bid + calls.moneyness, calls.ask + calls.moneyness
    cheapest_above = _running_argmin(shifted_ask[::-1])[::-1]
    last = calls.index.size - 1
    for j in range(calls.index.size):
        if j > 0:
            i = cheapest[j - 1]
            _record(found, calls.bid[j] - calls.ask[i], (int(i), j))
        if j < last:
            i = last - cheapest_above[j + 1]
            _record(found, shifted_bid[j] - shifted_ask[i], (j, int(i)))
    return found


def not_convex(calls: CallEquivalents) -> Conflicts:
    """Butterflies: a bid above the lower convex envelope of the asks around it."""
    found: Conflicts = []
    corners = _lower_envelope(calls.moneyness, calls.ask)
    for left, right in itertools.pairwise(corners):
        x0, x1 = calls.moneyness[left], calls.moneyness[right]
        for j in range(left + 1, right):
            weight = (x1 - calls.moneyness[j]) / (x1 - x0)
            ceiling = weight * calls.ask[left] + (1.0 - weight) * calls.ask[right]
            _record(found, calls.bid[j] - ceiling, (left, j, right))
    return found


def not_calendar(near: CallEquivalents, far: CallEquivalents) -> Conflicts:
    """Calendars: a bid above what the later expiry's asks pay for the same moneyness.

    Positions count `near` first, then `far`. E[(S_T/F_T − k)⁺] grows with T whatever the model, and
    linear interpolation of convex prices is a bound from above.
    """
    found: Conflicts = []
    n = near.index.size
    for j in range(n):
        k = near.moneyness[j]
        right = int(np.searchsorted(far.moneyness, k))
        if right < far.index.size and far.moneyness[right] == k:
            _record(found, near.bid[j] - far.ask[right], (j, n + right))
        elif 0 < right < far.index.size:
            left = right - 1
            x0, x1 = far.moneyness[left], far.moneyness[right]
            weight = (x1 - k) / (x1 - x0)
            ceiling = weight * far.ask[left] + (1.0 - weight) * far.ask[right]
            _record(found, near.bid[j] - ceiling, (j, n + left, n + right))
    return found


def culprits_in_strike(
    calls: CallEquivalents, conflicts: Callable[[CallEquivalents], Conflicts]
) -> set[int]:
    """Labels of the quotes to remove until `conflicts` finds none."""

    def find(gone: set[int]) -> Conflicts:
        rest = calls.without(gone)
        return _labelled(conflicts(rest), rest.index)

    return _removed(find, _distances([calls]))


def culprits_in_calendar(series: list[CallEquivalents]) -> set[int]:
    """Labels to remove until no two neighbouring expiries, in order, allow a calendar."""
    removed: set[int] = set()
    for pair in itertools.pairwise(series):
        near, far = (calls.without(removed) for calls in pair)

        def find(
            gone: set[int], near: CallEquivalents = near, far: CallEquivalents = far
        ) -> Conflicts:
            left, right = near.without(gone), far.without(gone)
            labels = np.concatenate([left.index, right.index])
            return _labelled(not_calendar(left, right), labels)

        removed |= _removed(find, _distances([near, far]))
    return removed


def _removed(find: Callable[[set[int]], Conflicts], distance: dict[int, float]) -> set[int]:
    """Remove, one at a time, the quote without which the least arbitrage is left.

    Of several, the furthest from the money.
    """
    gone: set[int] = set()
    found = find(gone)
    while found:
        left = {label: find(gone | {label}) for label in _suspects(found)}
        culprit = min(left, key=lambda label: (_total(left[label]), -distance[label]))
        gone.add(culprit)
        found = left[culprit]
    return gone


def _suspects(found: Conflicts) -> list[int]:
    """Quotes that take part in the most arbitrage."""
    share: dict[int, float] = defaultdict(float)
    for size, labels in found:
        for label in labels:
            share[label] += size
    return sorted(share, key=lambda label: -share[label])[:_MAX_SUSPECTS]


def _total(found: Conflicts) -> float:
    return round(sum(size for size, _ in found), 12)


def _labelled(found: Conflicts, labels: np.ndarray) -> Conflicts:
    return [(size, tuple(int(labels[i]) for i in positions)) for size, positions in found]


def _distances(series: list[CallEquivalents]) -> dict[int, float]:
    return {
        int(label): float(abs(np.log(k)))
        for calls in series
        for label, k in zip(calls.index, calls.moneyness, strict=True)
    }


def _record(found: Conflicts, size: float, positions: tuple[int, ...]) -> None:
    if size > _SLACK:
        found.append((float(size), positions))


def _running_argmin(values: np.ndarray) -> np.ndarray:
    """Position of the least of the values so far, for each position."""
    least = np.minimum.accumulate(values)
    is_new = np.concatenate([[True], least[1:] < least[:-1]])
    return np.maximum.accumulate(np.where(is_new, np.arange(values.size), 0))


def _lower_envelope(x: np.ndarray, y: np.ndarray) -> list[int]:
    """Positions of the corners of the lower convex hull (Andrew's monotone chain)."""
    corners: list[int] = []
    for j in range(x.size):
        while len(corners) >= 2:
            a, b = corners[-2], corners[-1]
            if (y[b] - y[a]) * (x[j] - x[a]) < (y[j] - y[a]) * (x[b] - x[a]):
                break
            corners.pop()
        corners.append(j)
    return corners

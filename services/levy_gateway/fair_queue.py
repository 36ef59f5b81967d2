"""Admission to an upstream service: fair between callers, with a bounded wait."""

import asyncio
import heapq
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from levy_gateway.metrics import GatewayMetrics
from levy_schemas.cost import Cost, Lane
from levy_service.work import DeadlineError, OverloadedError

_SMOOTHING: Final = 0.1
"""Weight of the latest request in the mean cost of its kind."""
_FIXED_SIZE: Final = 50
"""Number of options that cost as much as a request's share that does not depend on its size."""
_UNKNOWN_SECONDS: Final[dict[Lane, float]] = {"brief": 0.01, "long": 1.0}
"""Cost of the first request of a kind."""
_BURST: Final = 5.0
"""Longest wait in a burst, relative to the wait under steady overload."""
_CALM_SECONDS: Final = 10.0
"""Time without a refusal after which overload has ended, and bursts are served again."""
_MAX_CALLERS: Final = 10_000


@dataclass(order=True)
class _Waiting:
    """A request in the queue, ordered by its start tag."""

    tag: float
    number: int
    seconds: float = field(compare=False)
    give_up: float = field(compare=False)
    turn: asyncio.Future[None] = field(compare=False)


class FairQueue:
    """Bound the requests in flight to a service, and the wait of the others.

    Requests start in the order of start-time fair queueing: each caller with requests in the queue
    receives an equal share of the service's time, whatever the number and the cost of its requests.
    A request is refused at once if others are ahead of it and its wait would exceed the limit, or
    if it could not end before its deadline. The limit is long until a request is refused, so that
    bursts are served, and then short until none has been refused for ten seconds, so that steady
    overload does not make every request slow.

    Costs are the durations of former requests of the same kind, proportional to their size.

    Parameters
    ----------
    lane : {"brief", "long"}
    concurrency : int
        Requests in flight.
    wait_seconds : float
        Longest expected wait under steady overload.
    metrics : GatewayMetrics
    clock : callable
        A monotonic clock, in seconds.

    References
    ----------
    Goyal, Vin and Cheng (1997), Start-time fair queueing, IEEE/ACM Transactions on Networking 5(5).
    Maurer (2015), Fail at scale, ACM Queue 13(8), for the two limits.
    """

    def __init__(
        self,
        lane: Lane,
        concurrency: int,
        wait_seconds: float,
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lane: Lane = lane
        self._concurrency = concurrency
        self._wait_seconds = wait_seconds
        self._metrics = metrics
        self._clock = clock
        self._queue: list[_Waiting] = []
        self._number = 0
        self._running_seconds: dict[int, float] = {}
        self._virtual_time = 0.0
        self._finish_tags: dict[str, float] = {}
        self._seconds_of_unit: dict[str, float] = {}
        self._refused_at = -math.inf

    @asynccontextmanager
    async def slot(
        self, caller: str, cost: Cost, deadline_seconds: float
    ) -> AsyncIterator[Callable[[], None]]:
        """Wait for a turn, and occupy one of the slots while the body runs.

        Yields
        ------
        callable
            Called by the body if it succeeds: its duration is typical of its kind.

        Raises
        ------
        OverloadedError
            The wait would be too long; the body does not run.
        """
        seconds = self.expected_seconds(cost)
        waiting = self._enter(caller, seconds, self._clock() + deadline_seconds)
        entered = self._clock()
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting.turn.done() and not waiting.turn.cancelled():
                self._leave(waiting)
            raise
        started = self._clock()
        self._metrics.queue_seconds.labels(self._lane).observe(started - entered)

        def learn() -> None:
            self._learn(cost, self._clock() - started)

        try:
            yield learn
        except DeadlineError:
            learn()  # it takes at least as long
            raise
        finally:
            self._leave(waiting)

    def expected_seconds(self, cost: Cost) -> float:
        """Return the time that a request is expected to occupy a slot."""
        unit = self._seconds_of_unit.get(cost.kind)
        return _UNKNOWN_SECONDS[self._lane] if unit is None else unit * _units(cost)

    def require_room(self, caller: str) -> None:
        """Raise `OverloadedError` if even a small request of this caller would wait too long.

        Called before the body is read: refusing requests must cost much less than serving them.
        """
        tag = self._tag_of(caller)
        wait = self._expected_wait(tag)
        if self._is_too_long(wait, tag):
            raise self._refusal(wait)

    def _tag_of(self, caller: str) -> float:
        return max(self._virtual_time, self._finish_tags.get(caller, 0.0))

    def _expected_wait(self, tag: float) -> float:
        if len(self._running_seconds) < self._concurrency:
            return 0.0
        ahead = sum(other.seconds for other in self._queue if other.tag <= tag)
        # On average, half of what is running remains.
        return (ahead + 0.5 * sum(self._running_seconds.values())) / self._concurrency

    def _enter(self, caller: str, seconds: float, deadline: float) -> _Waiting:
        tag = self._tag_of(caller)
        wait = self._expected_wait(tag)
        # An idle slot is used whatever the estimate, which would otherwise never be corrected.
        latest_start = deadline - seconds if wait > 0.0 else deadline
        if self._is_too_long(wait, tag) or self._clock() + wait > latest_start:
            raise self._refusal(wait)
        self._finish_tags[caller] = tag + seconds
        self._number += 1
        turn = asyncio.get_running_loop().create_future()
        waiting = _Waiting(tag, self._number, seconds, latest_start, turn)
        heapq.heappush(self._queue, waiting)
        self._start_next()
        return waiting

    def _is_too_long(self, wait: float, tag: float) -> bool:
        # The next request waits for one slot only: without this rule a caller who sends one
        # request at a time would be refused because of the requests of another.
        is_next = all(other.tag > tag for other in self._queue)
        is_calm = self._clock() - self._refused_at > _CALM_SECONDS
        return not is_next and wait > self._wait_seconds * (_BURST if is_calm else 1.0)

    def _refusal(self, wait: float) -> OverloadedError:
        """Count a refusal and return its error."""
        self._metrics.count_refusal("overloaded")
        self._refused_at = self._clock()
        return OverloadedError(wait)

    def _start_next(self) -> None:
        while self._queue and len(self._running_seconds) < self._concurrency:
            waiting = heapq.heappop(self._queue)
            if waiting.turn.done():  # cancelled while it waited
                continue
            if self._clock() > waiting.give_up:
                waiting.turn.set_exception(self._refusal(0.0))
                continue
            self._virtual_time = waiting.tag
            self._running_seconds[waiting.number] = waiting.seconds
            waiting.turn.set_result(None)
        if not self._queue and len(self._finish_tags) > _MAX_CALLERS:
            self._finish_tags.clear()

    def _leave(self, waiting: _Waiting) -> None:
        del self._running_seconds[waiting.number]
        self._start_next()

    def _learn(self, cost: Cost, seconds: float) -> None:
        unit = seconds / _units(cost)
        known = self._seconds_of_unit.get(cost.kind, unit)
        self._seconds_of_unit[cost.kind] = known + _SMOOTHING * (unit - known)


def _units(cost: Cost) -> int:
    return cost.size + _FIXED_SIZE

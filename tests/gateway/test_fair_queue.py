"""Admission: order between callers, limits of the wait, and learned costs."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from levy_gateway.fair_queue import FairQueue
from levy_gateway.metrics import GatewayMetrics
from levy_schemas.cost import Cost
from levy_service.work import DeadlineError, OverloadedError

FIT = Cost("brief", "calibrate", 200)


class Service:
    """A queue before a service whose requests take a fixed time of a simulated clock."""

    def __init__(self, concurrency: int = 1, wait_seconds: float = 0.1) -> None:
        self.now = 0.0
        self.metrics = GatewayMetrics()
        self.queue = FairQueue("brief", concurrency, wait_seconds, self.metrics, lambda: self.now)
        self.order: list[str] = []
        self.refused: list[str] = []
        self._ended: list[asyncio.Event] = []

    async def send_one(self, caller: str, cost: Cost = FIT, deadline: float = 30.0) -> None:
        """Send a request that runs until `end_next`."""
        try:
            async with self.queue.slot(caller, cost, deadline) as succeeded:
                self.order.append(caller)
                ended = asyncio.Event()
                self._ended.append(ended)
                await ended.wait()
                succeeded()
        except OverloadedError:
            self.refused.append(caller)

    async def send(self, *callers: str, cost: Cost = FIT) -> None:
        """Send a request of each caller."""
        for caller in callers:
            self.tasks.add(asyncio.create_task(self.send_one(caller, cost)))
            await settle()

    async def end_next(self, seconds: float) -> None:
        """Let time pass, and end the request that started first."""
        self.now += seconds
        self._ended.pop(0).set()
        await settle()

    async def learn(self, seconds: float, cost: Cost = FIT) -> None:
        """Have the queue learn the cost of a kind."""
        await self.send("teacher", cost=cost)
        await self.end_next(seconds)
        self.order.clear()

    async def fail(self, cost: Cost, error: Exception) -> None:
        """Send a request that raises after nine seconds."""

        async def failing() -> None:
            async with self.queue.slot("desk", cost, 30.0):
                self.now += 9.0
                raise error

        with pytest.raises(type(error)):
            await failing()

    def run(self, scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.tasks: set[asyncio.Task[None]] = set()

        async def whole() -> None:
            await scenario()
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

        asyncio.run(whole())


async def settle() -> None:
    """Let every task run as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_caller_with_one_request_goes_before_the_backlog_of_another() -> None:
    service = Service(wait_seconds=10.0)

    async def scenario() -> None:
        await service.learn(0.01)
        await service.send(*["greedy"] * 5, "polite")
        for _ in range(6):
            await service.end_next(0.01)

    service.run(scenario)
    assert service.order.index("polite") == 1
    assert service.order.count("greedy") == 5


def test_callers_share_by_cost_not_by_number() -> None:
    service = Service(wait_seconds=100.0)
    costly = Cost("brief", "costly", 200)

    async def scenario() -> None:
        await service.learn(0.01)
        await service.learn(0.1, costly)
        await service.send(*["costly"] * 3, cost=costly)
        await service.send(*["cheap"] * 20)
        for _ in range(23):
            await service.end_next(0.01)

    service.run(scenario)
    costly_at = [k for k, caller in enumerate(service.order) if caller == "costly"]
    # About ten cheap requests cost as much as a costly one.
    assert 9 <= costly_at[1] - costly_at[0] - 1 <= 11
    assert 9 <= costly_at[2] - costly_at[1] - 1 <= 11


def test_no_more_requests_are_in_flight_than_allowed() -> None:
    service = Service(concurrency=3, wait_seconds=10.0)

    async def scenario() -> None:
        await service.send(*"abcdef")
        assert len(service.order) == 3
        await service.end_next(0.01)
        assert len(service.order) == 4

    service.run(scenario)


def test_a_burst_waits_and_steady_overload_is_refused() -> None:
    service = Service(wait_seconds=0.1)

    async def scenario() -> None:
        await service.learn(0.02)
        await service.send(*["desk"] * 24)  # 0.48 s of work
        assert service.refused == []
        await service.send(*["desk"] * 4)  # more than five times the limit
        assert service.refused == ["desk"] * 2
        for _ in range(16):
            await service.end_next(0.02)
        await service.send("desk")  # 0.2 s of work wait, and the overload has not ended
        assert service.refused == ["desk"] * 3
        for _ in range(10):
            await service.end_next(0.02)
        service.now += 11.0
        await service.send(*["desk"] * 20)
        assert service.refused == ["desk"] * 3

    service.run(scenario)
    refused = b'requests_refused_total{reason="overloaded"} 3.0'
    assert refused in service.metrics.exposition()


def test_a_caller_without_a_backlog_is_served_while_another_is_refused() -> None:
    service = Service(wait_seconds=0.05)

    async def scenario() -> None:
        await service.learn(0.02)
        await service.send(*["greedy"] * 40)
        with pytest.raises(OverloadedError):
            service.queue.require_room("greedy")
        service.queue.require_room("polite")
        await service.send("polite")

    service.run(scenario)
    assert set(service.refused) == {"greedy"}


def test_whoever_is_next_waits_for_a_slow_request_of_another() -> None:
    service = Service(wait_seconds=0.05)

    async def scenario() -> None:
        await service.learn(2.0)
        await service.send(*["greedy"] * 3)
        service.queue.require_room("polite")
        await service.send(*["polite"] * 3)
        for _ in range(3):
            await service.end_next(2.0)

    service.run(scenario)
    # One request of each waits: others have too much work ahead.
    assert service.order == ["greedy", "polite", "greedy"]
    assert service.refused == ["greedy", "polite", "polite"]


def test_a_request_is_refused_if_it_cannot_end_before_its_deadline() -> None:
    service = Service(wait_seconds=10.0)

    async def scenario() -> None:
        await service.learn(0.5)
        await service.send("first")
        await service.send_one("late", deadline=0.4)
        assert service.refused == ["late"]
        waiting = asyncio.create_task(service.send_one("second", deadline=1.0))
        await settle()
        await service.end_next(0.7)  # longer than expected: now it is too late for the second
        await waiting

    service.run(scenario)
    assert service.refused == ["late", "second"]
    assert service.order == ["first"]


def test_an_idle_service_is_tried_whatever_its_former_requests_took() -> None:
    service = Service()

    async def scenario() -> None:
        await service.learn(40.0)
        await service.send("desk")
        await service.end_next(0.1)

    service.run(scenario)
    assert service.order == ["desk"]
    assert service.refused == []


def test_a_request_that_is_cancelled_while_it_waits_frees_its_place() -> None:
    service = Service(wait_seconds=10.0)

    async def scenario() -> None:
        await service.send("first")
        given_up = asyncio.create_task(service.send_one("given up"))
        await settle()
        given_up.cancel()
        await service.send("next")
        await service.end_next(0.01)

    service.run(scenario)
    assert service.order == ["first", "next"]


def test_costs_are_learned_by_kind_and_size() -> None:
    service = Service()
    other = Cost("brief", "other", 200)

    async def scenario() -> None:
        for _ in range(60):
            await service.learn(0.05)
        assert service.queue.expected_seconds(FIT) == pytest.approx(0.05)
        assert service.queue.expected_seconds(Cost("brief", FIT.kind, 450)) == pytest.approx(0.1)
        assert service.queue.expected_seconds(other) == 0.01
        await service.fail(other, RuntimeError())
        assert service.queue.expected_seconds(other) == 0.01  # failures teach nothing
        await service.fail(other, DeadlineError(9.0))
        assert service.queue.expected_seconds(other) == pytest.approx(9.0)

    service.run(scenario)

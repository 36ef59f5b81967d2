"""Heavy work in bounded threads, within deadlines."""

import threading
import time
from functools import partial

import anyio
import pytest
from fastapi import Request

from levy_schemas.headers import DEADLINE_SECONDS
from levy_service.metrics import ServiceMetrics
from levy_service.work import Checkpoint, DeadlineError, OverloadedError, Threads, deadline_of


def request(deadline: str | None = None) -> Request:
    headers = [] if deadline is None else [(DEADLINE_SECONDS.lower().encode(), deadline.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("offered", "seconds"),
    [(None, 30.0), ("5", 5.0), ("99", 30.0), ("-1", 30.0), ("nan", 30.0), ("soon", 30.0)],
)
def test_a_caller_may_shorten_its_deadline_and_not_lengthen_it(
    offered: str | None, seconds: float
) -> None:
    assert deadline_of(request(offered), 30.0) == seconds


def test_work_that_takes_too_long_is_given_up() -> None:
    release = threading.Event()
    threads = Threads(1, 30.0, ServiceMetrics("levy_test"))
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        anyio.run(threads.run, lambda _: release.wait(5.0), request("0.05"))
    assert time.monotonic() - started < 2.0
    release.set()


def test_no_more_threads_work_than_were_given() -> None:
    threads = Threads(2, 30.0, ServiceMetrics("levy_test"))
    at_once, lock, most = [0], threading.Lock(), [0]

    def work(_: Checkpoint) -> None:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.02)
        with lock:
            at_once[0] -= 1

    async def many() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(threads.run, work, request())

    anyio.run(many)
    assert most[0] == 2


def test_the_pieces_of_several_requests_share_the_threads() -> None:
    threads = Threads(2, 30.0, ServiceMetrics("levy_test"))
    at_once, lock, most = [0], threading.Lock(), [0]
    results: list[list[int]] = []

    def piece(k: int, checkpoint: Checkpoint) -> int:
        checkpoint()
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.01)
        with lock:
            at_once[0] -= 1
        return k

    async def ask() -> None:
        pieces = [partial(piece, k) for k in range(6)]
        results.append(await threads.run_each(lambda _: pieces, request()))

    async def many() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask)

    anyio.run(many)
    assert most[0] == 2
    assert results == [list(range(6))] * 3


def test_no_piece_is_begun_after_the_deadline() -> None:
    threads = Threads(1, 30.0, ServiceMetrics("levy_test"))
    begun = []

    def piece(_: Checkpoint) -> None:
        begun.append("piece")
        time.sleep(0.1)

    async def ask() -> None:
        with pytest.raises(DeadlineError):
            await threads.run_each(lambda _: [piece] * 20, request("0.15"))
        await anyio.sleep(0.3)

    anyio.run(ask)
    assert 1 <= len(begun) <= 2


def test_no_pieces_have_no_results() -> None:
    threads = Threads(1, 30.0, ServiceMetrics("levy_test"))
    assert anyio.run(threads.run_each, lambda _: [], request()) == []


def test_work_whose_turn_comes_after_its_deadline_does_not_start() -> None:
    threads = Threads(1, 30.0, ServiceMetrics("levy_test"))
    started: list[str] = []

    async def late() -> None:
        with pytest.raises(DeadlineError):
            await threads.run(lambda _: started.append("late"), request("0.05"))

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(threads.run, lambda _: time.sleep(0.2), request())
            await anyio.sleep(0.01)
            group.start_soon(late)

    anyio.run(both)
    assert started == []


def test_work_past_its_deadline_keeps_its_thread_and_stops_at_its_next_checkpoint() -> None:
    """A thread that is given up must not be replaced: threads are what bounds processor time."""
    threads = Threads(1, 30.0, ServiceMetrics("levy_test"))
    events: list[str] = []

    def slow(checkpoint: Checkpoint) -> None:
        time.sleep(0.2)
        events.append("checkpoint")
        checkpoint()
        events.append("continued")

    async def both() -> None:
        with pytest.raises(DeadlineError):
            await threads.run(slow, request("0.05"))
        await threads.run(lambda _: events.append("next"), request())

    anyio.run(both)
    assert events == ["checkpoint", "next"]


def test_work_that_would_wait_longer_than_its_deadline_is_refused_at_once() -> None:
    threads = Threads(1, 30.0, ServiceMetrics("levy_test"))

    async def many() -> float:
        for _ in range(40):  # the mean duration is learned
            await threads.run(lambda _: time.sleep(0.01), request())
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(threads.run, lambda _: time.sleep(0.01), request())
            await anyio.sleep(0.005)
            before = time.monotonic()
            with pytest.raises(OverloadedError) as refused:
                await threads.run(lambda _: None, request("0.05"))
            assert refused.value.retry_after_seconds == 1
            return time.monotonic() - before

    assert anyio.run(many) < 0.05


def test_the_threads_of_two_lanes_do_not_wait_for_each_other() -> None:
    metrics, release = ServiceMetrics("levy_test"), threading.Event()
    long, brief = Threads(1, 30.0, metrics, "long"), Threads(1, 30.0, metrics, "brief")

    async def both() -> str:
        async with anyio.create_task_group() as group:
            group.start_soon(long.run, lambda _: release.wait(20.0), request())
            found = await brief.run(lambda _: "brief", request())
            release.set()
        return found

    started = time.monotonic()
    assert anyio.run(both) == "brief"
    assert time.monotonic() - started < 10.0

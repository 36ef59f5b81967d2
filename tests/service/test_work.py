"""Heavy work in bounded threads, within deadlines."""

import threading
import time
from functools import partial

import anyio
import pytest
from fastapi import Request

from levy_schemas.headers import DEADLINE_SECONDS
from levy_service.metrics import ServiceMetrics
from levy_service.work import Checkpoint, DeadlineError, Threads, deadline_of


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


def test_brief_work_waits_for_no_long_work_and_lets_others_in_between() -> None:
    threads = Threads(1, 30.0, ServiceMetrics("levy_test"))
    release, happened = threading.Event(), list[str]()

    async def other() -> None:
        for _ in range(4):
            happened.append("other")
            await anyio.sleep(0)

    async def many() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(threads.run, lambda _: release.wait(20.0), request())
            async with anyio.create_task_group() as briefs:
                for _ in range(4):
                    brief = lambda _: happened.append("brief")  # noqa: E731
                    briefs.start_soon(threads.run_brief, brief, request())
                briefs.start_soon(other)
            # Long work still occupies the only thread, and short work is finished.
            release.set()

    started = time.monotonic()
    anyio.run(many)
    assert happened.count("brief") == 4
    first, last = happened.index("brief"), len(happened) - happened[::-1].index("brief")
    assert "other" in happened[first:last]
    assert time.monotonic() - started < 20.0


def test_brief_work_that_goes_on_is_begun_anew_in_a_thread() -> None:
    threads = Threads(1, 30.0, ServiceMetrics("levy_test"))
    began: list[threading.Thread] = []

    def work(checkpoint: Checkpoint) -> str:
        began.append(threading.current_thread())
        checkpoint()
        return "done"

    assert anyio.run(threads.run_brief, work, request()) == "done"
    here, there = began
    assert here is threading.main_thread()
    assert there is not here


def test_brief_work_whose_turn_comes_too_late_never_begins() -> None:
    threads = Threads(1, 30.0, ServiceMetrics("levy_test"))
    began: list[str] = []

    async def late() -> None:
        with pytest.raises(DeadlineError):
            await threads.run_brief(lambda _: began.append("late"), request("0.05"))

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(threads.run_brief, lambda _: time.sleep(0.2), request())
            group.start_soon(late)

    anyio.run(both)
    assert began == []

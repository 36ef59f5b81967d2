"""Run the work of requests in a limited number of threads, within their deadlines."""

import asyncio
import contextvars
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from fastapi import Request

from levy_schemas.headers import DEADLINE_SECONDS
from levy_service.metrics import ServiceMetrics
from levy_service.problems import ProblemError

_Result = TypeVar("_Result")
Checkpoint = Callable[[], None]
"""Called by work before each of its steps; raises if the work is to stop."""

_SMOOTHING: Final = 0.1
"""Weight of the latest duration in the mean."""


class DeadlineError(ProblemError):
    """The deadline of a request has passed."""

    code = "deadline"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"No result within the deadline of {seconds:g} s. Send a smaller request, or retry "
            "later.",
            deadline_seconds=seconds,
        )


class OverloadedError(ProblemError):
    """More requests wait than can be served in time; nothing was computed."""

    code = "overloaded"

    def __init__(self, wait_seconds: float) -> None:
        self.retry_after_seconds = max(1, math.ceil(wait_seconds))
        super().__init__(
            "Too many requests are waiting, and this one was not started. Retry in "
            f"{self.retry_after_seconds} s, with fewer requests at a time."
        )


class Threads:
    """Run computations in a limited number of threads.

    Work whose turn comes after its deadline is not started, and work that runs stops at its first
    checkpoint after the deadline. Until then it occupies its thread, so that there are never more
    computations than threads.

    Parameters
    ----------
    count : int
        Number of threads; further work waits.
    deadline_seconds : float
        Longest deadline of a request.
    metrics : ServiceMetrics
        Shows the number of computations that run or wait.
    lane : str
        Label in the metrics, where a service has several kinds of threads.
    """

    def __init__(
        self, count: int, deadline_seconds: float, metrics: ServiceMetrics, lane: str = "all"
    ) -> None:
        self.deadline_seconds = deadline_seconds
        self._count = count
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=f"levy-{lane}")
        self._idle = asyncio.Semaphore(count)
        self._running = self._waiting = 0
        self._mean_seconds = 0.0
        self._running_gauge = metrics.threads_busy.labels(lane)
        self._waiting_gauge = metrics.threads_waiting.labels(lane)

    async def run(self, work: Callable[[Checkpoint], _Result], request: Request) -> _Result:
        """Return the result of `work`, run in a thread until the deadline of the request.

        Raises
        ------
        OverloadedError
            Its turn would come after the deadline.
        DeadlineError
        """
        async with self._turn(request) as checkpoint:
            return await self._in_thread(work, checkpoint)

    async def run_each(
        self,
        prepare: Callable[[Checkpoint], Sequence[Callable[[Checkpoint], _Result]]],
        request: Request,
    ) -> list[_Result]:
        """Run `prepare` in a thread, then the pieces of work that it returns in all threads.

        A thread that finishes one piece takes the next; no piece is started after the deadline.

        Returns
        -------
        list
            Results in the order of the pieces.

        Raises
        ------
        OverloadedError, DeadlineError
        """
        async with self._turn(request) as checkpoint:
            pieces = await self._in_thread(prepare, checkpoint)
            results: dict[int, _Result] = {}
            # Threads share this iterator; taking the next item is atomic.
            remaining = iter(enumerate(pieces))

            def run_remaining(checkpoint: Checkpoint) -> None:
                for k, piece in remaining:
                    checkpoint()
                    results[k] = piece(checkpoint)

            n_threads = min(self._count, len(pieces))
            await asyncio.gather(
                *(self._in_thread(run_remaining, checkpoint) for _ in range(n_threads))
            )
            return [results[k] for k in range(len(pieces))]

    @asynccontextmanager
    async def _turn(self, request: Request) -> AsyncIterator[Checkpoint]:
        """Yield a checkpoint, and end the body with `DeadlineError` at the request's deadline."""
        seconds = deadline_of(request, self.deadline_seconds)
        wait = self._mean_seconds * self._waiting / self._count
        if self._waiting and wait >= seconds:
            raise OverloadedError(wait)
        end = time.monotonic() + seconds

        def checkpoint() -> None:
            if time.monotonic() >= end:
                raise DeadlineError(seconds)

        try:
            async with asyncio.timeout(seconds):
                yield checkpoint
        except TimeoutError as error:
            raise DeadlineError(seconds) from error

    async def _in_thread(
        self, work: Callable[[Checkpoint], _Result], checkpoint: Checkpoint
    ) -> _Result:
        self._count_change(waiting=1)
        try:
            await self._idle.acquire()
        finally:
            self._count_change(waiting=-1)
        loop = asyncio.get_running_loop()
        started = time.monotonic()

        def finished() -> None:
            spent = time.monotonic() - started
            self._mean_seconds += _SMOOTHING * (spent - self._mean_seconds)
            self._count_change(running=-1)
            self._idle.release()

        def run() -> _Result:
            checkpoint()
            return work(checkpoint)

        self._count_change(running=1)
        future = self._executor.submit(contextvars.copy_context().run, run)
        # Not when the request ends: after its deadline the work may still run.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(finished))
        return await asyncio.wrap_future(future)

    def _count_change(self, *, running: int = 0, waiting: int = 0) -> None:
        """Set the gauges; set, not computed on collection, so that workers can be combined."""
        self._running += running
        self._waiting += waiting
        self._running_gauge.set(self._running)
        self._waiting_gauge.set(self._waiting)


def deadline_of(request: Request, longest: float) -> float:
    """Return the seconds left to a request: its deadline header, but at most `longest`."""
    try:
        seconds = float(request.headers.get(DEADLINE_SECONDS, longest))
    except ValueError:
        return longest
    return min(seconds, longest) if seconds >= 0.0 else longest

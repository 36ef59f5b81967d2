"""Run the work of requests: in a limited number of threads, or in the event loop if it is brief."""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, from_thread, to_thread
from fastapi import Request

from levy_schemas.headers import DEADLINE_SECONDS
from levy_service.metrics import ServiceMetrics
from levy_service.problems import ProblemError

_Result = TypeVar("_Result")
Checkpoint = Callable[[], None]
"""Called by work before a long step; raises if the work is to stop."""


class DeadlineError(ProblemError):
    """The deadline of a request has passed."""

    code = "deadline"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"No result within the deadline of {seconds:g} s. Send a smaller request, or retry "
            "later.",
            deadline_seconds=seconds,
        )


class _NotBriefError(Exception):
    """Work that was assumed to be brief has reached a checkpoint."""


class Threads:
    """Run computations in a limited number of threads.

    Brief work, of a few milliseconds, runs in the event loop, one piece in each of its rounds:
    the way to a thread and back, and sharing the interpreter lock with it, would cost it another
    quarter of its time. Threads are AnyIO's, whose work can check whether it is cancelled. Brief
    work cannot be cancelled from outside, so it uses asyncio's lock and timeout, which cost a
    third of AnyIO's.

    Parameters
    ----------
    count : int
        Number of threads; further work waits.
    deadline_seconds : float
        Longest deadline of a request.
    metrics : ServiceMetrics
        Shows the number of computations that run or wait.
    """

    def __init__(self, count: int, deadline_seconds: float, metrics: ServiceMetrics) -> None:
        self.deadline_seconds = deadline_seconds
        self._count = count
        self._limiter = CapacityLimiter(count)
        self._lock = asyncio.Lock()
        self._brief_waiting = self._brief_running = 0
        self._busy = metrics.gauge("threads_busy", "Computations in progress")
        self._waiting = metrics.gauge("threads_waiting", "Computations waiting for a thread")

    async def run(self, work: Callable[[Checkpoint], _Result], request: Request) -> _Result:
        """Return the result of `work`, run in a thread until the deadline of the request.

        At the deadline, work that waits for a thread is not started; work that is running
        continues until it calls its checkpoint, or ends, and its result is dropped.

        Raises
        ------
        DeadlineError
        """
        with self._deadline(request):
            return await self._in_thread(work)

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
        DeadlineError
        ExceptionGroup
            A piece of work raised.
        """
        with self._deadline(request):
            pieces = await self._in_thread(prepare)
            results: dict[int, _Result] = {}
            # Threads share this iterator; taking the next item is atomic.
            remaining = iter(enumerate(pieces))

            def run_remaining(checkpoint: Checkpoint) -> None:
                for k, piece in remaining:
                    checkpoint()
                    results[k] = piece(checkpoint)

            async with anyio.create_task_group() as group:
                for _ in range(min(self._count, len(pieces))):
                    group.start_soon(self._in_thread, run_remaining)
            return [results[k] for k in range(len(pieces))]

    @contextmanager
    def _deadline(self, request: Request) -> Iterator[None]:
        """Cancel the body at the deadline of a request, and raise `DeadlineError`."""
        seconds = deadline_of(request, self.deadline_seconds)
        try:
            with anyio.fail_after(seconds):
                yield
        except TimeoutError as error:
            raise DeadlineError(seconds) from error
        finally:
            self._update_gauges()

    async def _in_thread(self, work: Callable[[Checkpoint], _Result]) -> _Result:
        def run() -> _Result:
            self._update_gauges()
            return work(from_thread.check_cancelled)

        return await to_thread.run_sync(run, abandon_on_cancel=True, limiter=self._limiter)

    async def run_inline(self, work: Callable[[Checkpoint], _Result], request: Request) -> _Result:
        """Run `work` of a few milliseconds in the event loop; otherwise as `run`.

        If it calls its checkpoint it is not brief: it is cancelled and restarted in a thread.
        """
        seconds = deadline_of(request, self.deadline_seconds)
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self._run_in_loop(work, limit)
        except TimeoutError as error:
            raise DeadlineError(seconds) from error
        except _NotBriefError:
            return await self.run(work, request)

    async def _run_in_loop(
        self, work: Callable[[Checkpoint], _Result], limit: asyncio.Timeout
    ) -> _Result:
        """Run brief work, one piece in each round of the loop, so that other requests proceed."""
        self._brief_waiting += 1
        try:
            async with self._lock:
                await asyncio.sleep(0)
                if asyncio.get_running_loop().time() >= (limit.when() or math.inf):
                    raise TimeoutError
                self._brief_running = 1
                self._update_gauges()
                return work(_raise_not_brief)
        finally:
            self._brief_waiting -= 1
            self._brief_running = 0
            self._update_gauges()

    def _update_gauges(self) -> None:
        """Set the gauges; set, not computed on collection, so that workers can be combined."""
        threads = self._limiter.statistics()
        self._busy.set(threads.borrowed_tokens + self._brief_running)
        self._waiting.set(threads.tasks_waiting + self._brief_waiting - self._brief_running)


def _raise_not_brief() -> None:
    raise _NotBriefError


def deadline_of(request: Request, longest: float) -> float:
    """Return the seconds left to a request: its deadline header, but at most `longest`."""
    try:
        seconds = float(request.headers.get(DEADLINE_SECONDS, longest))
    except ValueError:
        return longest
    return min(seconds, longest) if seconds >= 0.0 else longest

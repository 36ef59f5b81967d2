"""Work of a request: in a bounded number of threads, or at once where it is brief; in time."""

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

_Result = TypeVar("_Result")
Checkpoint = Callable[[], None]
"""What work calls before it goes on for long; raises where it should not."""


class DeadlineError(Exception):
    """The caller's time is over."""

    code = "deadline"

    def __init__(self, seconds: float) -> None:
        self.message = f"No answer within {seconds:g} s."
        self.details: dict[str, object] = {"deadline_seconds": seconds}
        super().__init__(self.message)


class _LongerError(Exception):
    """Work that began as brief goes on."""


class Threads:
    """Runs computations in threads, never more at once than there are cores to feed.

    Brief ones, of a few milliseconds, run in the event loop, one between two of its rounds: to hand
    them to a thread and back, and to share the interpreter with it meanwhile, costs them a quarter
    of their time again. Long ones do not keep them waiting, nor do they keep the loop from its
    other requests. Threads are AnyIO's, whose work can ask whether it is still wanted; brief work
    cannot be broken off from outside, and asyncio's lock and timeout cost it a third.

    Parameters
    ----------
    count : int
        Of threads; what comes beyond waits its turn.
    deadline_seconds : float
        The longest that a caller is made to wait, whatever it asks.
    metrics : ServiceMetrics
        Where the number waiting and working is shown.
    """

    def __init__(self, count: int, deadline_seconds: float, metrics: ServiceMetrics) -> None:
        self.deadline_seconds = deadline_seconds
        self._count = count
        self._limiter = CapacityLimiter(count)
        self._turn = asyncio.Lock()
        self._brief_waiting = self._brief_working = 0
        self._busy = metrics.gauge("threads_busy", "Computations running now")
        self._waiting = metrics.gauge("threads_waiting", "Computations waiting for a thread")

    async def run(self, work: Callable[[Checkpoint], _Result], request: Request) -> _Result:
        """Run `work`, or give up at the deadline that the request carries.

        Work that still waits for a thread then never begins. Work that has begun goes on until
        it calls its checkpoint, or ends, and its result is dropped.

        Raises
        ------
        DeadlineError
            The result did not come in time.
        """
        with self._deadline(request):
            return await self._in_thread(work)

    async def run_each(
        self,
        prepare: Callable[[Checkpoint], Sequence[Callable[[Checkpoint], _Result]]],
        request: Request,
    ) -> list[_Result]:
        """Run `prepare` in a thread, then each piece of work that it returns, in all threads.

        A thread that finishes one piece takes the next; none is begun after the deadline, which is
        that of `run` for all of them together.

        Returns
        -------
        list
            Results in the order of the pieces.

        Raises
        ------
        DeadlineError
            The results did not come in time.
        ExceptionGroup
            A piece of work raised.
        """
        with self._deadline(request):
            pieces = await self._in_thread(prepare)
            results: dict[int, _Result] = {}
            # Threads share this iterator; taking the next item is one step of the interpreter.
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
        """Cancel what runs inside at the deadline of a request, and raise `DeadlineError`."""
        seconds = deadline_of(request, self.deadline_seconds)
        try:
            with anyio.fail_after(seconds):
                yield
        except TimeoutError as error:
            raise DeadlineError(seconds) from error
        finally:
            self._show()

    async def _in_thread(self, work: Callable[[Checkpoint], _Result]) -> _Result:
        def shown() -> _Result:
            self._show()
            return work(from_thread.check_cancelled)

        return await to_thread.run_sync(shown, abandon_on_cancel=True, limiter=self._limiter)

    async def run_brief(self, work: Callable[[Checkpoint], _Result], request: Request) -> _Result:
        """Run `work` of milliseconds after the others of its kind; otherwise as `run`.

        Where it calls its checkpoint, it takes longer than that after all: it is broken off, and
        begun anew in a thread.
        """
        seconds = deadline_of(request, self.deadline_seconds)
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self._in_turn(work, limit)
        except TimeoutError as error:
            raise DeadlineError(seconds) from error
        except _LongerError:
            return await self.run(work, request)

    async def _in_turn(
        self, work: Callable[[Checkpoint], _Result], limit: asyncio.Timeout
    ) -> _Result:
        """Run brief work, one in each round of the loop: other requests come in between."""
        self._brief_waiting += 1
        try:
            async with self._turn:
                await asyncio.sleep(0)
                if asyncio.get_running_loop().time() >= (limit.when() or math.inf):
                    raise TimeoutError
                self._brief_working = 1
                self._show()
                return work(_go_no_further)
        finally:
            self._brief_waiting -= 1
            self._brief_working = 0
            self._show()

    def _show(self) -> None:
        """Show how it is now; set, not asked for, since several workers may be put together."""
        long = self._limiter.statistics()
        self._busy.set(long.borrowed_tokens + self._brief_working)
        self._waiting.set(long.tasks_waiting + self._brief_waiting - self._brief_working)


def _go_no_further() -> None:
    raise _LongerError


def deadline_of(request: Request, longest: float) -> float:
    """Seconds that the caller will still wait, at most `longest`."""
    try:
        seconds = float(request.headers.get(DEADLINE_SECONDS, longest))
    except ValueError:
        return longest
    return min(seconds, longest) if seconds >= 0.0 else longest

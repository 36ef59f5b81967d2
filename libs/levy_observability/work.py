"""Work of a request: in a bounded number of threads, or at once where it is brief; in time."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, from_thread, to_thread
from fastapi import Request

from levy_observability.metrics import ServiceMetrics
from levy_schemas.headers import DEADLINE_SECONDS

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
    other requests.

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
        self._limiter = CapacityLimiter(count)
        self._brief = CapacityLimiter(1)
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

        def shown() -> _Result:
            self._show()
            return work(from_thread.check_cancelled)

        async def in_a_thread() -> _Result:
            return await to_thread.run_sync(shown, abandon_on_cancel=True, limiter=self._limiter)

        return await self._in_time(in_a_thread, request)

    async def run_brief(self, work: Callable[[Checkpoint], _Result], request: Request) -> _Result:
        """Run `work` of milliseconds after the others of its kind; otherwise as `run`.

        Where it calls its checkpoint, it takes longer than that after all: it is broken off, and
        begun anew in a thread.
        """

        async def at_once() -> _Result:
            # One in each round of the loop, whatever waits: other requests come in between.
            async with self._brief:
                if anyio.current_time() >= anyio.current_effective_deadline():
                    raise TimeoutError
                self._show()
                return work(_go_no_further)

        try:
            return await self._in_time(at_once, request)
        except _LongerError:
            return await self.run(work, request)

    async def _in_time(self, run: Callable[[], Awaitable[_Result]], request: Request) -> _Result:
        seconds = deadline_of(request, self.deadline_seconds)
        try:
            with anyio.fail_after(seconds):
                return await run()
        except TimeoutError as error:
            raise DeadlineError(seconds) from error
        finally:
            self._show()

    def _show(self) -> None:
        """Show how it is now; set, not asked for, since several workers may be put together."""
        now = (self._limiter.statistics(), self._brief.statistics())
        self._busy.set(sum(each.borrowed_tokens for each in now))
        self._waiting.set(sum(each.tasks_waiting for each in now))


def _go_no_further() -> None:
    raise _LongerError


def deadline_of(request: Request, longest: float) -> float:
    """Seconds that the caller will still wait, at most `longest`."""
    try:
        seconds = float(request.headers.get(DEADLINE_SECONDS, longest))
    except ValueError:
        return longest
    return min(seconds, longest) if seconds >= 0.0 else longest

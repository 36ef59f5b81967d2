"""Heavy work beside the event loop: a bounded number of threads, within a deadline."""

from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from fastapi import Request

from levy_observability.metrics import ServiceMetrics
from levy_schemas.headers import DEADLINE_SECONDS

_Result = TypeVar("_Result")


class DeadlineError(Exception):
    """The caller's time is over."""

    code = "deadline"

    def __init__(self, seconds: float) -> None:
        self.message = f"No answer within {seconds:g} s."
        self.details: dict[str, object] = {"deadline_seconds": seconds}
        super().__init__(self.message)


class Threads:
    """Runs computations in threads, never more at once than there are cores to feed.

    Brief ones have a thread of their own, and go through it one at a time: two threads of one
    interpreter do them no faster, and long ones do not keep them waiting.

    Parameters
    ----------
    count : int
        Threads for all but the brief; what comes beyond waits its turn.
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

    async def run(self, work: Callable[[], _Result], request: Request) -> _Result:
        """Run `work`, or give up at the deadline that the request carries.

        Work that still waits for a thread then never begins. Work that has begun goes on until
        it calls `anyio.from_thread.check_cancelled`, or ends, and its result is dropped.

        Raises
        ------
        DeadlineError
            The result did not come in time.
        """
        return await self._run(work, request, self._limiter)

    async def run_brief(self, work: Callable[[], _Result], request: Request) -> _Result:
        """Run `work` of milliseconds after the others of its kind; otherwise as `run`."""
        return await self._run(work, request, self._brief)

    async def _run(
        self, work: Callable[[], _Result], request: Request, limiter: CapacityLimiter
    ) -> _Result:
        seconds = deadline_of(request, self.deadline_seconds)

        def shown() -> _Result:
            self._show()
            return work()

        try:
            with anyio.fail_after(seconds):
                return await to_thread.run_sync(shown, abandon_on_cancel=True, limiter=limiter)
        except TimeoutError as error:
            raise DeadlineError(seconds) from error
        finally:
            self._show()

    def _show(self) -> None:
        """Show how it is now; set, not asked for, since several workers may be put together."""
        now = (self._limiter.statistics(), self._brief.statistics())
        self._busy.set(sum(each.borrowed_tokens for each in now))
        self._waiting.set(sum(each.tasks_waiting for each in now))


def deadline_of(request: Request, longest: float) -> float:
    """Seconds that the caller will still wait, at most `longest`."""
    try:
        seconds = float(request.headers.get(DEADLINE_SECONDS, longest))
    except ValueError:
        return longest
    return min(seconds, longest) if seconds >= 0.0 else longest

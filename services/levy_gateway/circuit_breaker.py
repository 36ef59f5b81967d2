"""A circuit breaker."""

import time
from collections.abc import Callable
from typing import Final, Literal

State = Literal["closed", "open", "half_open"]
Outcome = Literal["succeeded", "failed", "undecided"]

STATES: Final[tuple[State, ...]] = ("closed", "open", "half_open")


class CircuitBreaker:
    """Open after consecutive failures; when half-open, allow one request at a time as a probe.

    A request may end undecided: its caller disconnected, or allowed less time than the service
    may take. Such a request neither opens nor closes the circuit.

    Parameters
    ----------
    failures : int
        Consecutive failures that open the circuit.
    open_seconds : float
        Time before an open circuit becomes half-open.
    on_change : callable, optional
        Called with each new state and the previous one.
    clock : callable
        A monotonic clock, in seconds.

    Examples
    --------
    >>> breaker = CircuitBreaker(failures=1, open_seconds=60.0)
    >>> breaker.allows()
    True
    >>> breaker.record("failed")
    >>> breaker.state, breaker.allows()
    ('open', False)
    """

    def __init__(
        self,
        failures: int,
        open_seconds: float,
        *,
        on_change: Callable[[State, State], None] = lambda _state, _previous: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state: State = "closed"
        self._failures = failures
        self._open_seconds = open_seconds
        self._on_change = on_change
        self._clock = clock
        self._consecutive = 0
        self._opened_at = 0.0
        self._probing = False

    def allows(self) -> bool:
        """Return whether a request may start; the caller must `record` its outcome."""
        if self.state == "closed":
            return True
        if self.state == "open":
            if self.seconds_left() > 0.0:
                return False
            self._set_state("half_open")
        if self._probing:
            return False
        self._probing = True
        return True

    def record(self, outcome: Outcome) -> None:
        """Record the outcome of a request that was allowed."""
        if self.state == "open":
            # It started before the circuit opened, and must not extend the open state.
            return
        self._probing = False
        if outcome == "succeeded":
            self._consecutive = 0
            self._set_state("closed")
        elif outcome == "failed":
            self._consecutive += 1
            if self.state == "half_open" or self._consecutive >= self._failures:
                self._opened_at = self._clock()
                self._set_state("open")

    def seconds_left(self) -> float:
        """Return the seconds until the circuit becomes half-open; 0 if it is not open."""
        if self.state != "open":
            return 0.0
        return max(0.0, self._opened_at + self._open_seconds - self._clock())

    def _set_state(self, state: State) -> None:
        if state != self.state:
            previous, self.state = self.state, state
            self._on_change(state, previous)

"""A circuit breaker: who fails again and again is left alone for a while."""

import time
from collections.abc import Callable
from typing import Final, Literal

State = Literal["closed", "open", "half_open"]
Outcome = Literal["succeeded", "failed", "undecided"]

STATES: Final[tuple[State, ...]] = ("closed", "open", "half_open")


class CircuitBreaker:
    """Counts failures in a row; after too many it admits nobody, then one at a time to try.

    An exchange may end undecided: its caller went away, or gave it less time than the neighbour
    may take. That says nothing about the neighbour, so it neither opens nor closes the circuit.

    Parameters
    ----------
    failures : int
        In a row, that open the circuit.
    open_seconds : float
        How long it stays open before one exchange may try.
    on_change : callable, optional
        Told each new state, and the former.
    clock : callable
        Seconds that never run backwards.

    Examples
    --------
    >>> breaker = CircuitBreaker(failures=1, open_seconds=60.0)
    >>> breaker.admits()
    True
    >>> breaker.record("failed")
    >>> breaker.state, breaker.admits()
    ('open', False)
    """

    def __init__(
        self,
        failures: int,
        open_seconds: float,
        *,
        on_change: Callable[[State, State], None] = lambda _state, _former: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state: State = "closed"
        self._failures = failures
        self._open_seconds = open_seconds
        self._on_change = on_change
        self._clock = clock
        self._in_a_row = 0
        self._opened_at = 0.0
        self._trying = False

    def admits(self) -> bool:
        """Whether an exchange may begin; who is admitted must `record` how it ended."""
        if self.state == "closed":
            return True
        if self.state == "open":
            if self.seconds_left() > 0.0:
                return False
            self._become("half_open")
        if self._trying:
            return False
        self._trying = True
        return True

    def record(self, outcome: Outcome) -> None:
        """Note how an admitted exchange ended."""
        if self.state == "open":
            # It began before the circuit opened, and must not hold it open for longer.
            return
        self._trying = False
        if outcome == "succeeded":
            self._in_a_row = 0
            self._become("closed")
        elif outcome == "failed":
            self._in_a_row += 1
            if self.state == "half_open" or self._in_a_row >= self._failures:
                self._opened_at = self._clock()
                self._become("open")

    def seconds_left(self) -> float:
        """Seconds until an open circuit lets one exchange try; 0 if it does."""
        if self.state != "open":
            return 0.0
        return max(0.0, self._opened_at + self._open_seconds - self._clock())

    def _become(self, state: State) -> None:
        if state != self.state:
            former, self.state = self.state, state
            self._on_change(state, former)

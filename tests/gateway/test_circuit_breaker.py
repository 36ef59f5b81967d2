"""When a circuit opens, and how it closes again."""

import pytest

from levy_gateway.circuit_breaker import CircuitBreaker, State


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def changes() -> list[tuple[State, State]]:
    return []


@pytest.fixture
def breaker(clock: Clock, changes: list[tuple[State, State]]) -> CircuitBreaker:
    return CircuitBreaker(3, 10.0, on_change=lambda *pair: changes.append(pair), clock=clock)


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        assert breaker.allows()
        breaker.record("failed")


def test_it_opens_after_failures_in_a_row(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    breaker.record("succeeded")
    fail(breaker, 2)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert breaker.state == "open"
    assert not breaker.allows()


def test_an_undecided_exchange_changes_nothing(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    breaker.record("undecided")
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert breaker.state == "open"


def test_after_a_rest_one_exchange_tries_and_the_others_wait(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now += 9.9
    assert not breaker.allows()
    assert breaker.seconds_left() == pytest.approx(0.1)
    clock.now += 0.2
    assert breaker.allows()
    assert not breaker.allows()
    breaker.record("succeeded")
    assert breaker.state == "closed"
    assert breaker.allows()


def test_a_failed_try_opens_it_for_as_long_again(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 10.0
    fail(breaker, 1)
    assert breaker.seconds_left() == 10.0


def test_a_try_that_its_caller_gave_up_lets_another_try(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now += 10.0
    assert breaker.allows()
    breaker.record("undecided")
    assert breaker.allows()


def test_exchanges_that_began_before_it_opened_do_not_hold_it_open(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    for _ in range(5):
        assert breaker.allows()
    for _ in range(3):
        breaker.record("failed")
    clock.now += 6.0
    breaker.record("failed")
    breaker.record("succeeded")
    assert breaker.state == "open"
    assert breaker.seconds_left() == 4.0


def test_each_change_is_reported_once(
    breaker: CircuitBreaker, clock: Clock, changes: list[tuple[State, State]]
) -> None:
    fail(breaker, 3)
    clock.now += 10.0
    fail(breaker, 1)
    clock.now += 10.0
    assert breaker.allows()
    breaker.record("succeeded")
    breaker.record("succeeded")
    assert changes == [
        ("open", "closed"),
        ("half_open", "open"),
        ("open", "half_open"),
        ("half_open", "open"),
        ("closed", "half_open"),
    ]

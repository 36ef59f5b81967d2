"""Each part is killed under load: responses to clients and recovery times."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.system.composed.conftest import SURFACE, TO_PRICE, TO_SAMPLE, Stack

pytestmark = pytest.mark.system

OUTAGE_SECONDS = 10
RECOVERY_SECONDS = 15

JOB_SECONDS = 240
"""Time for a lease to expire and a worker to compile before the last job ends."""

JOBS = "/calibrate/bayesian"
ASKED: dict[str, dict[str, Any]] = {
    "/price": TO_PRICE,
    "/calibrate": SURFACE,
    JOBS: TO_SAMPLE,
}
SEEN = {
    # part: (affected path, allowed statuses during the outage)
    "pricing": ("/price", {200, 502, 503, 504}),
    "calibration": ("/calibrate", {200, 502, 503, 504}),
    "redis": ("/calibrate", {200}),
}


class Load:
    """Sends the same request repeatedly, without pause."""

    def __init__(self, url: str, path: str) -> None:
        self.answers: list[tuple[float, int, str]] = []
        self.acknowledged: list[str] = []
        self.dropped = 0
        self._url = url
        self._path = path
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Run two clients while the body runs."""
        clients = [threading.Thread(target=self._ask) for _ in range(2)]
        for client in clients:
            client.start()
        try:
            yield self
        finally:
            self._stop.set()
            for client in clients:
                client.join()

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=35, trust_env=False) as client:
            while not self._stop.is_set():
                try:
                    answer = client.post(
                        self._path, json=ASKED[self._path], headers={"Cache-Control": "no-cache"}
                    )
                except httpx.TransportError:
                    self.dropped += 1
                    time.sleep(0.05)
                    continue
                kind = answer.headers["Content-Type"].split(";")[0]
                self.answers.append((time.monotonic(), answer.status_code, kind))
                if answer.status_code == 202:
                    self.acknowledged.append(answer.json()["job_id"])
                    time.sleep(1)  # a full queue would hide the outage
                elif answer.status_code != 200:
                    time.sleep(0.05)


@pytest.mark.parametrize("part", sorted(SEEN))
def test_an_outage_is_a_documented_problem_and_ends_by_itself(stack: Stack, part: str) -> None:
    path, allowed = SEEN[part]
    stack.wait_until_healthy()
    with Load(stack.url, path).running() as load:
        time.sleep(2)
        stack.compose("kill", part)
        down = time.monotonic()
        time.sleep(OUTAGE_SECONDS)
        stack.compose("start", part)
        up = time.monotonic()
        stack.wait(lambda: _answered_well_since(load, up), RECOVERY_SECONDS + 5)
        recovered = time.monotonic() - up
        time.sleep(1)
    during = Counter(status for at, status, _ in load.answers if down <= at < up)
    seen = f"during {dict(during)}, dropped {load.dropped}, back after {recovered:.1f} s"
    print(f"\n{part}: {seen}")  # noqa: T201 - a figure of the run
    assert load.dropped == 0
    assert {status for _, status, _ in load.answers} <= allowed
    assert {kind for _, status, kind in load.answers if status != 200} <= {
        "application/problem+json"
    }
    assert during, "nothing was answered during the outage"
    if allowed != {200}:
        assert sum(count for status, count in during.items() if status != 200) > 0
    assert recovered < RECOVERY_SECONDS


def test_the_gateway_restarts_without_wrong_responses(stack: Stack) -> None:
    stack.wait_until_healthy()
    with Load(stack.url, "/price").running() as load:
        time.sleep(2)
        stack.compose("kill", "gateway")
        time.sleep(OUTAGE_SECONDS)
        stack.compose("start", "gateway")
        up = time.monotonic()
        stack.wait(lambda: _answered_well_since(load, up), RECOVERY_SECONDS + 5)
        recovered = time.monotonic() - up
    seen = f"connections refused {load.dropped}, back after {recovered:.1f} s"
    print(f"\ngateway: {seen}")  # noqa: T201 - a figure of the run
    assert load.dropped > 0
    assert {status for _, status, _ in load.answers} <= {200, 503}
    assert recovered < RECOVERY_SECONDS


@pytest.mark.parametrize("part", ["bayesian", "gateway", "redis"])
def test_no_job_that_was_acknowledged_is_lost(stack: Stack, part: str) -> None:
    stack.wait_until_healthy()
    with Load(stack.url, JOBS).running() as load:
        time.sleep(2)
        stack.compose("kill", part)
        down = time.monotonic()
        time.sleep(OUTAGE_SECONDS)
        stack.compose("start", part)
        up = time.monotonic()
        stack.wait(lambda: any(at > up and status == 202 for at, status, _ in load.answers), 20)
        taken = time.monotonic() - up
    stack.wait(lambda: all(stack.ended(job) for job in load.acknowledged), JOB_SECONDS)
    seconds = time.monotonic() - up
    during = Counter(status for at, status, _ in load.answers if down <= at < up)
    ends = Counter(stack.ended(job) for job in load.acknowledged)
    seen = f"during {dict(during)}, dropped {load.dropped}, jobs taken after {taken:.1f} s"
    print(f"\njobs, {part}: {seen}; {dict(ends)} after {seconds:.0f} s")  # noqa: T201 - a figure
    assert set(ends) == {"succeeded"}
    assert {status for _, status, _ in load.answers} <= {202, 503}
    assert {kind for _, status, kind in load.answers if status != 202} <= {
        "application/problem+json"
    }
    assert taken < RECOVERY_SECONDS


def test_an_alert_fires_while_a_service_is_gone_and_clears_when_it_is_back(stack: Stack) -> None:
    stack.wait_until_healthy()
    firing = "ALERTS{alertname='LevyServiceDown', alertstate='firing', job='pricing'}"
    stack.compose("kill", "pricing")
    fired = stack.wait(lambda: len(stack.query(firing)) == 1, 120)
    stack.compose("start", "pricing")
    cleared = stack.wait(lambda: stack.query(firing) == [], 120)
    seen = f"fired after {fired:.0f} s, cleared after {cleared:.0f} s"
    print(f"\nLevyServiceDown {seen}")  # noqa: T201 - a figure of the run


def _answered_well_since(load: Load, moment: float) -> bool:
    return any(at > moment and status == 200 for at, status, _ in load.answers)

"""Failures of services and the gateway's responses: killed, stopped, overloaded processes."""

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest

from tests.load import closed_loop
from tests.load.__main__ import Workload, bodies
from tests.processes import Service, Stack, family_of, free_port
from tests.system.slow_calibration import SECONDS

pytestmark = pytest.mark.system

SURFACE: dict[str, Any] = {
    "model_type": "BlackScholes",
    "spot_price": 100.0,
    "risk_free_rate": 0.05,
    "strikes": [90, 100, 110],
    "maturities": [0.5],
    "prices": [[15.2, 8.6, 4.3]],
}
PATIENT = {"REDIS_SECONDS": "2"}
"""On a busy machine, Redis may respond more slowly than the default timeout."""


@dataclass(frozen=True)
class Answer:
    """A response and its time."""

    at: float
    seconds: float
    status: int
    code: str | None


class Load:
    """Four clients that send requests continuously until they are stopped."""

    def __init__(self, url: str) -> None:
        self.answers: list[Answer] = []
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=35.0, trust_env=False) as client:
            while not self._stop.is_set():
                began = time.monotonic()
                answer = client.post("/calibrate", json=SURFACE)
                ended = time.monotonic()
                code = answer.json().get("code")
                self.answers.append(Answer(ended, ended - began, answer.status_code, code))

    def since(self, moment: float) -> list[Answer]:
        """Return the responses to requests sent after a given time."""
        return [answer for answer in self.answers if answer.at - answer.seconds >= moment]


@pytest.fixture
def stack() -> Iterator[Stack]:
    with Stack() as made:
        yield made


def slow(stack: Stack, seconds: float) -> Service:
    """Start a slow calibration service."""
    port = free_port()
    where = "tests.system.slow_calibration:app"
    options = ("--factory", "--port", str(port), "--log-level", "warning")
    command = [sys.executable, "-m", "uvicorn", where, *options]
    os.environ[SECONDS] = str(seconds)
    return stack.service("calibration", port=port, command=command)


def ask(gateway: Service, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{gateway.url}/calibrate", json=SURFACE, headers=headers, timeout=35.0, trust_env=False
    )


def ask_exact(gateway: Service, **headers: str) -> httpx.Response:
    """Send a request whose result is not degraded, and may be cached."""
    exact = SURFACE | {"method": "least_squares"}
    return httpx.post(
        f"{gateway.url}/calibrate", json=exact, headers=headers, timeout=35.0, trust_env=False
    )


def metrics(gateway: Service) -> str:
    return httpx.get(f"{gateway.url}/metrics", trust_env=False).text


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Return whether something becomes true within some time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def events(log: Path, name: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == name]


def test_a_service_killed_under_load_fails_fast_and_recovers(stack: Stack) -> None:
    calibration = stack.service("calibration")
    settings = {
        "CALIBRATION_URL": calibration.url,
        "BREAKER_OPEN_SECONDS": "0.5",
        "QUEUE_SECONDS": "10",
    }
    gateway = stack.service("gateway", settings=settings)
    with Load(gateway.url) as load:
        assert eventually(lambda: len(load.answers) > 50)
        calibration.kill()
        killed = time.monotonic()
        shows_open = 'breaker_state{neighbour="calibration",state="open"} 1.0'
        assert eventually(lambda: shows_open in metrics(gateway))
        assert eventually(lambda: len(load.since(killed)) > 200)
        stack.service("calibration", port=calibration.port)
        restarted = time.monotonic()
        assert eventually(lambda: any(a.status == 200 for a in load.since(restarted)))
    assert {answer.status for answer in load.answers} == {200, 503}
    refused = [answer for answer in load.answers if answer.status == 503]
    assert {answer.code for answer in refused} == {"upstream-unavailable"}
    assert median(answer.seconds for answer in refused) <= 0.05
    # The last responses are from the restarted service.
    assert [answer.status for answer in load.since(restarted)][-1] == 200


def test_a_rejection_contains_retry_after(stack: Stack) -> None:
    settings = {"CALIBRATION_URL": f"http://127.0.0.1:{free_port()}"}
    gateway = stack.service("gateway", settings=settings)
    for _ in range(7):
        answer = ask(gateway)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
    assert (
        'levy_gateway_neighbour_seconds_count{neighbour="calibration",outcome="refused"} 2.0'
        in (metrics(gateway))
    )


def test_a_upstream_service_that_hangs_meets_its_deadline_then_the_breaker(stack: Stack) -> None:
    calibration = slow(stack, 0.0)
    settings = {
        "CALIBRATION_URL": calibration.url,
        "CALIBRATION_DEADLINE_SECONDS": "1",
        "BREAKER_FAILURES": "2",
        "BREAKER_OPEN_SECONDS": "0.5",
    }
    gateway = stack.service("gateway", settings=settings)
    assert ask(gateway).status_code == 200
    calibration.send(signal.SIGSTOP)
    for _ in range(2):
        answer = ask(gateway)
        assert answer.status_code == 504
        assert answer.json()["code"] == "deadline"
    assert ask(gateway).status_code == 503
    calibration.send(signal.SIGCONT)
    assert eventually(lambda: ask(gateway).status_code == 200)


def test_a_client_may_wait_for_less_and_others_are_not_punished(stack: Stack) -> None:
    calibration = slow(stack, 1.0)
    settings = {"CALIBRATION_URL": calibration.url, "BREAKER_FAILURES": "1"}
    gateway = stack.service("gateway", settings=settings)
    began = time.monotonic()
    answer = ask(gateway, **{"X-Deadline-Seconds": "0.2"})
    assert answer.status_code == 504
    assert time.monotonic() - began < 1.0
    assert ask(gateway).status_code == 200


def test_redis_keeps_results_and_counts_requests(stack: Stack, tmp_path: Path) -> None:
    calibration = stack.service("calibration")
    settings = {
        "CALIBRATION_URL": calibration.url,
        "REDIS_URL": stack.redis(tmp_path).url,
        "RATE_LIMIT": "4/hour",
        **PATIENT,
    }
    gateway = stack.service("gateway", settings=settings)
    first, again = ask_exact(gateway), ask_exact(gateway, **{"X-Request-ID": "again"})
    assert first.headers["Cache-Status"] == "levy; fwd=uri-miss; stored"
    assert again.headers["Cache-Status"] == "levy; hit"
    assert again.json() == first.json() | {"request_id": "again"}
    recomputed = ask_exact(gateway, **{"Cache-Control": "no-cache"})
    assert recomputed.headers["Cache-Status"] == "levy; fwd=request; stored"
    assert recomputed.json()["parameters"] == first.json()["parameters"]
    ask_exact(gateway)
    too_many = ask_exact(gateway)
    assert too_many.status_code == 429
    assert 3500 < int(too_many.headers["Retry-After"]) <= 3600
    assert 'cache_requests_total{outcome="hit",route="/calibrate"} 2.0' in metrics(gateway)


@pytest.mark.parametrize("how", ["killed", "hanging"])
def test_without_redis_requests_succeed_without_cache_and_limits(
    stack: Stack, tmp_path: Path, how: str
) -> None:
    calibration = stack.service("calibration")
    redis, log = stack.redis(tmp_path), tmp_path / "gateway.log"
    settings = {"CALIBRATION_URL": calibration.url, "REDIS_URL": redis.url, "RATE_LIMIT": "3/hour"}
    gateway = stack.service("gateway", settings=settings | {"REDIS_SECONDS": "0.2"}, log=log)
    assert ask_exact(gateway).status_code == 200
    if how == "killed":
        redis.kill()
    else:
        redis.send(signal.SIGSTOP)
    answers = [ask_exact(gateway) for _ in range(20)]
    assert Counter(answer.status_code for answer in answers) == {200: 20}
    assert not any("hit" in answer.headers["Cache-Status"] for answer in answers)
    assert max(answer.elapsed.total_seconds() for answer in answers) < 2.0
    assert len(events(log, "redis.unavailable")) == 1
    lacked = [line for line in metrics(gateway).splitlines() if "redis_failures_total{" in line]
    assert sum(float(line.split()[-1]) for line in lacked) >= 20
    if how == "killed":
        Path(redis.url.removeprefix("unix://")).unlink(missing_ok=True)
        stack.redis(tmp_path)
    else:
        redis.send(signal.SIGCONT)
    assert eventually(lambda: ask_exact(gateway).headers.get("Cache-Status") == "levy; hit")
    assert len(events(log, "redis.recovered")) == 1


def test_requests_in_flight_are_completed_before_workers_end(stack: Stack) -> None:
    calibration = slow(stack, 1.5)
    settings = {"CALIBRATION_URL": calibration.url, "WORKERS": "2"}
    gateway = stack.service("gateway", settings=settings)
    answers: list[int] = []
    asking = [
        threading.Thread(target=lambda: answers.append(ask(gateway).status_code)) for _ in range(8)
    ]
    for thread in asking:
        thread.start()
    assert eventually(lambda: _in_flight(gateway) >= 8)
    assert gateway.stop() == 0
    for thread in asking:
        thread.join()
    assert answers == [200] * 8


def _in_flight(gateway: Service) -> float:
    lines = metrics(gateway).splitlines()
    # The request for the metrics is itself in flight.
    return (
        sum(float(x.split()[-1]) for x in lines if "requests_in_flight " in x and x[0] != "#") - 1
    )


def test_workers_are_counted_as_one(stack: Stack) -> None:
    calibration = slow(stack, 0.0)
    settings = {"CALIBRATION_URL": calibration.url, "WORKERS": "2"}
    gateway = stack.service("gateway", settings=settings)
    n_workers = len(family_of(gateway.pid)) - 2  # with the parent and multiprocessing's tracker
    assert n_workers == 2
    assert {ask(gateway).status_code for _ in range(40)} == {200}
    counted = 'request_seconds_count{method="POST",route="/calibrate",status="200"} 40.0'
    assert [counted in metrics(gateway) for _ in range(10)] == [True] * 10


def test_a_worker_that_is_killed_is_replaced(stack: Stack) -> None:
    calibration = slow(stack, 0.0)
    settings = {"CALIBRATION_URL": calibration.url, "WORKERS": "2"}
    gateway = stack.service("gateway", settings=settings)
    before = set(family_of(gateway.pid)) - {gateway.pid}
    worker = max(before)
    os.kill(worker, signal.SIGKILL)
    # More than one is new if the second worker was still starting. If it was the one killed, it is
    # replaced once it has missed a health check, after a minute.
    replaced = eventually(lambda: bool(set(family_of(gateway.pid)) - before - {gateway.pid}), 80.0)
    assert replaced
    assert eventually(lambda: worker not in family_of(gateway.pid))
    gateway.wait_until_ready()
    assert ask(gateway).status_code == 200


def test_workers_end_with_a_parent_that_is_killed(
    stack: Stack, survivors: Callable[..., list[int]]
) -> None:
    gateway = stack.service("gateway", settings={"WORKERS": "2"})
    family = family_of(gateway.pid)
    os.kill(gateway.pid, signal.SIGKILL)
    gateway.kill()
    assert survivors(family) == []


def test_no_response_is_lost_while_workers_are_replaced(stack: Stack) -> None:
    calibration = stack.service("calibration", settings={"WORKERS": "2"})
    # Requests wait while a worker starts.
    settings = {"CALIBRATION_URL": calibration.url, "QUEUE_SECONDS": "10"}
    gateway = stack.service("gateway", settings=settings)
    before = set(family_of(calibration.pid))
    with Load(gateway.url) as load:
        assert eventually(lambda: len(load.answers) > 20)
        calibration.send(signal.SIGHUP)
        replaced = eventually(
            lambda: len(set(family_of(calibration.pid)) & before) <= 2, seconds=60.0
        )
        settled = time.monotonic()
        assert eventually(lambda: len(load.since(settled)) > 20)
    assert replaced
    assert {answer.status for answer in load.answers} == {200}


def steady(stack: Stack, n_before: int, n_after: int, limit_mib: float) -> None:
    """Memory of the gateway does not grow between two equal loads."""
    calibration = slow(stack, 0.0)
    settings = {"CALIBRATION_URL": calibration.url, "LOG_LEVEL": "warning"}
    gateway = stack.service("gateway", settings=settings)
    body = json.dumps(SURFACE).encode()
    requests = [closed_loop.request_of("/calibrate", body, gateway.port)]
    closed_loop.run(gateway.port, requests, 4, 0.0, n_before // 4)
    held = gateway.resident_mib()
    closed_loop.run(gateway.port, requests, 4, 0.0, n_after // 4)
    assert gateway.resident_mib() - held < limit_mib


def test_memory_is_steady(stack: Stack) -> None:
    steady(stack, 2_000, 6_000, 4.0)


def test_memory_of_a_service_that_fits_is_steady(stack: Stack) -> None:
    """Memory does not grow once the drift window, which stores surfaces, is full."""
    window = {"DRIFT_WINDOW": "100", "DRIFT_FEWEST": "100"}
    calibration = stack.service("calibration", settings={"LOG_LEVEL": "warning", **window})
    # Exact prices: restarts, which quotes with errors need, allocate and free 20 MiB.
    made = bodies(Workload(truth="own", noise=0.0))
    requests = [closed_loop.request_of("/calibrate", body, calibration.port) for body in made]
    closed_loop.run(calibration.port, requests, 2, 0.0, 200)

    def least() -> float:
        """Return the least memory after several loads: what fits allocate, they free later."""
        levels = []
        for _ in range(4):
            closed_loop.run(calibration.port, requests, 2, 0.0, 150)
            levels.append(calibration.resident_mib())
        return min(levels)

    # A leak grows in every round; what the allocator keeps grows once.
    levels = [least() for _ in range(3)]
    assert min(later - earlier for earlier, later in pairwise(levels)) < 4.0


@pytest.mark.slow
def test_memory_is_steady_over_a_hundred_thousand_requests(stack: Stack) -> None:
    steady(stack, 5_000, 100_000, 4.0)

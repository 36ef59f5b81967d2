"""Jobs outlive the parts that make, keep and run them: real processes, a real Redis."""

import base64
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis as RedisClient

from levy_schemas.jobs import TASK, draws_key, job_key
from levy_schemas.messages import task_message
from levy_schemas.surface import EXAMPLE_GRID
from tests.bayesian.slow_worker import SECONDS_A_DRAW
from tests.processes import Redis, Service, Stack, family_of

pytestmark = pytest.mark.system

PATH = "/calibrate/bayesian"
SLOW = [sys.executable, "-m", "tests.bayesian.slow_worker"]
GIVE_UP_SECONDS = 90.0
LEASE_SECONDS = 3
QUEUE_LIMIT = 50


def until(condition: Callable[[], Any]) -> None:
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.05)


class Engine:
    """A gateway, its Redis, and workers that only take their time."""

    def __init__(self, stack: Stack, pricing: Service, folder: Path, *, persistent: bool) -> None:
        self.stack = stack
        self._folder = folder
        self._persistent = persistent
        self.redis_server: Redis = stack.redis(folder, persistent=persistent)
        self.redis = RedisClient.from_url(self.redis_server.url, decode_responses=True)
        self._settings = {
            "PRICING_URL": pricing.url,
            "REDIS_URL": self.redis_server.url,
            "REDIS_SECONDS": "2",
            "JOB_REDIS_SECONDS": "10",
            "QUEUE_LIMIT": str(QUEUE_LIMIT),
        }
        self.gateway = stack.service("gateway", settings=self._settings)

    def worker(self, **settings: str) -> Service:
        chosen = {
            "REDIS_URL": self.redis_server.url,
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "DRAIN_SECONDS": "1",
        }
        return self.stack.service("bayesian", command=SLOW, settings=chosen | settings)

    def cold_worker(self) -> Service:
        """One that is not waited for."""
        settings = {"REDIS_URL": self.redis_server.url, "LEASE_SECONDS": str(LEASE_SECONDS)}
        made = Service("bayesian", command=SLOW, settings=settings)
        self.stack.callback(made.kill)
        return made

    def restart_redis(self) -> None:
        self.redis_server.kill()
        self.redis_server = self.stack.redis(self._folder, persistent=self._persistent)

    def restart_gateway(self) -> None:
        self.gateway.stop()
        self.gateway = self.stack.service("gateway", settings=self._settings)

    def post(
        self, seconds: float, seed: int = 0, likelihood: str = "normal", **headers: str
    ) -> httpx.Response:
        n_chains = 1 if seconds < 1.0 else 8
        n_samples = max(100, round(seconds / SECONDS_A_DRAW / n_chains))
        request = EXAMPLE_GRID | {
            "model_type": "VarianceGamma",
            "engine": "laplace-psis",
            "num_chains": n_chains,
            "num_samples": n_samples,
            "seed": seed,
            "likelihood": likelihood,
        }
        url = self.gateway.url + PATH
        return httpx.post(url, json=request, headers=headers, timeout=60.0, trust_env=False)

    def submit(self, seconds: float, **how: Any) -> str:
        answer = self.post(seconds, **how)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        url = f"{self.gateway.url}{PATH}/{job_id}"
        found: dict[str, Any] = httpx.get(url, timeout=60.0, trust_env=False).json()
        return found

    def wait_for(self, job_id: str, status: str) -> dict[str, Any]:
        until(lambda: self.job(job_id)["status"] in {status, "succeeded", "failed", "cancelled"})
        found = self.job(job_id)
        assert found["status"] == status, found
        return found

    def ran_by(self, job_id: str) -> int:
        return int(self.redis.get(draws_key(job_id)) or 0)


Start = Callable[..., Engine]


@pytest.fixture(scope="module")
def pricing() -> Iterator[Service]:
    with Stack() as stack:
        yield stack.service("pricing")


@pytest.fixture
def start(pricing: Service, tmp_path: Path) -> Iterator[Start]:
    with Stack() as stack:
        yield lambda persistent=False: Engine(stack, pricing, tmp_path, persistent=persistent)


def test_the_job_of_a_worker_that_is_killed_is_finished_by_another(start: Start) -> None:
    engine = start()
    first = engine.worker()
    job_id = engine.submit(4.0)
    engine.wait_for(job_id, "running")
    first.kill()
    second = engine.worker()
    engine.wait_for(job_id, "succeeded")
    assert engine.ran_by(job_id) in family_of(second.pid)
    assert engine.redis.hget(job_key(job_id), "attempts") == "2"


def test_a_job_taken_over_from_a_worker_that_hung_ends_once(start: Start) -> None:
    engine = start()
    first = engine.worker()
    job_id = engine.submit(4.0)
    engine.wait_for(job_id, "running")
    hung = family_of(first.pid)
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    second = engine.worker()
    until(lambda: engine.redis.hget(job_key(job_id), "attempts") == "2")
    for pid in hung:
        os.kill(pid, signal.SIGCONT)
    engine.wait_for(job_id, "succeeded")
    assert engine.ran_by(job_id) in family_of(second.pid)
    # What hung is none the worse for it.
    second.kill()
    engine.wait_for(engine.submit(0.1), "succeeded")


def test_a_worker_that_is_stopped_gives_its_job_back_at_once(start: Start) -> None:
    engine = start()
    first = engine.worker(LEASE_SECONDS="3600")
    job_id = engine.submit(6.0)
    engine.wait_for(job_id, "running")
    assert first.stop(seconds=60.0) == 0
    second = engine.worker(LEASE_SECONDS="3600")
    engine.wait_for(job_id, "succeeded")
    assert engine.ran_by(job_id) in family_of(second.pid)


def answers(service: Service, page: str) -> int | None:
    try:
        return httpx.get(f"{service.url}/health/{page}", trust_env=False).status_code
    except httpx.TransportError:
        return None


def test_a_worker_is_ready_once_it_is_warm_and_not_before(start: Start) -> None:
    engine = start()
    engine.redis.set("cold", "1")
    worker = engine.cold_worker()
    job_id = engine.submit(0.1)
    until(lambda: answers(worker, "live") == 200)
    assert answers(worker, "ready") == 503
    assert engine.job(job_id)["status"] == "queued"
    engine.redis.delete("cold")
    worker.wait_until_ready()
    engine.wait_for(job_id, "succeeded")


def test_how_draws_are_doing_is_told_while_a_job_runs(start: Start) -> None:
    engine = start()
    engine.worker()
    job_id = engine.submit(6.0)
    until(lambda: ((engine.job(job_id)["diagnostics"] or {}).get("draws") or 0) > 0)
    assert engine.job(job_id)["status"] == "running"


def test_cancelling_stops_the_sampler_and_the_next_job_runs(start: Start) -> None:
    engine = start()
    engine.worker()
    job_id = engine.submit(20.0)
    engine.wait_for(job_id, "running")
    url = f"{engine.gateway.url}{PATH}/{job_id}"
    assert httpx.delete(url, timeout=60.0, trust_env=False).status_code == 200
    engine.wait_for(job_id, "cancelled")
    engine.wait_for(engine.submit(0.1), "succeeded")
    assert engine.ran_by(job_id) == 0


def test_a_job_that_takes_too_long_fails_and_its_worker_lives(start: Start) -> None:
    engine = start()
    engine.worker(SOFT_LIMIT_SECONDS="2", HARD_LIMIT_SECONDS="30")
    found = engine.wait_for(engine.submit(20.0), "failed")
    assert found["problem"]["code"] == "deadline"
    engine.wait_for(engine.submit(0.1), "succeeded")


def test_a_job_that_does_not_listen_ends_with_its_process(start: Start) -> None:
    engine = start()
    engine.worker(SOFT_LIMIT_SECONDS="1", HARD_LIMIT_SECONDS="2")
    found = engine.wait_for(engine.submit(20.0, likelihood="student_t"), "failed")
    assert found["problem"]["code"] == "deadline"
    engine.wait_for(engine.submit(0.1), "succeeded")


def test_a_job_whose_process_dies_begins_again_in_another(start: Start) -> None:
    engine = start()
    worker = engine.worker()
    job_id = engine.submit(4.0)
    engine.wait_for(job_id, "running")
    _, *sampling = family_of(worker.pid)
    for pid in sampling:
        os.kill(pid, signal.SIGKILL)
    engine.wait_for(job_id, "succeeded")
    assert engine.redis.hget(job_key(job_id), "attempts") == "2"
    assert engine.ran_by(job_id) not in sampling


def test_jobs_outlive_a_restart_of_redis_that_keeps_what_it_was_told(start: Start) -> None:
    engine = start(persistent=True)
    engine.worker()
    running, waiting = engine.submit(4.0), engine.submit(0.1)
    engine.wait_for(running, "running")
    engine.restart_redis()
    engine.wait_for(running, "succeeded")
    engine.wait_for(waiting, "succeeded")


def test_jobs_outlive_a_restart_of_the_gateway(start: Start) -> None:
    engine = start()
    engine.worker()
    job_id = engine.submit(4.0)
    engine.restart_gateway()
    engine.wait_for(job_id, "succeeded")


def test_a_poisoned_message_harms_no_other(start: Start) -> None:
    engine = start()
    job_id = "f" * 32
    engine.redis.hset(job_key(job_id), mapping={"status": "queued", "owner": ""})

    def push(task: str, *arguments: Any) -> None:
        message = task_message(
            task, arguments, message_id=job_id, queue="bayesian.short", headers={}
        )
        engine.redis.lpush("bayesian.short", message)

    push(TASK)
    push("no.such.task", job_id)
    corrupt = json.loads(task_message(TASK, (), message_id="x", queue="q", headers={}))
    corrupt["body"] = base64.b64encode(b"\xff{").decode()
    engine.redis.lpush("bayesian.short", json.dumps(corrupt))
    push(TASK, job_id, {"model_type": 7})
    worker = engine.worker()
    assert engine.wait_for(job_id, "failed")["problem"]["code"] == "invalid-input"
    engine.wait_for(engine.submit(0.1), "succeeded")
    assert worker.exit_status is None


def test_fifty_jobs_wait_for_one_worker_and_keep_their_order(start: Start) -> None:
    engine = start()
    jobs = [engine.submit(0.1, seed=i) for i in range(QUEUE_LIMIT)]
    refused = engine.post(0.1)
    assert (refused.status_code, refused.json()["code"]) == (503, "queue-full")
    assert int(refused.headers["Retry-After"]) >= 1
    engine.worker()
    engine.wait_for(jobs[-1], "succeeded")
    assert engine.redis.lrange("order", 0, -1) == [str(i) for i in range(QUEUE_LIMIT)]
    assert {engine.job(job_id)["status"] for job_id in jobs} == {"succeeded"}
    assert engine.post(0.1).status_code == 202


def test_the_same_key_from_many_at_once_is_one_job(start: Start) -> None:
    engine = start()
    headers = {"Idempotency-Key": "monday"}
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(engine.submit, 0.1, **headers) for _ in range(8)]
        made = {each.result() for each in asked}
    assert len(made) == 1
    assert engine.redis.llen("bayesian.short") == 1

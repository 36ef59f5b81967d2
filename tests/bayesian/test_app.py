"""Health checks, heartbeat and leases of a worker."""

import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from redis import Redis

from levy_bayesian.app import create_app, served
from levy_bayesian.engines import installed
from levy_bayesian.heartbeat import Heartbeat
from levy_bayesian.job_store import Leases
from levy_bayesian.metrics import BayesianMetrics
from levy_bayesian.settings import BayesianSettings
from levy_schemas.jobs import ENGINES_KEY, RUNNING_KEY, WORKERS_KEY, job_key
from tests.processes import Redis as Server
from tests.processes import free_port

with warnings.catch_warnings():
    # The test client warns that it prefers httpx's successor; the engine's client uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


@pytest.fixture
def consuming() -> threading.Event:
    return threading.Event()


def pages(url: str, consuming: threading.Event) -> TestClient:
    heartbeat = Heartbeat(url, "w", consuming)
    return TestClient(create_app(BayesianSettings(), BayesianMetrics(), heartbeat, consuming))


def until(condition: Callable[[], Any]) -> None:
    give_up = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.02)


def test_a_worker_is_ready_and_heard_of_once_it_takes_jobs(
    redis: Redis, redis_server: Server, consuming: threading.Event
) -> None:
    with pages(redis_server.url, consuming) as worker:
        assert worker.get("/health/live").status_code == 200
        early = worker.get("/health/ready")
        assert early.status_code == 503
        assert early.json()["checks"] == {"consuming": False, "redis": False}
        consuming.set()
        until(lambda: worker.get("/health/ready").status_code == 200)
        assert abs((redis.zscore(WORKERS_KEY, "w") or 0.0) - redis.time()[0]) < 60
        assert set(redis.zrange(ENGINES_KEY, 0, -1)) == set(installed())
        assert "levy_bayesian_build_info" in worker.get("/metrics").text
    assert redis.zscore(WORKERS_KEY, "w") is None


def test_a_worker_without_redis_lives_and_is_not_ready(
    tmp_path: Path, consuming: threading.Event
) -> None:
    consuming.set()
    with pages(f"unix://{tmp_path}/nobody.sock", consuming) as worker:
        assert worker.get("/health/live").status_code == 200
        assert worker.get("/health/ready").json()["checks"] == {"consuming": True, "redis": False}


def test_a_port_that_is_taken_stops_the_start(redis_server: Server) -> None:
    port = free_port()
    settings, metrics, event = BayesianSettings(port=port), BayesianMetrics(), threading.Event()
    app = create_app(settings, metrics, Heartbeat(redis_server.url, "w", event), event)
    with (
        structlog.testing.capture_logs(),
        served(app, settings),
        pytest.raises(OSError, match="in use"),
        served(app, settings),
    ):
        pytest.fail("it started")


def test_a_worker_releases_its_own_leases_alone(redis: Redis, redis_server: Server) -> None:
    leases = Leases(redis_server.url, "w")
    assert not leases.any()
    for job_id, worker in (("a", "w"), ("b", "another")):
        redis.hset(job_key(job_id), "worker", worker)
        redis.zadd(RUNNING_KEY, {job_id: 2e9})  # a lease that expires in 2033
    assert leases.any()
    leases.release_all()
    assert redis.zscore(RUNNING_KEY, "a") == pytest.approx(redis.time()[0], abs=10)
    assert redis.zscore(RUNNING_KEY, "b") == 2e9

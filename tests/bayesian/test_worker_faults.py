"""Real workers on a real Redis: one is asked to cancel, one takes too long."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from levy_bayesian.settings import BayesianSettings
from levy_bayesian.worker import create_worker
from levy_cli.serve.parts import RedisPart
from levy_schemas.jobs import TASK, draws_key, job_key
from levy_schemas.surface import EXAMPLE_GRID
from tests.bayesian.test_tasks import sampled

pytestmark = pytest.mark.system

PAYLOAD = EXAMPLE_GRID | {"model_type": "VarianceGamma", "engine": "laplace-psis"}
_GIVE_UP_SECONDS = 60.0


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    part = RedisPart(tmp_path)
    server = part.start()
    until(part.ready)
    with Redis.from_url(part.address) as client:
        yield client
    server.kill()


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _GIVE_UP_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.02)


def url_of(redis: Redis) -> str:
    return "unix://" + redis.connection_pool.connection_kwargs["path"]


class Workers:
    """Workers of one test, each with its process in a session of its own."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, seconds: float) -> subprocess.Popen[bytes]:
        settings = {
            "LEVY_BAYESIAN_REDIS_URL": url_of(self._redis),
            "LEVY_BAYESIAN_SOFT_LIMIT_SECONDS": "1",
            "LEVY_BAYESIAN_HARD_LIMIT_SECONDS": "2",
            "LEVY_BAYESIAN_VISIBILITY_SECONDS": "3",
        }
        command = [sys.executable, "-m", "tests.bayesian.slow_worker", str(seconds)]
        worker = subprocess.Popen(command, env=os.environ | settings, start_new_session=True)
        self._started.append(worker)
        return worker

    def stop(self) -> None:
        for worker in self._started:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


@pytest.fixture
def workers(redis: Redis) -> Iterator[Workers]:
    started = Workers(redis)
    yield started
    started.stop()


def submit(redis: Redis, job_id: str) -> Callable[[str], bytes | None]:
    redis.hset(job_key(job_id), mapping={"status": "queued"})
    app = create_worker(BayesianSettings(redis_url=url_of(redis)), sampled)
    app.send_task(TASK, (job_id, PAYLOAD), queue="bayesian.short", headers={"request_id": "r1"})
    return lambda field: redis.hget(job_key(job_id), field)


def test_a_running_job_is_cancelled_between_blocks_and_the_next_one_runs(
    redis: Redis, workers: Workers
) -> None:
    workers.start(0.9)
    job = submit(redis, "j")
    until(lambda: job("status") == b"running")
    redis.hset(job_key("j"), "cancel", "1")
    until(lambda: job("status") == b"cancelled")
    after = submit(redis, "k")
    until(lambda: after("status") == b"succeeded")
    assert redis.get(draws_key("j")) is None


def test_a_job_that_takes_too_long_fails_and_its_worker_lives(
    redis: Redis, workers: Workers
) -> None:
    workers.start(1.8)
    job = submit(redis, "j")
    until(lambda: job("status") == b"failed")
    assert b'"deadline"' in (job("problem") or b"")
    after = submit(redis, "k")
    until(lambda: after("status") == b"failed")

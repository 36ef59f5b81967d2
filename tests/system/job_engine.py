"""A gateway with Redis and workers, as real processes, for tests of jobs."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from celery import Celery
from redis import Redis as RedisClient

from levy_schemas.jobs import broker_url, draws_key
from levy_schemas.surface import EXAMPLE_GRID
from tests.bayesian.slow_worker import SECONDS_A_DRAW
from tests.processes import Redis, Service, Stack, free_port

PATH = "/calibrate/bayesian"
SLOW = [sys.executable, "-m", "tests.bayesian.slow_worker"]
GIVE_UP_SECONDS = 90.0
LEASE_SECONDS = 3
QUEUE_LIMIT = 50


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


class Engine:
    """A gateway, its Redis, and workers whose sampler only waits.

    Parameters
    ----------
    stack : Stack
        Stops the processes.
    pricing : Service
        A pricing service.
    folder : Path
        Folder of Redis and of the workers' logs.
    persistent : bool
        Whether writes reach Redis' disk before they are acknowledged.
    **settings : str
        Settings of the gateway without their prefix.
    """

    def __init__(
        self,
        stack: Stack,
        pricing: Service,
        folder: Path,
        *,
        persistent: bool = False,
        **settings: str,
    ) -> None:
        self.stack = stack
        self.pricing = pricing
        self.folder = folder
        self._persistent = persistent
        self.redis_server: Redis = stack.redis(folder, persistent=persistent)
        self.redis = RedisClient.from_url(self.redis_server.url, decode_responses=True)
        self._settings = {
            "PRICING_URL": pricing.url,
            "REDIS_URL": self.redis_server.url,
            "REDIS_SECONDS": "2",
            "JOB_REDIS_SECONDS": "10",
            "JOB_RESEND_SECONDS": "1",
            "QUEUE_LIMIT": str(QUEUE_LIMIT),
        } | settings
        self.gateway = stack.service("gateway", settings=self._settings)
        self.workers: list[Service] = []
        self.celery = Celery(broker=broker_url(self.redis_server.url), set_as_current=False)

    def worker(self, **settings: str) -> Service:
        return self.cold_worker(**settings).wait_until_ready()

    def cold_worker(self, **settings: str) -> Service:
        """Start a worker without waiting for it."""
        chosen = {
            "REDIS_URL": self.redis_server.url,
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "DRAIN_SECONDS": "1",
        }
        log = self.folder / f"worker-{free_port()}.log"
        made = Service("bayesian", command=SLOW, settings=chosen | settings, log=log)
        self.stack.callback(made.kill)
        self.workers.append(made)
        return made

    def require_each_succeeds_once(self, job_ids: list[str]) -> None:
        """Wait for jobs; require that each result was logged once."""
        for job_id in job_ids:
            self.wait_for(job_id, "succeeded")
        lines = [
            json.loads(line)
            for log in self.folder.glob("worker-*.log")
            for line in log.read_text(errors="replace").splitlines()
            if line.startswith("{")
        ]
        written = Counter(line["job_id"] for line in lines if line.get("outcome") == "succeeded")
        # A worker killed between its write and its log line is missing from the log.
        assert set(written.values()) <= {1}

    def restart_redis(self) -> None:
        self.redis_server.kill()
        self.start_redis()

    def start_redis(self) -> None:
        self.redis_server = self.stack.redis(self.folder, persistent=self._persistent)

    def restart_gateway(self) -> None:
        if self.gateway.exit_status is None:
            self.gateway.stop()
        self.gateway = self.stack.service("gateway", settings=self._settings)

    def post(
        self, seconds: float, seed: int = 0, change: Mapping[str, str] = {}, **headers: str
    ) -> httpx.Response:
        n_chains = 1 if seconds < 1.0 else 8
        n_samples = max(100, round(seconds / SECONDS_A_DRAW / n_chains))
        request = EXAMPLE_GRID | {
            "model_type": "VarianceGamma",
            "engine": "laplace-psis",
            "num_chains": n_chains,
            "num_samples": n_samples,
            "seed": seed,
            **change,
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

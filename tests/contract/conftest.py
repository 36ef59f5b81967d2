"""Fixtures: the gateway connected to the real services in process."""

import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis
import structlog
from fastapi import FastAPI
from redis.asyncio import Redis

from levy_calibration import app as calibration_app
from levy_calibration.settings import CalibrationSettings
from levy_gateway.app import create_app
from levy_gateway.clients import Reply, parse_reply
from levy_gateway.job_store import JobStore
from levy_gateway.settings import GatewaySettings
from levy_gateway.task_queue import TaskQueue
from levy_pricing import app as pricing_app
from levy_pricing.settings import PricingSettings
from levy_schemas.jobs import WORKERS_KEY
from tests.processes import Redis as RedisServer

with warnings.catch_warnings():
    # The test client warns that it prefers httpx's successor; the engine's client uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


class InProcess:
    """A real service, called in process."""

    def __init__(self, name: str, app: FastAPI) -> None:
        self.name = name
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=f"http://{name}"
        )

    async def request(
        self, method: str, path: str, *, seconds: float, body: bytes | None = None
    ) -> Reply:
        headers = {"X-Deadline-Seconds": str(seconds), "Content-Type": "application/json"}
        answer = await self._client.request(method, path, content=body, headers=headers)
        return parse_reply(self.name, answer.status_code, answer.headers, answer.content)

    async def close(self) -> None:
        await self._client.aclose()


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """Capture the events logged in a test."""
    with structlog.testing.capture_logs() as events:
        yield events


@pytest.fixture(scope="session")
def pricing() -> Iterator[FastAPI]:
    app = pricing_app.create_app(PricingSettings())
    with TestClient(app):
        yield app


@pytest.fixture(scope="session")
def calibration() -> Iterator[FastAPI]:
    app = calibration_app.create_app(CalibrationSettings(n_starts=1))
    with TestClient(app):
        yield app


class EachTimeAnew:
    """Redis with one connection per command, since these clients use many event loops."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __getattr__(self, name: str) -> Any:
        async def command(*args: Any, **options: Any) -> Any:
            async with Redis.from_url(self._url) as connected:
                return await getattr(connected, name)(*args, **options)

        return command


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    url = server.wait_until_ready().url
    with redis.Redis.from_url(url) as client:
        # A heartbeat without a worker: jobs stay queued, since workers are tested elsewhere.
        client.zadd(WORKERS_KEY, {"worker": float("inf")})
    yield url
    server.kill()


@pytest.fixture(scope="session")
def gateway(pricing: FastAPI, calibration: FastAPI, redis_url: str) -> FastAPI:
    connection: Any = EachTimeAnew(redis_url)
    return create_app(
        GatewaySettings(),
        jobs=JobStore(
            connection,
            timeout_seconds=10.0,
            keep_seconds=600,
            queue_limit=100_000,
            queue_limit_per_key=100_000,
            resend_seconds=60.0,
        ),
        tasks=TaskQueue(redis_url, timeout_seconds=10.0),
        pricing=InProcess("pricing", pricing),
        calibration=InProcess("calibration", calibration),
    )


@pytest.fixture(scope="session")
def client(gateway: FastAPI) -> TestClient:
    return TestClient(gateway, raise_server_exceptions=False)

"""The gateway wired to the real services without a network."""

import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI

from levy_calibration import app as calibration_app
from levy_calibration.settings import CalibrationSettings
from levy_gateway.app import create_app
from levy_gateway.clients import Reply, reply_of
from levy_gateway.settings import GatewaySettings
from levy_pricing import app as pricing_app
from levy_pricing.settings import PricingSettings

with warnings.catch_warnings():
    # The test client would rather have httpx's successor; our own client uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


class InProcess:
    """A real service, asked without a network."""

    def __init__(self, name: str, app: FastAPI) -> None:
        self.name = name
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=f"http://{name}"
        )

    async def ask(
        self, method: str, path: str, *, seconds: float, body: bytes | None = None
    ) -> Reply:
        headers = {"X-Deadline-Seconds": str(seconds), "Content-Type": "application/json"}
        answer = await self._client.request(method, path, content=body, headers=headers)
        return reply_of(self.name, answer.status_code, answer.headers, answer.content)

    async def close(self) -> None:
        await self._client.aclose()


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """Events logged in a test, kept from its output."""
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


@pytest.fixture(scope="session")
def gateway(pricing: FastAPI, calibration: FastAPI) -> FastAPI:
    return create_app(
        GatewaySettings(),
        pricing=InProcess("pricing", pricing),
        calibration=InProcess("calibration", calibration),
    )


@pytest.fixture(scope="session")
def client(gateway: FastAPI) -> TestClient:
    return TestClient(gateway, raise_server_exceptions=False)

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
from levy_gateway.clients import HttpNeighbour, connect
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.settings import GatewaySettings
from levy_pricing import app as pricing_app
from levy_pricing.settings import PricingSettings

with warnings.catch_warnings():
    # The test client would rather have httpx's successor; the gateway uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


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
    settings, metrics = GatewaySettings(), GatewayMetrics()

    def neighbour(name: str, app: FastAPI) -> HttpNeighbour:
        return connect(name, f"http://{name}", settings, metrics, httpx.ASGITransport(app))

    return create_app(
        settings,
        pricing=neighbour("pricing", pricing),
        calibration=neighbour("calibration", calibration),
    )


@pytest.fixture(scope="session")
def client(gateway: FastAPI) -> TestClient:
    return TestClient(gateway, raise_server_exceptions=False)

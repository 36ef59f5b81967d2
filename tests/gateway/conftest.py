"""The gateway between a client and fake upstream services."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from levy_gateway.app import create_app
from levy_gateway.clients import Reply
from levy_gateway.settings import GatewaySettings

with warnings.catch_warnings():
    # The test client would rather have httpx's successor; our own client uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """Events logged in a test, kept from its output."""
    with structlog.testing.capture_logs() as events:
        yield events


@dataclass
class FakeUpstream:
    """Returns the given replies or raises the given error; records the requests."""

    name: str
    replies: dict[str, Reply] = field(default_factory=dict)
    error: Exception | None = None
    requests: list[tuple[str, str, float, bytes | None]] = field(default_factory=list)
    closed: bool = False

    async def request(
        self, method: str, path: str, *, seconds: float, body: bytes | None = None
    ) -> Reply:
        self.requests.append((method, path, seconds, body))
        if self.error is not None:
            raise self.error
        return self.replies[path]

    async def close(self) -> None:
        self.closed = True


def json_reply(text: str) -> Reply:
    return Reply(200, "application/json", text.encode())


READY = json_reply('{"status": "ready"}')
PARAMETER = (
    '{"name": "sigma", "symbol": "σ", "domain": "sigma > 0", "unit": "1/√year", "meaning": "…"}'
)
CATALOGUE = json_reply(
    '{"catalogue": ['
    f'{{"name": "VarianceGamma", "parameters": [{PARAMETER}], "trained": false, "version": "1"}},'
    f'{{"name": "BlackScholes", "parameters": [{PARAMETER}], "trained": false, "version": "1"}}]}}'
)
NETWORKS = json_reply(
    '{"engine_version": "1", "networks": {"VarianceGamma": {"champion": "set-7"}}}'
)


@pytest.fixture
def pricing() -> FakeUpstream:
    prices = json_reply('{"prices": [[7.5]]}')
    replies = {"/price": prices, "/models": CATALOGUE, "/health/ready": READY}
    return FakeUpstream("pricing", replies)


@pytest.fixture
def calibration() -> FakeUpstream:
    fitted = json_reply('{"model_type": "VarianceGamma"}')
    compared = json_reply('{"results": []}')
    read = json_reply('{"n_read": 1}')
    replies = {"/calibrate": fitted, "/compare": compared, "/quotes": read, "/networks": NETWORKS}
    return FakeUpstream("calibration", replies | {"/health/ready": READY})


@pytest.fixture
def client(pricing: FakeUpstream, calibration: FakeUpstream) -> Iterator[TestClient]:
    app = create_app(GatewaySettings(), pricing=pricing, calibration=calibration)
    with TestClient(app) as made:
        yield made


@pytest.fixture
def price_request() -> dict[str, Any]:
    return {
        "model_type": "VarianceGamma",
        "parameters": {"sigma": 0.2, "nu": 0.4, "theta": -0.15},
        "spot_price": 100,
        "risk_free_rate": 0.05,
        "strikes": [100],
        "maturities": [0.5],
    }


@pytest.fixture
def calibrate_request() -> dict[str, Any]:
    return {
        "model_type": "VarianceGamma",
        "spot_price": 100.0,
        "risk_free_rate": 0.05,
        "strikes": [90, 100, 110],
        "maturities": [0.5],
        "prices": [[14.0, None, 3.2]],
    }

"""Fixtures: the pricing service in process, with the real numerics."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from levy_pricing.app import create_app
from levy_pricing.settings import PricingSettings

with warnings.catch_warnings():
    # The test client warns that it prefers httpx's successor; the gateway uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """Capture the events logged in a test."""
    with structlog.testing.capture_logs() as events:
        yield events


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(PricingSettings())) as made:
        yield made


@pytest.fixture
def price_request() -> dict[str, Any]:
    return {
        "model_type": "VarianceGamma",
        "parameters": {"sigma": 0.12, "nu": 0.2, "theta": -0.14},
        "spot_price": 100,
        "risk_free_rate": 0.1,
        "dividend_yield": 0.0,
        "strikes": [90, 100, 110],
        "maturities": [0.1, 1.0],
    }

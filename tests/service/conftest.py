"""Fixtures: a small service with all kinds of failures."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from levy_service import service
from levy_service.body import StrictJsonRoute
from levy_service.metrics import ServiceMetrics

with warnings.catch_warnings():
    # The test client warns that it prefers httpx's successor; the engine's client uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """Capture the events logged in a test."""
    with structlog.testing.capture_logs() as events:
        yield events


class Point(BaseModel):
    """A request body."""

    x: float


class NumericalError(ValueError):
    """An error with a code, like those of levy_numerics."""

    code = "invalid-parameter"

    def __init__(self) -> None:
        super().__init__("nu = -1 breaks the condition nu > 0")
        self.message = str(self)
        self.details = {"parameter": "nu", "value": -1.0, "condition": "nu > 0", "status": 999}


def _routes() -> APIRouter:
    routes = APIRouter(route_class=StrictJsonRoute)

    @routes.post("/points")
    async def points(body: Point) -> Point:
        return body

    @routes.get("/points/{number}")
    async def point(number: int) -> int:
        return number

    @routes.get("/coded")
    async def coded() -> None:
        raise NumericalError

    @routes.get("/broken")
    def broken() -> None:
        raise RuntimeError("the password is swordfish")

    return routes


@pytest.fixture
def ready() -> dict[str, bool]:
    return {"model": True}


@pytest.fixture
def app(ready: dict[str, bool]) -> FastAPI:
    made = service.build(
        title="Test",
        summary="A service with every way to fail.",
        metrics=ServiceMetrics("levy_test"),
        checks=lambda: ready,
        max_body_bytes=1000,
    )
    made.include_router(_routes())
    return made


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as made:
        yield made

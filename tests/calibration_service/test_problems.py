"""Every problem that `POST /calibrate` and `/compare` document can be provoked."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from levy_calibration.metrics import CalibrationMetrics
from levy_calibration.routes import calibrate as calibrate_route
from levy_calibration.routes import compare as compare_route
from levy_numerics import errors
from levy_schemas.cost import Lane
from levy_schemas.problems import MEDIA_TYPE, PROBLEMS
from levy_service import service
from levy_service.work import OverloadedError, Threads

TEXT = {"Content-Type": "text/plain"}

BY_THE_REQUEST: dict[str, dict[str, Any]] = {
    "invalid-input": {"json": {}},
    "body-too-large": {"content": b" " * 300_000},
    "unsupported-media-type": {"content": b"strike=100", "headers": TEXT},
}
BY_THE_HANDLER: dict[str, Exception] = {
    "unknown-model": errors.UnknownModelError("Heston", ("VarianceGamma",)),
    "arbitrage": errors.ArbitrageError("quote 3 is crossed", [3]),
    "unsupported": errors.UnsupportedError("not here"),
    "overloaded": OverloadedError(2.0),
    "internal": RuntimeError("a fault of ours"),
}


def app(handler: Callable[..., Any], deadline_seconds: float = 30.0) -> FastAPI:
    metrics = CalibrationMetrics()
    made = service.build(
        title="Test", summary="", metrics=metrics, checks=dict, max_body_bytes=256 * 1024
    )
    threads = Threads(1, deadline_seconds, metrics)
    lanes: dict[Lane, Threads] = {"brief": threads, "long": threads}
    made.include_router(calibrate_route.router(handler, preparing(handler), lanes, metrics))
    made.include_router(compare_route.router(handler, threads, metrics))
    return made


def preparing(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return a batch handler that leaves each surface to `handler`."""

    def prepare(requests: Any, *, checkpoint: Any) -> list[Any]:
        del checkpoint
        return [
            lambda own, request=request: handler(request, checkpoint=own) for request in requests
        ]

    return prepare


@pytest.fixture(params=["/calibrate", "/compare"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def body(path: str, grid_request: dict[str, Any]) -> dict[str, Any]:
    """Return a valid request to `path`."""
    surface = {name: v for name, v in grid_request.items() if name != "model_type"}
    return grid_request if path == "/calibrate" else surface


def raising(error: Exception) -> Callable[..., Any]:
    def handler(_: Any, **_options: Any) -> Any:
        raise error

    return handler


def check(answer: Any, code: str) -> None:
    assert answer.status_code == PROBLEMS[code].status
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["code"] == code


@pytest.mark.parametrize("code", BY_THE_REQUEST)
def test_a_request_provokes(path: str, code: str) -> None:
    client = TestClient(app(raising(AssertionError("must not be called"))))
    check(client.post(path, **BY_THE_REQUEST[code]), code)


@pytest.mark.parametrize("code", BY_THE_HANDLER)
def test_a_handler_provokes(path: str, body: dict[str, Any], code: str) -> None:
    client = TestClient(app(raising(BY_THE_HANDLER[code])))
    check(client.post(path, json=body), code)


def test_a_client_with_a_short_deadline_receives_a_timeout(path: str, body: dict[str, Any]) -> None:
    client = TestClient(app(raising(AssertionError("must not be called"))))
    answer = client.post(path, json=body, headers={"X-Deadline-Seconds": "0"})
    check(answer, "deadline")


def test_an_abandoned_fit_ends_at_its_next_checkpoint(path: str, body: dict[str, Any]) -> None:
    ended = threading.Event()

    def handler(_: Any, *, checkpoint: Callable[[], None]) -> Any:
        try:
            while True:
                checkpoint()
                time.sleep(0.005)
        finally:
            ended.set()

    headers = {"X-Deadline-Seconds": "0.05"}
    with TestClient(app(handler)) as client:
        check(client.post(path, json=body, headers=headers), "deadline")
        assert ended.wait(5.0)


def test_these_are_all_that_are_documented(path: str) -> None:
    responses = app(raising(AssertionError())).openapi()["paths"][path]["post"]["responses"]
    documented = {code for r in responses.values() for code in r.get("x-problem-codes", ())}
    assert documented == {*BY_THE_REQUEST, *BY_THE_HANDLER, "deadline"}

"""Every problem that `POST /price` documents can be provoked."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from levy_numerics import errors
from levy_pricing.metrics import PricingMetrics
from levy_pricing.routes import price as price_route
from levy_schemas.pricing import PriceRequest, PriceResult
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
    "invalid-parameter": errors.InvalidParameterError("nu", -1.0, "nu > 0"),
    "outside-strip": errors.OutsideStripError("alpha = 9 leaves the strip"),
    "unsupported": errors.UnsupportedError("not here"),
    "overloaded": OverloadedError(2.0),
    "internal": RuntimeError("a fault of ours"),
}


def app(handler: Callable[[PriceRequest], PriceResult], deadline_seconds: float = 30.0) -> FastAPI:
    metrics = PricingMetrics()
    made = service.build(
        title="Test", summary="", metrics=metrics, checks=dict, max_body_bytes=256 * 1024
    )
    threads = Threads(1, deadline_seconds, metrics)
    made.include_router(price_route.router(handler, threads, metrics))
    return made


def raising(error: Exception) -> Callable[[PriceRequest], PriceResult]:
    def handler(_: PriceRequest) -> PriceResult:
        raise error

    return handler


def check(answer: Any, code: str) -> None:
    assert answer.status_code == PROBLEMS[code].status
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["code"] == code


@pytest.mark.parametrize("code", BY_THE_REQUEST)
def test_a_request_provokes(code: str) -> None:
    client = TestClient(app(raising(AssertionError("must not be called"))))
    check(client.post("/price", **BY_THE_REQUEST[code]), code)


@pytest.mark.parametrize("code", BY_THE_HANDLER)
def test_a_handler_provokes(code: str, price_request: dict[str, Any]) -> None:
    client = TestClient(app(raising(BY_THE_HANDLER[code])))
    check(client.post("/price", json=price_request), code)


def test_a_client_with_a_short_deadline_receives_a_timeout(price_request: dict[str, Any]) -> None:
    client = TestClient(app(raising(AssertionError("must not be called"))))
    answer = client.post("/price", json=price_request, headers={"X-Deadline-Seconds": "0"})
    check(answer, "deadline")


def test_these_are_all_that_are_documented() -> None:
    responses = app(raising(AssertionError())).openapi()["paths"]["/price"]["post"]["responses"]
    documented = {code for r in responses.values() for code in r.get("x-problem-codes", ())}
    assert documented == {*BY_THE_REQUEST, *BY_THE_HANDLER, "deadline"}

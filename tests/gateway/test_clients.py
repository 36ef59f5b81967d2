"""How the gateway speaks to a neighbour over HTTP."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from levy_gateway.clients import (
    HttpNeighbour,
    NeighbourFailedError,
    NeighbourUnavailableError,
    Reply,
    connect,
)
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.settings import GatewaySettings
from levy_observability import request_id
from levy_observability.work import DeadlineError


def ask(
    handler: Callable[[httpx.Request], httpx.Response],
    seconds: float = 5.0,
    metrics: GatewayMetrics | None = None,
) -> Reply:
    transport = httpx.MockTransport(handler)
    neighbour = connect(
        "pricing", "http://pricing", GatewaySettings(), metrics or GatewayMetrics(), transport
    )
    return asyncio.run(_ask_and_close(neighbour, seconds))


async def _ask_and_close(neighbour: HttpNeighbour, seconds: float) -> Reply:
    try:
        return await neighbour.ask("POST", "/price", seconds=seconds, body=b"{}")
    finally:
        await neighbour.close()


def test_id_and_deadline_go_with_every_request() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    request_id.bind("desk-7")
    ask(handler, seconds=5.0)
    request_id.bind("")
    assert seen[0].headers["X-Request-ID"] == "desk-7"
    assert seen[0].headers["X-Deadline-Seconds"] == "5.000"
    assert seen[0].headers["Content-Type"] == "application/json"


def test_a_neighbour_that_cannot_be_reached_is_unavailable() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    metrics = GatewayMetrics()
    with pytest.raises(NeighbourUnavailableError):
        ask(handler, metrics=metrics)
    assert b'outcome="unavailable"' in metrics.exposition()


def test_a_neighbour_that_is_slow_meets_the_deadline() -> None:
    async def slow(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5.0)
        return httpx.Response(200, json={})

    with pytest.raises(DeadlineError):
        ask(slow, seconds=0.05)  # type: ignore[arg-type]  # the transport takes both kinds


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="hello"),
        httpx.Response(500, text="Internal Server Error"),
        httpx.Response(302, headers={"Location": "/"}),
    ],
)
def test_an_answer_that_is_neither_json_nor_a_problem_is_a_failure(
    response: httpx.Response,
) -> None:
    with pytest.raises(NeighbourFailedError):
        ask(lambda _: response)


def test_a_problem_is_an_answer() -> None:
    problem = httpx.Response(
        404, content=b"{}", headers={"Content-Type": "application/problem+json"}
    )
    assert ask(lambda _: problem) == Reply(404, "application/problem+json", b"{}")

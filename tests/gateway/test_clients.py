"""Requests of the gateway to an upstream service, over HTTP on a real socket."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from levy_gateway.clients import (
    Reply,
    UpstreamClient,
    UpstreamError,
    UpstreamUnavailableError,
)
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.settings import GatewaySettings
from levy_service import request_id
from levy_service.work import DeadlineError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[UpstreamClient], Awaitable[Any]]


def talk(
    handler: Handler, conversation: Talk, metrics: GatewayMetrics | None = None, **settings: Any
) -> Any:
    """Hold a conversation with a server that answers as `handler` does."""

    async def run() -> Any:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        async with TestServer(app) as server:
            upstream = UpstreamClient(
                "pricing",
                str(server.make_url("/")),
                5.0,
                GatewaySettings(**settings),
                metrics or GatewayMetrics(),
            )
            try:
                return await conversation(upstream)
            finally:
                await upstream.close()

    return asyncio.run(run())


def ask(handler: Handler, seconds: float = 5.0, **options: Any) -> Reply:
    async def once(upstream: UpstreamClient) -> Reply:
        return await upstream.request("POST", "/price", seconds=seconds, body=b"{}")

    reply = talk(handler, once, **options)
    assert isinstance(reply, Reply)
    return reply


async def empty(_: web.Request) -> web.Response:
    return web.json_response({})


async def hanging(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_id_and_deadline_go_with_every_request() -> None:
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, dict(request.headers), await request.read()))
        return web.json_response({})

    request_id.bind("desk-7")
    ask(handler, seconds=5.0)
    request_id.bind("")
    ((method, path, headers, body),) = seen
    assert (method, path, body) == ("POST", "/price", b"{}")
    assert headers["X-Request-ID"] == "desk-7"
    assert headers["X-Deadline-Seconds"] == "5.000"
    assert headers["Content-Type"] == "application/json"


def test_a_upstream_service_that_cannot_be_reached_is_unavailable() -> None:
    async def once() -> None:
        metrics = GatewayMetrics()
        upstream = UpstreamClient("pricing", closed_port(), 5.0, GatewaySettings(), metrics)
        with pytest.raises(UpstreamUnavailableError):
            await upstream.request("GET", "/models", seconds=5.0)
        await upstream.close()
        assert b'outcome="unavailable"' in metrics.exposition()

    asyncio.run(once())


def test_a_upstream_service_that_is_slow_meets_the_deadline() -> None:
    with pytest.raises(DeadlineError):
        ask(hanging, seconds=0.05)


@pytest.mark.parametrize(
    ("status", "text", "headers"),
    [
        (200, "hello", {}),
        (500, "Internal Server Error", {}),
        (302, "", {"Location": "/"}),
    ],
)
def test_a_response_that_is_neither_json_nor_a_problem_is_a_failure(
    status: int, text: str, headers: dict[str, str]
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    with pytest.raises(UpstreamError):
        ask(handler)


def test_a_problem_is_a_valid_response() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=404, body=b"{}", content_type="application/problem+json")

    assert ask(handler) == Reply(404, "application/problem+json", b"{}")


def test_a_request_lost_with_its_connection_is_sent_once_more() -> None:
    bodies: list[bytes] = []

    async def handler(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        if len(bodies) == 2:  # the second comes on the connection of the first
            assert request.transport is not None
            request.transport.close()
        return web.json_response({"n": len(bodies)})

    async def twice(upstream: UpstreamClient) -> list[Reply]:
        return [await upstream.request("POST", "/", seconds=5.0, body=b"{}") for _ in range(2)]

    replies = talk(handler, twice)
    assert [reply.body for reply in replies] == [b'{"n": 1}', b'{"n": 3}']
    assert bodies == [b"{}", b"{}", b"{}"]


def test_consecutive_failures_open_the_circuit_and_further_requests_fail_at_once() -> None:
    requests = []

    async def handler(_: web.Request) -> web.Response:
        requests.append(1)
        return web.Response(status=500, text="broken")

    metrics = GatewayMetrics()

    async def conversation(upstream: UpstreamClient) -> UpstreamUnavailableError:
        for _ in range(3):
            with pytest.raises(UpstreamError):
                await upstream.request("GET", "/", seconds=5.0)
        with pytest.raises(UpstreamUnavailableError) as refusal:
            await upstream.request("GET", "/", seconds=5.0)
        return refusal.value

    settings = {"breaker_failures": 3, "breaker_open_seconds": 60.0}
    refusal = talk(handler, conversation, metrics, **settings)
    assert len(requests) == 3
    assert 1 <= refusal.retry_after_seconds <= 60
    shown = metrics.exposition()
    assert b'levy_gateway_breaker_state{neighbour="pricing",state="open"} 1.0' in shown
    assert b'levy_gateway_breaker_state{neighbour="pricing",state="closed"} 0.0' in shown


def test_a_caller_in_a_hurry_does_not_open_the_circuit() -> None:
    async def conversation(upstream: UpstreamClient) -> None:
        for _ in range(3):
            with pytest.raises(DeadlineError):
                await upstream.request("GET", "/", seconds=0.01)

    talk(hanging, conversation, breaker_failures=1)


def test_the_least_busy_of_several_instances_is_used() -> None:
    released = asyncio.Event()
    requests: list[str] = []

    def instance(name: str) -> web.Application:
        async def handler(request: web.Request) -> web.Response:
            requests.append(name)
            if request.path == "/slow":
                await released.wait()
            return web.json_response({})

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        return app

    async def run() -> None:
        async with TestServer(instance("a")) as a, TestServer(instance("b")) as b:
            addresses = f"{a.make_url('/')}, {b.make_url('/')}"
            upstream = UpstreamClient(
                "pricing", addresses, 5.0, GatewaySettings(), GatewayMetrics()
            )
            slow = asyncio.create_task(upstream.request("GET", "/slow", seconds=5.0))
            while not requests:
                await asyncio.sleep(0.001)
            for _ in range(3):
                await upstream.request("GET", "/fast", seconds=5.0)
            released.set()
            await slow
            await upstream.close()

    asyncio.run(run())
    assert requests == ["a", "b", "b", "b"]


def test_without_instances_the_upstream_service_is_unavailable() -> None:
    async def run() -> None:
        upstream = UpstreamClient(
            "pricing",
            f"{closed_port()},{closed_port()}",
            5.0,
            GatewaySettings(),
            GatewayMetrics(),
        )
        with pytest.raises(UpstreamUnavailableError):
            await upstream.request("GET", "/", seconds=5.0)
        await upstream.close()

    asyncio.run(run())


def test_an_unavailable_instance_is_skipped() -> None:
    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", empty)
        async with TestServer(app) as server:
            upstream = UpstreamClient(
                "pricing",
                f"{closed_port()},{server.make_url('/')}",
                5.0,
                GatewaySettings(),
                GatewayMetrics(),
            )
            for _ in range(3):
                assert (await upstream.request("GET", "/", seconds=5.0)).status == 200
            await upstream.close()

    asyncio.run(run())

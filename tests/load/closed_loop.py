"""A closed-loop load generator: each connection sends a request after the previous response.

A general HTTP client uses several times the processor time of the services' sockets and, on the
same cores, would dominate the measurement; this one writes bytes and counts responses.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import httptools
import numpy as np
import uvloop


@dataclass(frozen=True)
class LoadResult:
    """Results of a closed loop.

    Attributes
    ----------
    rate : float
        Responses per second.
    seconds : ndarray
        Latencies in the order of arrival.
    statuses : dict
        Number of responses by status.
    """

    rate: float
    seconds: np.ndarray
    statuses: dict[int, int]

    def percentile_ms(self, q: float) -> float:
        """Return a percentile of the latency in milliseconds."""
        return 1e3 * float(np.percentile(self.seconds, q))


class Connection(asyncio.Protocol):
    """A connection with at most one request in flight."""

    def __init__(self) -> None:
        self.status = 0
        self._answered: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        # A cast instead of an assertion: uvloop's transports are not subclasses.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse a response, or a part of one."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request in flight."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError("closed without a response"))

    def on_message_complete(self) -> None:
        """Complete the request in flight."""
        self.status = self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        assert self._answered is not None
        self._answered.set_result(None)

    async def ask(self, request: bytes) -> int:
        """Send a request and return the status of its response."""
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._answered
        return self.status

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


def request_of(path: str, body: bytes, port: int, headers: Sequence[str] = ()) -> bytes:
    """Return the bytes of one POST."""
    head = (
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def run(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, warm_up: int = 50
) -> LoadResult:
    """Send requests over several connections for some time.

    Parameters
    ----------
    port : int
        On this machine.
    requests : sequence of bytes
        Sent in turn, repeatedly.
    connections : int
        Concurrent connections.
    seconds : float
        Duration.
    warm_up : int
        Requests over each connection before the measurement.
    """
    return uvloop.run(_run(port, requests, connections, seconds, warm_up))


async def _run(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, warm_up: int
) -> LoadResult:
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(connections)
    ]
    taken: list[float] = []
    statuses: dict[int, int] = {}
    turn = 0

    async def ask_on(connection: Connection, until: float, most: float) -> None:
        nonlocal turn
        count = 0
        while count < most and (began := time.perf_counter()) < until:
            turn += 1
            status = await connection.ask(requests[turn % len(requests)])
            taken.append(time.perf_counter() - began)
            statuses[status] = statuses.get(status, 0) + 1
            count += 1

    await asyncio.gather(*(ask_on(each, float("inf"), warm_up) for each in opened))
    taken.clear()
    statuses.clear()
    began = time.perf_counter()
    await asyncio.gather(*(ask_on(each, began + seconds, float("inf")) for each in opened))
    passed = time.perf_counter() - began
    for each in opened:
        each.close()
    return LoadResult(len(taken) / passed, np.array(taken), statuses)

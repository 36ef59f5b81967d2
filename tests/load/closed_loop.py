"""A closed loop: each connection sends its next request when it has its answer.

A general client costs several times what the services' own sockets do, and on the same two cores it
would measure itself; this one writes bytes and counts answers.
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
class Found:
    """What a closed loop found.

    Attributes
    ----------
    rate : float
        Answers a second.
    seconds : ndarray
        Of each answer, in the order of arrival.
    statuses : dict
        How many answers had each status.
    """

    rate: float
    seconds: np.ndarray
    statuses: dict[int, int]

    def percentile_ms(self, q: float) -> float:
        """Milliseconds within which q per cent of the answers came."""
        return 1e3 * float(np.percentile(self.seconds, q))


class Connection(asyncio.Protocol):
    """One connection that asks and waits."""

    def __init__(self) -> None:
        self.status = 0
        self._answered: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # Not asserted: uvloop's transports are no subclass.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read an answer, or a part of one."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits that nothing will come."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError("closed without an answer"))

    def on_message_complete(self) -> None:
        """Pass on that the answer is whole."""
        self.status = self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        assert self._answered is not None
        self._answered.set_result(None)

    async def request(self, request: bytes) -> int:
        """Send a request; the status of its answer."""
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._answered
        return self.status

    def close(self) -> None:
        """Close it."""
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
) -> Found:
    """Send requests in turn over some connections for some seconds.

    Parameters
    ----------
    port : int
        On this machine.
    requests : sequence of bytes
        Sent one after another, over again.
    connections : int
        At once.
    seconds : float
        How long.
    warm_up : int
        Requests over each connection before the clock starts.
    """
    return uvloop.run(_run(port, requests, connections, seconds, warm_up))


async def _run(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, warm_up: int
) -> Found:
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
            status = await connection.request(requests[turn % len(requests)])
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
    return Found(len(taken) / passed, np.array(taken), statuses)

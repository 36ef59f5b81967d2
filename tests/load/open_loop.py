"""Load generators that run beside each other: open loops, and closed loops of several callers."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.load.closed_loop import Connection


@dataclass
class Responses:
    """Responses in the order of arrival.

    Attributes
    ----------
    arrived : list of float
        Time of each response, of a monotonic clock.
    seconds : list of float
        From the time at which the request was due.
    statuses : list of int
        0 where the connection failed.
    """

    arrived: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def add(self, due: float, status: int) -> None:
        """Add a response that arrived now."""
        now = time.perf_counter()
        self.arrived.append(now)
        self.seconds.append(now - due)
        self.statuses.append(status)

    def latencies(self, *, accepted: bool) -> np.ndarray:
        """Return the latencies of accepted or of refused requests, in seconds."""
        status = np.array(self.statuses)
        found: np.ndarray = np.array(self.seconds)[(status == 200) == accepted]
        return found

    def count(self) -> dict[int, int]:
        """Return the number of responses by status."""
        values, counts = np.unique(self.statuses, return_counts=True)
        return {int(v): int(n) for v, n in zip(values, counts, strict=True)}


class Pool:
    """Connections to one port, opened as they are needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Connection] = []

    async def send_one(self, request: bytes) -> int:
        """Send a request over an idle connection and return the status, 0 if it failed."""
        try:
            connection = self._idle.pop() if self._idle else await self._open()
            status = await connection.ask(request)
        except (OSError, RuntimeError):  # uvloop raises the latter on a closed connection
            return 0
        self._idle.append(connection)
        return status

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle:
            connection.close()

    async def _open(self) -> Connection:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Connection, "127.0.0.1", self._port))[1]


async def open_loop(port: int, requests: Sequence[bytes], rate: float, seconds: float) -> Responses:
    """Send requests at random times, as many per second on average, whatever the responses."""
    rng = np.random.default_rng(20261130)
    responses, pool = Responses(), Pool(port)
    begin = time.perf_counter()

    async def send_one(due: float, k: int) -> None:
        responses.add(due, await pool.send_one(requests[k % len(requests)]))

    pending: set[asyncio.Task[None]] = set()
    due, k = begin, 0
    while (due := due + rng.exponential(1.0 / rate)) < begin + seconds:
        if (wait := due - time.perf_counter()) > 0.0:
            await asyncio.sleep(wait)
        pending.add(task := asyncio.create_task(send_one(due, k)))
        task.add_done_callback(pending.discard)
        k += 1
    await asyncio.gather(*pending)
    pool.close()
    return responses


async def closed_loop(
    port: int, requests: Sequence[bytes], connections: int, seconds: float, pause: float = 0.0
) -> Responses:
    """Send requests over several connections, each after the previous response and a pause."""
    responses, pool = Responses(), Pool(port)
    end = time.perf_counter() + seconds

    async def send_on(first: int) -> None:
        k = first
        while time.perf_counter() < end:
            due = time.perf_counter()
            responses.add(due, await pool.send_one(requests[k % len(requests)]))
            k += connections
            if pause:
                await asyncio.sleep(pause)

    await asyncio.gather(*(send_on(k) for k in range(connections)))
    pool.close()
    return responses

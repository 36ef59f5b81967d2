"""Neighbours: the services behind the gateway, and how they are spoken to."""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp
import structlog

from levy_gateway.circuit_breaker import CircuitBreaker, Outcome, State
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.settings import GatewaySettings
from levy_schemas.headers import DEADLINE_SECONDS, REQUEST_ID, RETRY_AFTER
from levy_schemas.problems import MEDIA_TYPE
from levy_service import request_id
from levy_service.work import DeadlineError

_IDLE_SECONDS: Final = 30.0
_JSON: Final = "application/json"
_log = structlog.get_logger()


@dataclass(frozen=True)
class Reply:
    """What a neighbour answered."""

    status: int
    media_type: str
    body: bytes
    retry_after: str | None = None


class NeighbourUnavailableError(Exception):
    """A neighbour cannot be reached, or is given a rest after it failed."""

    code = "neighbour-unavailable"

    def __init__(self, neighbour: str, retry_after_seconds: int) -> None:
        self.message = f"The {neighbour} service cannot be reached."
        self.details: dict[str, object] = {"neighbour": neighbour}
        self.retry_after_seconds = retry_after_seconds
        super().__init__(self.message)


class NeighbourFailedError(Exception):
    """A neighbour answered with something that is no answer."""

    code = "neighbour-failed"

    def __init__(self, neighbour: str) -> None:
        self.message = f"The {neighbour} service gave no proper answer."
        self.details: dict[str, object] = {"neighbour": neighbour}
        super().__init__(self.message)


class Neighbour(Protocol):
    """A service that can be asked."""

    name: str

    async def ask(
        self, method: str, path: str, *, seconds: float, body: bytes | None = None
    ) -> Reply:
        """Send one request and wait for its answer.

        Parameters
        ----------
        method, path : str
            As in HTTP.
        seconds : float
            The longest to wait; the neighbour is told.
        body : bytes, optional
            JSON.

        Raises
        ------
        NeighbourUnavailableError, NeighbourFailedError, DeadlineError
            There is no answer.
        """

    async def close(self) -> None:
        """Give connections back."""


class HttpNeighbour:
    """A neighbour behind HTTP, with a circuit breaker before it.

    Of several instances the least busy is asked. Workers behind one port would not do as well: a
    connection stays with the worker that took it, however busy that one is.

    A request that a connection lost before any answer is sent once more: services compute, so
    asking twice changes nothing. It happens when a worker is replaced.

    Parameters
    ----------
    name : str
        In messages and metrics.
    addresses : str
        Where its instances are, separated by commas.
    patience_seconds : float
        What it may take. A caller that gave it less, in vain, says nothing about it.
    settings : GatewaySettings
        Limits of the pool, and of the breaker.
    metrics : GatewayMetrics
        Where hops and states are counted.
    """

    def __init__(
        self,
        name: str,
        addresses: str,
        patience_seconds: float,
        settings: GatewaySettings,
        metrics: GatewayMetrics,
    ) -> None:
        self.name = name
        self._busy = {address.strip().rstrip("/"): 0 for address in addresses.split(",")}
        self._patience_seconds = patience_seconds
        self._settings = settings
        self._metrics = metrics
        self._session: aiohttp.ClientSession | None = None
        self._retry_after_seconds = math.ceil(settings.breaker_open_seconds)
        self._breaker = CircuitBreaker(
            settings.breaker_failures, settings.breaker_open_seconds, on_change=self._show
        )
        metrics.breaker(name, self._breaker.state)

    async def ask(
        self, method: str, path: str, *, seconds: float, body: bytes | None = None
    ) -> Reply:
        if not self._breaker.admits():
            self._metrics.hop(self.name, "refused", 0.0)
            wait = max(1, math.ceil(self._breaker.seconds_left()))
            raise NeighbourUnavailableError(self.name, wait)
        started = time.perf_counter()
        said = "cancelled"
        outcome: Outcome = "undecided"
        try:
            async with asyncio.timeout(seconds):
                reply = await self._exchange(method, path, seconds, body)
            said, outcome = "answered", "succeeded"
        except NeighbourFailedError:
            said, outcome = "failed", "failed"
            raise
        except aiohttp.ClientError as error:  # before TimeoutError: some are both
            said, outcome = "unavailable", "failed"
            raise NeighbourUnavailableError(self.name, self._retry_after_seconds) from error
        except TimeoutError as error:
            said = "deadline"
            outcome = "failed" if seconds >= self._patience_seconds else "undecided"
            raise DeadlineError(seconds) from error
        finally:
            self._breaker.record(outcome)
            self._metrics.hop(self.name, said, time.perf_counter() - started)
        return reply

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, method: str, path: str, seconds: float, body: bytes | None) -> Reply:
        address = min(self._busy, key=self._busy.__getitem__)
        try:
            return await self._send(address, method, path, seconds, body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            others = [other for other in self._busy if other != address]
            if isinstance(error, aiohttp.ClientConnectorError) and not others:
                raise
            again = min(others or [address], key=self._busy.__getitem__)
            return await self._send(again, method, path, seconds, body)

    async def _send(
        self, address: str, method: str, path: str, seconds: float, body: bytes | None
    ) -> Reply:
        headers = {DEADLINE_SECONDS: f"{seconds:.3f}", REQUEST_ID: request_id.current()}
        if body is not None:
            headers["Content-Type"] = _JSON
        self._busy[address] += 1
        try:
            async with self._opened().request(
                method, address + path, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await response.read()
        finally:
            self._busy[address] -= 1
        return reply_of(self.name, response.status, response.headers, content)

    def _opened(self) -> aiohttp.ClientSession:
        """Open the pool of connections, within the loop that will use it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._settings.max_connections, keepalive_timeout=_IDLE_SECONDS
                ),
                # The whole exchange is bounded by the deadline; a connection fails sooner.
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=self._settings.connect_seconds
                ),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
                trust_env=False,
            )
        return self._session

    def _show(self, state: State, former: State) -> None:
        self._metrics.breaker(self.name, state)
        if state == "open" and former == "closed":
            _log.warning("neighbour.away", neighbour=self.name)
        elif state == "closed":
            _log.info("neighbour.back", neighbour=self.name)


def reply_of(neighbour: str, status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Read what a neighbour answered.

    Raises
    ------
    NeighbourFailedError
        It is neither JSON nor a problem document.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip()
    expected = _JSON if status < 400 else MEDIA_TYPE
    # Readiness answers 503 with a report, which is no problem document.
    if media_type not in (expected, _JSON):
        raise NeighbourFailedError(neighbour)
    return Reply(status, media_type, body, headers.get(RETRY_AFTER.lower()))

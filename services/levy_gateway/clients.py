"""HTTP clients of the upstream services."""

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
from levy_schemas.headers import CALLER, DEADLINE_SECONDS, REQUEST_ID, RETRY_AFTER
from levy_schemas.problems import MEDIA_TYPE
from levy_service import caller, request_id
from levy_service.problems import ProblemError
from levy_service.work import DeadlineError

_IDLE_SECONDS: Final = 30.0
_AMPLE_SHARE: Final = 0.9
"""Share of a service's time limit that a request may have lost in the queue and still be a test of
the service."""
_JSON: Final = "application/json"
_log = structlog.get_logger()


@dataclass(frozen=True)
class Reply:
    """An upstream service's response."""

    status: int
    media_type: str
    body: bytes
    retry_after: str | None = None


class UpstreamError(ProblemError):
    """An upstream service returned an invalid response."""

    code = "upstream-error"

    def __init__(self, upstream: str, message: str = "") -> None:
        message = message or f"The {upstream} service returned an invalid response. Retry later."
        # Problems had the member `neighbour`; deprecated.
        super().__init__(message, upstream=upstream, neighbour=upstream)


class UpstreamUnavailableError(UpstreamError):
    """An upstream service is unreachable, or its circuit is open."""

    code = "upstream-unavailable"

    def __init__(self, upstream: str, retry_after_seconds: int) -> None:
        super().__init__(upstream, f"The {upstream} service is unavailable. Retry later.")
        self.retry_after_seconds = retry_after_seconds


class Upstream(Protocol):
    """A service behind the gateway."""

    name: str

    async def request(
        self, method: str, path: str, *, seconds: float, body: bytes | None = None
    ) -> Reply:
        """Send one request and return its response.

        Parameters
        ----------
        method, path : str
        seconds : float
            Time limit, also sent to the service as its deadline.
        body : bytes, optional
            JSON.

        Raises
        ------
        UpstreamUnavailableError, UpstreamError, DeadlineError
        """

    async def close(self) -> None:
        """Close the connections."""


class UpstreamClient:
    """An HTTP client of one service, with a circuit breaker and a connection pool.

    Of several instances, the one with the fewest requests in flight is used. Workers behind one
    port would balance worse: a connection stays with the worker that accepted it, busy or not.

    A request whose connection was lost before a response, as when a worker is replaced, is sent
    once more: the services compute, so that repeating a request changes nothing.

    Parameters
    ----------
    name : str
        Name of the service in messages and metrics.
    addresses : str
        Base URLs of its instances, separated by commas.
    timeout_seconds : float
        The service's time limit. Only a request with nearly as much time counts as a failure of
        the service when it times out.
    settings : GatewaySettings
        Limits of the pool and of the circuit breaker.
    metrics : GatewayMetrics
    label : str, optional
        Name of the service in metrics, where it has several clients.
    """

    def __init__(
        self,
        name: str,
        addresses: str,
        timeout_seconds: float,
        settings: GatewaySettings,
        metrics: GatewayMetrics,
        label: str = "",
    ) -> None:
        self.name = name
        self._label = label or name
        self._in_flight = {address.strip().rstrip("/"): 0 for address in addresses.split(",")}
        self._timeout_seconds = timeout_seconds
        self._settings = settings
        self._metrics = metrics
        self._session: aiohttp.ClientSession | None = None
        self._retry_after_seconds = math.ceil(settings.breaker_open_seconds)
        self._breaker = CircuitBreaker(
            settings.breaker_failures, settings.breaker_open_seconds, on_change=self._on_state
        )
        metrics.set_breaker_state(self._label, self._breaker.state)

    async def request(
        self, method: str, path: str, *, seconds: float, body: bytes | None = None
    ) -> Reply:
        if not self._breaker.allows():
            self._metrics.observe_upstream(self._label, "refused", 0.0)
            wait = max(1, math.ceil(self._breaker.seconds_left()))
            raise UpstreamUnavailableError(self.name, wait)
        started = time.perf_counter()
        label = "cancelled"
        outcome: Outcome = "undecided"
        try:
            async with asyncio.timeout(seconds):
                reply = await self._exchange(method, path, seconds, body)
            label, outcome = "answered", "succeeded"
        except UpstreamError:
            label, outcome = "failed", "failed"
            raise
        except aiohttp.ClientError as error:  # before TimeoutError: some are both
            label, outcome = "unavailable", "failed"
            raise UpstreamUnavailableError(self.name, self._retry_after_seconds) from error
        except TimeoutError as error:
            label = "deadline"
            had_time = seconds >= _AMPLE_SHARE * self._timeout_seconds
            outcome = "failed" if had_time else "undecided"
            raise DeadlineError(seconds) from error
        finally:
            self._breaker.record(outcome)
            self._metrics.observe_upstream(self._label, label, time.perf_counter() - started)
        return reply

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, method: str, path: str, seconds: float, body: bytes | None) -> Reply:
        address = min(self._in_flight, key=self._in_flight.__getitem__)
        try:
            return await self._send(address, method, path, seconds, body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            others = [other for other in self._in_flight if other != address]
            if isinstance(error, aiohttp.ClientConnectorError) and not others:
                raise
            address = min(others or [address], key=self._in_flight.__getitem__)
            return await self._send(address, method, path, seconds, body)

    async def _send(
        self, address: str, method: str, path: str, seconds: float, body: bytes | None
    ) -> Reply:
        headers = {DEADLINE_SECONDS: f"{seconds:.3f}", REQUEST_ID: request_id.current()}
        if name := caller.accept(caller.current()):
            headers[CALLER] = name
        if body is not None:
            headers["Content-Type"] = _JSON
        self._in_flight[address] += 1
        try:
            async with self._pool().request(
                method, address + path, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await response.read()
        finally:
            self._in_flight[address] -= 1
        return parse_reply(self.name, response.status, response.headers, content)

    def _pool(self) -> aiohttp.ClientSession:
        """Return the connection pool, created in the event loop that uses it."""
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

    def _on_state(self, state: State, previous: State) -> None:
        self._metrics.set_breaker_state(self._label, state)
        if state == "open" and previous == "closed":
            _log.warning("upstream.unavailable", upstream=self._label)
        elif state == "closed":
            _log.info("upstream.recovered", upstream=self._label)


def parse_reply(upstream: str, status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Return a response whose media type is that of a result or a problem.

    Raises
    ------
    UpstreamError
        The body is neither JSON nor a problem document.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip()
    expected = _JSON if status < 400 else MEDIA_TYPE
    # A 503 from /health/ready has a JSON report, which is not a problem document.
    if media_type not in (expected, _JSON):
        raise UpstreamError(upstream)
    return Reply(status, media_type, body, headers.get(RETRY_AFTER.lower()))

"""Neighbours: the services behind the gateway, and how they are spoken to."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final, Protocol

import httpx

from levy_gateway.metrics import GatewayMetrics
from levy_gateway.settings import GatewaySettings
from levy_observability import request_id
from levy_observability.work import DeadlineError
from levy_schemas.headers import DEADLINE_SECONDS, REQUEST_ID
from levy_schemas.problems import MEDIA_TYPE

_IDLE_SECONDS: Final = 30.0
_JSON: Final = "application/json"


@dataclass(frozen=True)
class Reply:
    """What a neighbour answered."""

    status: int
    media_type: str
    body: bytes
    retry_after: str | None = None


class NeighbourUnavailableError(Exception):
    """A neighbour cannot be reached."""

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
    """A neighbour behind HTTP.

    Parameters
    ----------
    name : str
        In messages and metrics.
    client : httpx.AsyncClient
        With the base URL set.
    metrics : GatewayMetrics
        Where hops are counted.
    retry_after_seconds : int
        What a client is told when the neighbour is away.
    """

    def __init__(
        self,
        name: str,
        client: httpx.AsyncClient,
        metrics: GatewayMetrics,
        retry_after_seconds: int,
    ) -> None:
        self.name = name
        self._client = client
        self._metrics = metrics
        self._retry_after_seconds = retry_after_seconds

    async def ask(
        self, method: str, path: str, *, seconds: float, body: bytes | None = None
    ) -> Reply:
        started = time.perf_counter()
        outcome = "failed"
        try:
            async with asyncio.timeout(seconds):
                response = await self._client.request(
                    method, path, content=body, headers=self._headers(seconds, body)
                )
            reply = self._read(response)
            outcome = "answered"
        except TimeoutError as error:
            outcome = "deadline"
            raise DeadlineError(seconds) from error
        except httpx.TransportError as error:
            outcome = "unavailable"
            raise NeighbourUnavailableError(self.name, self._retry_after_seconds) from error
        finally:
            self._metrics.hop(self.name, outcome, time.perf_counter() - started)
        return reply

    async def close(self) -> None:
        await self._client.aclose()

    @staticmethod
    def _headers(seconds: float, body: bytes | None) -> dict[str, str]:
        headers = {DEADLINE_SECONDS: f"{seconds:.3f}", REQUEST_ID: request_id.current()}
        if body is not None:
            headers["Content-Type"] = _JSON
        return headers

    def _read(self, response: httpx.Response) -> Reply:
        media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        expected = _JSON if response.status_code < 400 else MEDIA_TYPE
        # Readiness answers 503 with a report, which is no problem document.
        if media_type not in (expected, _JSON):
            raise NeighbourFailedError(self.name)
        retry_after = response.headers.get("retry-after")
        return Reply(response.status_code, media_type, response.content, retry_after)


def connect(
    name: str,
    base_url: str,
    settings: GatewaySettings,
    metrics: GatewayMetrics,
    transport: httpx.AsyncBaseTransport | None = None,
) -> HttpNeighbour:
    """Open a pool of connections to a neighbour; the first request connects.

    Parameters
    ----------
    name, base_url : str
        What it is called, and where it is.
    settings : GatewaySettings
        Limits of the pool.
    metrics : GatewayMetrics
        Where hops are counted.
    transport : httpx.AsyncBaseTransport, optional
        Instead of a network.
    """
    limits = httpx.Limits(
        max_connections=settings.max_connections,
        max_keepalive_connections=settings.max_connections,
        keepalive_expiry=_IDLE_SECONDS,
    )
    client = httpx.AsyncClient(
        base_url=base_url,
        # The whole exchange is bounded by the deadline; a connection fails sooner.
        timeout=httpx.Timeout(None, connect=settings.connect_seconds),
        transport=transport or httpx.AsyncHTTPTransport(limits=limits, retries=1),
        trust_env=False,
    )
    return HttpNeighbour(name, client, metrics, settings.retry_after_seconds)

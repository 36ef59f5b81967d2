"""Redis as an optional dependency: without it there is no result cache and no rate limit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from levy_gateway.circuit_breaker import CircuitBreaker, Outcome, State
from levy_gateway.metrics import GatewayMetrics

_OPEN_SECONDS: Final = 1.0
"""Time without requests to Redis after a failure."""

_Result = TypeVar("_Result")
_log = structlog.get_logger()


class OptionalRedis:
    """A Redis client whose operations may fail without failing the request.

    No request waits longer than `seconds`, and during an outage only one request in
    `_OPEN_SECONDS` waits at all. The start and the end of an outage are logged once, and each
    failed operation is counted.

    Parameters
    ----------
    url : str
        `redis://host:port/0`, or `unix:///path/of/a/socket`.
    seconds : float
        Time limit of an operation.
    metrics : GatewayMetrics
    """

    def __init__(self, url: str, seconds: float, metrics: GatewayMetrics) -> None:
        self.url = url
        self.pool: ConnectionPool = ConnectionPool.from_url(
            url,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            # One retry, for a connection that Redis closed while it was idle.
            retry=Retry(NoBackoff(), 1),
        )
        self.client = Redis(connection_pool=self.pool)
        self._seconds = seconds
        self._metrics = metrics
        self._breaker = CircuitBreaker(1, _OPEN_SECONDS, on_change=_log_outage)

    async def attempt(self, purpose: str, work: Callable[[], Awaitable[_Result]]) -> _Result | None:
        """Return the result of an operation, or None if Redis is unavailable.

        Parameters
        ----------
        purpose : str
            Label of the metric that counts failures.
        work : callable
            Starts the operation.
        """
        if not self._breaker.allows():
            self._metrics.redis_failures.labels(purpose).inc()
            return None
        outcome: Outcome = "undecided"
        try:
            async with asyncio.timeout(self._seconds):
                result = await work()
            outcome = "succeeded"
        except (RedisError, OSError):
            outcome = "failed"
            self._metrics.redis_failures.labels(purpose).inc()
            return None
        finally:
            self._breaker.record(outcome)
        return result

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
        await self.pool.disconnect()


def _log_outage(state: State, previous: State) -> None:
    # A failed probe (half-open to open) belongs to the same outage.
    if state == "open" and previous == "closed":
        _log.warning("redis.unavailable", consequence="no result cache and no rate limits")
    elif state == "closed":
        _log.info("redis.recovered")

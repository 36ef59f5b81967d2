"""Redis, and what happens without it: the gateway answers, without limits and without a cache."""

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

_REST_SECONDS: Final = 1.0
"""How long Redis is left alone after a failure."""

_Result = TypeVar("_Result")
_log = structlog.get_logger()


class Store:
    """Redis as something that may be away.

    No request waits longer than `seconds` for it, and while it is away only one request in
    `_REST_SECONDS` waits at all. An outage is logged once when it begins and once when it ends,
    and each request that went without is counted.

    Parameters
    ----------
    url : str
        `redis://host:port/0`, or `unix:///path/of/a/socket`.
    seconds : float
        The longest that a request waits.
    metrics : GatewayMetrics
        Where failures are counted.
    """

    def __init__(self, url: str, seconds: float, metrics: GatewayMetrics) -> None:
        self.url = url
        self.pool: ConnectionPool = ConnectionPool.from_url(
            url,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            # Once anew, for a connection that Redis closed while it was idle.
            retry=Retry(NoBackoff(), 1),
        )
        self.redis = Redis(connection_pool=self.pool)
        self._seconds = seconds
        self._metrics = metrics
        self._breaker = CircuitBreaker(1, _REST_SECONDS, on_change=_tell)

    async def attempt(self, purpose: str, work: Callable[[], Awaitable[_Result]]) -> _Result | None:
        """Do something with Redis; None if it cannot be done now.

        Parameters
        ----------
        purpose : str
            What the answer lacks without it, for the metrics.
        work : callable
            What to do.
        """
        if not self._breaker.admits():
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
        """Give the connections back."""
        await self.redis.aclose()
        await self.pool.disconnect()


def _tell(state: State, former: State) -> None:
    # A try that failed is the same outage still.
    if state == "open" and former == "closed":
        _log.warning("redis.away", consequence="answers come without cache and rate limits")
    elif state == "closed":
        _log.info("redis.back")

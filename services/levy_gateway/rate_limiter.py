"""Rate limits."""

import math
import time

from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from levy_gateway.metrics import GatewayMetrics
from levy_gateway.optional_redis import OptionalRedis
from levy_service.problems import ProblemError


class RateLimitedError(ProblemError):
    """The caller's requests are above its rate limit."""

    code = "rate-limited"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Rate limit exceeded. Retry in {seconds} s.")
        self.retry_after_seconds = seconds


class RateLimiter:
    """Limit each caller's requests in a moving window, shared by all workers through Redis.

    Parameters
    ----------
    limit : RateLimitItem
        Number of requests and length of the window.
    redis : OptionalRedis
        While it is unavailable, no caller is limited.
    metrics : GatewayMetrics
        Counts refusals.
    """

    def __init__(self, limit: RateLimitItem, redis: OptionalRedis, metrics: GatewayMetrics) -> None:
        self._limit = limit
        self._redis = redis
        self._metrics = metrics
        storage = RedisStorage(
            # The library's own scheme for a socket; the connections are those of `redis`.
            f"async+{redis.url.replace('unix:', 'redis+unix:', 1)}",
            implementation="redispy",
            # Any keyword of the client is accepted, but not declared.
            connection_pool=redis.pool,  # type: ignore[arg-type]
        )
        self._limiter = MovingWindowRateLimiter(storage)

    async def require(self, caller: str, cost: int = 1) -> None:
        """Count a request that costs as much as `cost` requests.

        A cost above the limit counts as the whole limit, so that a single request of any size is
        possible.

        Raises
        ------
        RateLimitedError
            The caller must wait.
        """
        seconds = await self._redis.attempt("limits", lambda: self._count(caller, cost))
        if seconds:
            self._metrics.count_refusal("rate-limited")
            raise RateLimitedError(seconds)

    async def _count(self, caller: str, cost: int) -> int:
        """Return the seconds until the caller may retry, 0 if the request is allowed."""
        if await self._limiter.hit(self._limit, caller, cost=min(cost, self._limit.amount)):
            return 0
        window = await self._limiter.get_window_stats(self._limit, caller)
        return max(1, math.ceil(window.reset_time - time.time()))

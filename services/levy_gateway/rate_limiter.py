"""Rate limits."""

import math
import time

from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from levy_gateway.optional_redis import OptionalRedis


class RateLimiter:
    """Limit each caller's requests in a moving window, shared by all workers through Redis.

    Parameters
    ----------
    limit : RateLimitItem
        Number of requests and length of the window.
    redis : OptionalRedis
        While it is unavailable, no caller is limited.
    """

    def __init__(self, limit: RateLimitItem, redis: OptionalRedis) -> None:
        self._limit = limit
        self._redis = redis
        storage = RedisStorage(
            # The library's own scheme for a socket; the connections are those of `redis`.
            f"async+{redis.url.replace('unix:', 'redis+unix:', 1)}",
            implementation="redispy",
            # Any keyword of the client is accepted, but not declared.
            connection_pool=redis.pool,  # type: ignore[arg-type]
        )
        self._limiter = MovingWindowRateLimiter(storage)

    async def seconds_to_wait(self, caller: str) -> int:
        """Count a request; return the seconds until the caller may retry, 0 if it is allowed."""
        return await self._redis.attempt("limits", lambda: self._count(caller)) or 0

    async def _count(self, caller: str) -> int:
        if await self._limiter.hit(self._limit, caller):
            return 0
        window = await self._limiter.get_window_stats(self._limit, caller)
        return max(1, math.ceil(window.reset_time - time.time()))

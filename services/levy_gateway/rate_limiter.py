"""Rate limits: how often one caller may ask."""

import math
import time

from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from levy_gateway.optional_redis import Store


class Rates:
    """Counts each caller's requests in a moving window, kept in Redis for all workers.

    Parameters
    ----------
    limit : RateLimitItem
        How many, in how long.
    store : Store
        Where they are counted; while it is away nobody is limited.
    """

    def __init__(self, limit: RateLimitItem, store: Store) -> None:
        self._limit = limit
        self._store = store
        storage = RedisStorage(
            # Its own name for a socket; the connections are those of the store.
            f"async+{store.url.replace('unix:', 'redis+unix:', 1)}",
            implementation="redispy",
            # It takes whatever its client takes, and is typed for less.
            connection_pool=store.pool,  # type: ignore[arg-type]
        )
        self._limiter = MovingWindowRateLimiter(storage)

    async def seconds_to_wait(self, caller: str) -> int:
        """Count one request of a caller; 0 if it may be answered, else when to come back."""
        return await self._store.attempt("limits", lambda: self._count(caller)) or 0

    async def _count(self, caller: str) -> int:
        if await self._limiter.hit(self._limit, caller):
            return 0
        window = await self._limiter.get_window_stats(self._limit, caller)
        return max(1, math.ceil(window.reset_time - time.time()))

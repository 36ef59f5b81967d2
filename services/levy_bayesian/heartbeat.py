"""The heartbeat by which the gateway counts workers."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from levy_bayesian.engines import installed
from levy_schemas.jobs import ENGINES_KEY, HEARTBEAT_TIMEOUT_SECONDS, WORKERS_KEY

_PERIOD_SECONDS: Final = HEARTBEAT_TIMEOUT_SECONDS / 5
_log = structlog.get_logger()


class Heartbeat:
    """Report every few seconds that this worker is alive, and which engines it has.

    Parameters
    ----------
    url : str
        URL of Redis.
    name : str
        Name of this worker.
    consuming : threading.Event
        Set while the worker takes jobs; there is no heartbeat before.

    Attributes
    ----------
    received : bool
        Whether Redis accepted the last one.
    """

    def __init__(self, url: str, name: str, consuming: threading.Event) -> None:
        self.received = False
        self._consuming = consuming
        self._url = url
        self._name = name
        self._engines = installed()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send heartbeats while the body runs, and sign off at its end."""
        async with Redis.from_url(
            self._url, socket_timeout=_PERIOD_SECONDS, socket_connect_timeout=_PERIOD_SECONDS
        ) as redis:
            stopped = asyncio.Event()
            beating = asyncio.create_task(self._run(redis, stopped))
            try:
                yield
            finally:
                # Not cancelled: the Redis client may treat that as a failure, and go on.
                stopped.set()
                await beating
                await self._sign_off(redis)

    async def _run(self, redis: Redis, stopped: asyncio.Event) -> None:
        while not self._consuming.is_set() and not stopped.is_set():
            await asyncio.sleep(_PERIOD_SECONDS / 100)
        while not stopped.is_set():
            try:
                await self._beat(redis)
                self.received = True
            except (RedisError, OSError) as error:
                if self.received:
                    _log.warning("redis.unavailable", reason=str(error))
                self.received = False
            pause = _PERIOD_SECONDS if self.received else _PERIOD_SECONDS / 10
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), pause)

    async def _beat(self, redis: Redis) -> None:
        now, _ = await redis.time()
        await redis.zadd(WORKERS_KEY, {self._name: now})
        await redis.zadd(ENGINES_KEY, dict.fromkeys(self._engines, now))
        await redis.zremrangebyscore(WORKERS_KEY, "-inf", now - HEARTBEAT_TIMEOUT_SECONDS)

    async def _sign_off(self, redis: Redis) -> None:
        try:
            await redis.zrem(WORKERS_KEY, self._name)
        except (RedisError, OSError) as error:
            _log.warning("redis.unavailable", reason=str(error))

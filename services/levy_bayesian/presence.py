"""Letting the gateway hear that a worker is there."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from levy_schemas.jobs import HEARD_SECONDS, WORKERS_KEY

_PAUSE_SECONDS: Final = HEARD_SECONDS / 5
_TELL: Final = """
local now = redis.call('TIME')[1]
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
_log = structlog.get_logger()


class Presence:
    """Tells every few seconds that this worker lives.

    Parameters
    ----------
    url : str
        Of Redis.
    name : str
        Of this worker.
    consuming : threading.Event
        Set while the worker takes jobs; nothing is told before.
    """

    def __init__(self, url: str, name: str, consuming: threading.Event) -> None:
        self.heard = False
        self._consuming = consuming
        self._url = url
        self._name = name

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Go on telling until the end, and then take leave."""
        patience = _PAUSE_SECONDS
        async with Redis.from_url(
            self._url, socket_timeout=patience, socket_connect_timeout=patience
        ) as redis:
            stopped = asyncio.Event()
            telling = asyncio.create_task(self._tell(redis, stopped))
            try:
                yield
            finally:
                # Not cancelled: the client of Redis may take that for a failure, and go on.
                stopped.set()
                await telling
                await self._take_leave(redis)

    async def _tell(self, redis: Redis, stopped: asyncio.Event) -> None:
        while not self._consuming.is_set() and not stopped.is_set():
            await asyncio.sleep(_PAUSE_SECONDS / 100)
        tell = redis.register_script(_TELL)
        while not stopped.is_set():
            try:
                await tell([WORKERS_KEY], [self._name, HEARD_SECONDS])
                self.heard = True
            except (RedisError, OSError) as error:
                if self.heard:
                    _log.warning("redis.away", reason=str(error))
                self.heard = False
            pause = _PAUSE_SECONDS if self.heard else _PAUSE_SECONDS / 10
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), pause)

    async def _take_leave(self, redis: Redis) -> None:
        try:
            await redis.zrem(WORKERS_KEY, self._name)
        except (RedisError, OSError) as error:
            _log.warning("redis.away", reason=str(error))

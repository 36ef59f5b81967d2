"""Result cache in Redis, keyed by the canonical form of a request."""

from hashlib import sha256
from typing import Any

import orjson
from pydantic import BaseModel

from levy_gateway.optional_redis import OptionalRedis
from levy_service import request_id


class ResultCache:
    """Store results for a limited time; without Redis every lookup is a miss.

    Parameters
    ----------
    redis : OptionalRedis
    seconds : int
        Lifetime of an entry.
    """

    def __init__(self, redis: OptionalRedis, seconds: int) -> None:
        self._redis = redis
        self._seconds = seconds

    async def get(self, key: str) -> bytes | None:
        """Return the cached result of a key, with the id of the current request, or None."""
        cached = await self._redis.attempt("cache", lambda: self._redis.client.get(key))
        if cached is None:
            return None
        return orjson.dumps(orjson.loads(cached) | {"request_id": request_id.current()})

    async def put(self, key: str, body: bytes) -> bool:
        """Store a result unless it is degraded; return whether it is stored."""
        result = orjson.loads(body)
        if result.get("degraded", False):
            return False
        entry = orjson.dumps({name: v for name, v in result.items() if name != "request_id"})
        stored = await self._redis.attempt(
            "cache", lambda: self._redis.client.set(key, entry, ex=self._seconds)
        )
        return bool(stored)


def cache_key(path: str, request: BaseModel, version: str, holder: str = "") -> str:
    """Return the key of a request, a digest of its canonical content.

    The order of members, the format of numbers (100, 100.0, 1e2) and explicit defaults do not
    matter. The order of quotes does: the result's JSON pointers refer to it.

    Parameters
    ----------
    path : str
        Path of the endpoint.
    request : BaseModel
        The validated request.
    version : str
        Version of the upstream service; a new network invalidates earlier results.
    holder : str
        Name of the API key's holder, who shares results with no other; empty without keys.
    """
    content: dict[str, Any] = request.model_dump(exclude_none=True)
    canonical = orjson.dumps([path, version, holder, content], option=orjson.OPT_SORT_KEYS)
    return f"levy:result:{sha256(canonical).hexdigest()}"

"""Results kept in Redis, found again by what was asked."""

from hashlib import sha256
from typing import Any

import orjson
from pydantic import BaseModel

from levy_gateway.optional_redis import Store
from levy_service import request_id


class ResultCache:
    """Keeps answers for a while.

    Parameters
    ----------
    store : Store
        Where they are kept; while it is away nothing is found and nothing is kept.
    seconds : int
        How long.
    """

    def __init__(self, store: Store, seconds: int) -> None:
        self._store = store
        self._seconds = seconds

    async def find(self, key: str) -> bytes | None:
        """Return an answer kept under a key, with the id of the request that it now answers."""
        found = await self._store.attempt("cache", lambda: self._store.redis.get(key))
        if found is None:
            return None
        return orjson.dumps(orjson.loads(found) | {"request_id": request_id.current()})

    async def keep(self, key: str, body: bytes) -> bool:
        """Keep an answer, unless it is less than what was asked; whether it is now kept."""
        result = orjson.loads(body)
        if result.get("degraded", False):
            return False
        kept = orjson.dumps({name: v for name, v in result.items() if name != "request_id"})
        done = await self._store.attempt(
            "cache", lambda: self._store.redis.set(key, kept, ex=self._seconds)
        )
        return bool(done)


def key_of(path: str, asked: BaseModel, version: str) -> str:
    """Name what was asked, however it was written.

    Two requests that differ in the order of members, in the form of numbers (100, 100.0, 1e2), or
    in that one spells out a default, mean the same. The order of quotes is kept: pointers in the
    answer count by it.

    Parameters
    ----------
    path : str
        Who was asked.
    asked : BaseModel
        The request, checked.
    version : str
        Of whoever answers: a new network makes old answers unknown.
    """
    meaning: dict[str, Any] = asked.model_dump(exclude_none=True)
    canonical = orjson.dumps([path, version, meaning], option=orjson.OPT_SORT_KEYS)
    return f"levy:result:{sha256(canonical).hexdigest()}"

"""Answering what was answered before."""

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from levy_gateway.cache import ResultCache, key_of
from levy_gateway.clients import Reply
from levy_gateway.handlers.forward import Forward
from levy_gateway.handlers.served_versions import Versions
from levy_gateway.metrics import GatewayMetrics

_JSON: Final = "application/json"


@dataclass(frozen=True)
class Freshness:
    """What a client allows.

    Attributes
    ----------
    may_find : bool
        Whether an answer kept from before will do.
    may_keep : bool
        Whether this answer may be kept for others.
    """

    may_find: bool = True
    may_keep: bool = True


@dataclass(frozen=True)
class Remembered:
    """An answer, and where it came from, in the words of RFC 9211."""

    reply: Reply
    cache_status: str


class Remember:
    """Looks for a result before it asks, and keeps what it is told.

    Parameters
    ----------
    forward : Forward
        Who is asked.
    versions : Versions
        Of whoever answers there; results of other versions are not found.
    cache : ResultCache, optional
        Where results are kept; nothing is if absent.
    metrics : GatewayMetrics
        Where lookups are counted.
    """

    def __init__(
        self,
        forward: Forward,
        versions: Versions,
        cache: ResultCache | None,
        metrics: GatewayMetrics,
    ) -> None:
        self._forward = forward
        self._versions = versions
        self._cache = cache
        self._metrics = metrics
        self.deadline_seconds = forward.deadline_seconds

    async def __call__(
        self, path: str, asked: BaseModel, body: bytes, seconds: float, freshness: Freshness
    ) -> Remembered:
        """Answer from before, or ask now.

        Parameters
        ----------
        path : str
            Of the neighbour.
        asked : BaseModel
            What the body means.
        body : bytes
            As the client sent it.
        seconds : float
            The longest to wait.
        freshness : Freshness
            What the client allows.
        """
        version = None if self._cache is None else await self._versions.current()
        if self._cache is None or version is None:
            return Remembered(await self._forward(path, body, seconds), "levy; fwd=bypass")
        if not (freshness.may_find or freshness.may_keep):
            # To name what was asked costs as much as to check it.
            self._metrics.looked_up(path, "refused")
            return Remembered(await self._forward(path, body, seconds), "levy; fwd=request")
        key = key_of(path, asked, version)
        if freshness.may_find:
            found = await self._cache.find(key)
            self._metrics.looked_up(path, "miss" if found is None else "hit")
            if found is not None:
                return Remembered(Reply(200, _JSON, found), "levy; hit")
        else:
            self._metrics.looked_up(path, "refused")
        reply = await self._forward(path, body, seconds)
        stored = (
            freshness.may_keep and reply.status == 200 and await self._cache.keep(key, reply.body)
        )
        why = "uri-miss" if freshness.may_find else "request"
        return Remembered(reply, f"levy; fwd={why}{'; stored' if stored else ''}")

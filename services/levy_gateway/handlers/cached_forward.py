"""Forward requests through the result cache."""

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from levy_gateway.authentication import is_address
from levy_gateway.cache import ResultCache, cache_key
from levy_gateway.clients import Reply
from levy_gateway.handlers.forward import Forward, Forwardable
from levy_gateway.handlers.served_versions import ServedVersionsPoller
from levy_gateway.metrics import GatewayMetrics

_JSON: Final = "application/json"


@dataclass(frozen=True)
class CachePolicy:
    """A client's `Cache-Control`.

    Attributes
    ----------
    use_cache : bool
        Whether a cached result may be returned.
    store : bool
        Whether the result may be cached.
    """

    use_cache: bool = True
    store: bool = True


@dataclass(frozen=True)
class CachedReply:
    """A response and its `Cache-Status` (RFC 9211)."""

    reply: Reply
    cache_status: str


class CachedForward:
    """Return cached results, and cache those of forwarded requests.

    Parameters
    ----------
    forward : Forward
    versions : ServedVersionsPoller
        Versions of the upstream service, which are part of the cache key.
    cache : ResultCache, optional
        Without it, every request is forwarded.
    metrics : GatewayMetrics
    """

    def __init__(
        self,
        forward: Forward,
        versions: ServedVersionsPoller,
        cache: ResultCache | None,
        metrics: GatewayMetrics,
    ) -> None:
        self._forward = forward
        self._versions = versions
        self._cache = cache
        self._metrics = metrics
        self.deadline_seconds = forward.deadline_seconds

    async def uncached(self, request: Forwardable) -> Reply:
        """Forward a request whose result is not cached."""
        return await self._forward(request)

    async def __call__(
        self, request: Forwardable, content: BaseModel, policy: CachePolicy
    ) -> CachedReply:
        """Return a cached result, or forward the request.

        Parameters
        ----------
        request : Forwardable
        content : BaseModel
            Its validated content.
        policy : CachePolicy
        """
        version = None if self._cache is None else await self._versions.current()
        if self._cache is None or version is None:
            return CachedReply(await self._forward(request), "levy; fwd=bypass")
        if not (policy.use_cache or policy.store):
            # Computing a key costs as much as validation, and is not needed here.
            self._metrics.count_lookup(request.path, "refused")
            return CachedReply(await self._forward(request), "levy; fwd=request")
        # A hit must not reveal that the holder of another key sent the same request.
        holder = "" if is_address(request.caller) else request.caller
        key = cache_key(request.path, content, version, holder)
        if policy.use_cache:
            cached = await self._cache.get(key)
            self._metrics.count_lookup(request.path, "miss" if cached is None else "hit")
            if cached is not None:
                return CachedReply(Reply(200, _JSON, cached), "levy; hit")
        else:
            self._metrics.count_lookup(request.path, "refused")
        reply = await self._forward(request)
        stored = policy.store and reply.status == 200 and await self._cache.put(key, reply.body)
        reason = "uri-miss" if policy.use_cache else "request"
        return CachedReply(reply, f"levy; fwd={reason}{'; stored' if stored else ''}")

"""The `Cache-Control` header of requests."""

from typing import Final

from fastapi import Request

from levy_gateway.handlers.cached_forward import CachePolicy
from levy_schemas.headers import CACHE_CONTROL

_BYPASS: Final = frozenset({"no-cache", "no-store"})

NO_CACHE: Final = CachePolicy(use_cache=False, store=False)


def cache_policy(request: Request) -> CachePolicy:
    """Return the policy of a request: `no-cache` bypasses the cache, `no-store` also its update."""
    header = request.headers.get(CACHE_CONTROL, "").lower()
    directives = {directive.strip() for directive in header.split(",")}
    return CachePolicy(use_cache=directives.isdisjoint(_BYPASS), store="no-store" not in directives)

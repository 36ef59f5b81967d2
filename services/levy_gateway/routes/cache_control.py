"""What a request says besides its body: how long it waits, and whether an older answer will do."""

from typing import Final

from fastapi import Request

from levy_gateway.handlers.cached_forward import Freshness
from levy_schemas.headers import CACHE_CONTROL

_NOT_FOUND_BEFORE: Final = frozenset({"no-cache", "no-store"})

ONCE: Final = Freshness(may_find=False, may_keep=False)
"""Neither looked for nor kept."""


def freshness_of(request: Request) -> Freshness:
    """Read `Cache-Control`: `no-cache` asks anew, `no-store` also leaves nothing behind."""
    said = request.headers.get(CACHE_CONTROL, "").lower()
    directives = {directive.strip() for directive in said.split(",")}
    return Freshness(
        may_find=directives.isdisjoint(_NOT_FOUND_BEFORE), may_keep="no-store" not in directives
    )

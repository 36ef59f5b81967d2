"""Authentication, rate limits and admission, before the body of a request is read."""

from collections.abc import Mapping
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from levy_gateway.fair_queue import FairQueue
from levy_gateway.keys import KeyRing
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.rate_limiter import RateLimiter
from levy_schemas.headers import API_KEY
from levy_service import caller
from levy_service.problems import problem_response
from levy_service.security_headers import NOT_STORED

_OPEN: Final = frozenset({"/", "/docs", "/openapi.json", "/health", "/metrics"})
_OPEN_BELOW: Final = ("/assets/", "/docs/", "/health/", "/problems/")
"""Public paths. Every other path requires a key, so that a new endpoint is never public by
oversight."""


_ADDRESS: Final = "address:"
"""Names of keys contain no colon."""


class AuthMiddleware:
    """Reject requests that lack a valid API key, or exceed the rate limit or the capacity.

    The name of the key's holder is stored in `request.state.caller` and in every log line; the
    key itself is neither stored nor logged.

    Parameters
    ----------
    app : ASGIApp
    keys : KeyRing
        If empty, no key is required and callers are identified by their address.
    limiter : RateLimiter, optional
    queues : mapping
        By path: the queue in which most requests to it wait.
    metrics : GatewayMetrics
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: KeyRing,
        limiter: RateLimiter | None,
        queues: Mapping[str, FairQueue],
        metrics: GatewayMetrics,
    ) -> None:
        self.app = app
        self._keys = keys
        self._limiter = limiter
        self._queues = queues
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        scope[NOT_STORED] = bool(self._keys)
        name = self._caller(scope)
        if name is None:
            await self._reject_key(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = name
        caller.bind(name)
        structlog.contextvars.bind_contextvars(caller=name)
        if self._limiter is not None:
            await self._limiter.require(name)
        if (queue := self._queues.get(scope["path"])) is not None:
            queue.require_room(name)
        await self.app(scope, receive, send)

    def _caller(self, scope: Scope) -> str | None:
        """Return the name of the caller, or None if its key is missing or invalid."""
        if not self._keys:
            client = scope.get("client")
            return f"{_ADDRESS}{client[0] if client else 'unknown'}"
        return self._keys.holder(presented_key(Headers(scope=scope)))

    async def _reject_key(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._metrics.count_refusal("unauthorized")
        response = problem_response(
            "unauthorized",
            f"Missing or invalid API key. Send Authorization: Bearer <key>, or {API_KEY}: <key>.",
            path=scope["path"],
            headers={"WWW-Authenticate": "Bearer"},
        )
        await response(scope, receive, send)


def is_address(caller: str) -> bool:
    """Return whether a caller is identified by its address, since keys are not configured."""
    return caller.startswith(_ADDRESS)


def presented_key(headers: Headers) -> str:
    """Return the API key in the headers of a request, or an empty string."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return headers.get(API_KEY, "")


def is_open(path: str) -> bool:
    """Return whether a path requires no key and is not rate limited."""
    return path in _OPEN or path.startswith(_OPEN_BELOW)

"""Who may ask, and how often: decided before a body is read."""

from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from levy_gateway.keys import KeyRing
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.rate_limiter import Rates
from levy_schemas.headers import API_KEY
from levy_service.problems import problem_response

_OPEN: Final = frozenset({"/", "/docs", "/openapi.json", "/health", "/metrics"})
_OPEN_BELOW: Final = ("/docs/", "/health/", "/problems/")
"""Whatever is not listed needs a key, so that a new endpoint is never open by oversight."""


class Admission:
    """Lets a request in by its key, and turns away one that comes too often.

    The holder's name is left in `request.state.caller` and in every log line; the key is left
    nowhere.

    Parameters
    ----------
    app : ASGIApp
        What is guarded.
    keys : KeyRing
        Whose holders may ask; an empty one lets all in, each named by its address.
    rates : Rates, optional
        How often.
    metrics : GatewayMetrics
        Where refusals are counted.
    """

    def __init__(
        self, app: ASGIApp, keys: KeyRing, rates: Rates | None, metrics: GatewayMetrics
    ) -> None:
        self.app = app
        self._keys = keys
        self._rates = rates
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        caller = self._caller(scope)
        if caller is None:
            await self._refuse_key(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        structlog.contextvars.bind_contextvars(caller=caller)
        seconds = 0 if self._rates is None else await self._rates.seconds_to_wait(caller)
        if seconds > 0:
            await self._refuse_rate(seconds, scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _caller(self, scope: Scope) -> str | None:
        """Name of who asks; None if keys are needed and the one presented is not known."""
        if not self._keys:
            client = scope.get("client")
            return f"address:{client[0]}" if client else "address:unknown"
        return self._keys.holder(presented_key(Headers(scope=scope)))

    async def _refuse_key(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._metrics.turned_away("unauthorized")
        response = problem_response(
            "unauthorized",
            f"Send a key that is known here: Authorization: Bearer …, or {API_KEY}: …",
            path=scope["path"],
            headers={"WWW-Authenticate": "Bearer"},
        )
        await response(scope, receive, send)

    async def _refuse_rate(self, seconds: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._metrics.turned_away("rate-limited")
        response = problem_response(
            "rate-limited",
            f"Come back in {seconds} s.",
            path=scope["path"],
            headers={"Retry-After": str(seconds)},
        )
        await response(scope, receive, send)


def presented_key(headers: Headers) -> str:
    """Return the key that a request carries; empty if it carries none."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return headers.get(API_KEY, "")


def is_open(path: str) -> bool:
    """Whether a path is answered without a key and without counting."""
    return path in _OPEN or path.startswith(_OPEN_BELOW)

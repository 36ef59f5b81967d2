"""The outermost layer of a service: one id, one log line, one measurement, one last resort."""

import time
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from levy_schemas.headers import REQUEST_ID
from levy_service import request_id
from levy_service.metrics import ServiceMetrics
from levy_service.problems import coded_response, internal_response

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
_log = structlog.get_logger()


class RequestContext:
    """Sees each request in and out.

    Parameters
    ----------
    app : ASGIApp
        The service.
    metrics : ServiceMetrics
        Where durations go.
    """

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identity = request_id.accept(Headers(scope=scope).get(REQUEST_ID))
        request_id.bind(identity)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=identity)
        status = 0
        started = time.perf_counter()

        async def send_identified(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = identity
            await send(message)

        with self.metrics.in_flight.track_inprogress():
            try:
                await self.app(scope, receive, send_identified)
            except Exception as error:  # the last resort must catch them all
                if status:  # the answer is on its way and can only be cut
                    _log.exception("request.cut", path=scope["path"])
                    raise
                response = coded_response(error, scope["path"])
                if response is None:
                    _log.exception("request.failed", path=scope["path"])
                    response = internal_response(scope["path"])
                await response(scope, receive, send_identified)
            finally:
                self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = route_of(scope)
        self.metrics.request_seconds.labels(method, route, str(status)).observe(seconds)
        level = _log.debug if scope["path"] in _QUIET else _log.info
        level(
            "request.finished",
            method=method,
            path=scope["path"],
            status=status,
            seconds=round(seconds, 6),
        )


def route_of(scope: Scope) -> str:
    """Template of the route that answered; one word for all addresses that do not exist."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", "unmatched"))

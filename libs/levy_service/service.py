"""The application factory of all services, and the middleware around their routes."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from levy_schemas.headers import CALLER, REQUEST_ID
from levy_service import caller, engine_version, health, problems, request_id
from levy_service.body import BodyLimit
from levy_service.documentation import document_problems
from levy_service.metrics import ServiceMetrics
from levy_service.security_headers import NOT_STORED, with_security_headers

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PROBE_PATHS: Final = frozenset({"/health/live", "/health/ready", "/metrics"})
_log = structlog.get_logger()


def build(
    *,
    title: str,
    summary: str,
    metrics: ServiceMetrics,
    checks: health.Checks,
    max_body_bytes: int,
    lifespan: Lifespan | None = None,
    middleware: Sequence[Middleware] = (),
) -> FastAPI:
    """Return an application with request ids, logs, metrics, health, problems and body limits.

    Parameters
    ----------
    title, summary : str
        Of the OpenAPI document.
    metrics : ServiceMetrics
    checks : callable
        Readiness checks.
    max_body_bytes : int
        Largest request body.
    lifespan : callable, optional
        Opens and closes resources.
    middleware : sequence of Middleware
        Further middleware, outermost first; it runs before the body is read.
    """
    app = FastAPIOffline(
        title=title,
        summary=summary,
        version=engine_version(),
        lifespan=lifespan,
        # The page's scripts come with the package: users may have no access to the internet.
        static_url="/docs/assets",
        redoc_url=None,
        redirect_slashes=False,
        # Prometheus and structlog do this work; spans that nothing collects cost time.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    problems.install(app)
    document_problems(app)
    for layer in reversed(middleware):
        app.add_middleware(layer.cls, *layer.args, **layer.kwargs)
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes)
    app.add_middleware(RequestContext, metrics=metrics)
    app.include_router(health.router(metrics.service, checks, metrics))
    return app


class RequestContext:
    """Bind the request id, measure and log each request, and respond to unhandled errors.

    Parameters
    ----------
    app : ASGIApp
    metrics : ServiceMetrics
    """

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        identity = request_id.accept(headers.get(REQUEST_ID))
        request_id.bind(identity)
        caller.bind(caller.accept(headers.get(CALLER)))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=identity)
        status = 0
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = identity
                message["headers"] = with_security_headers(
                    message["headers"], stored=not scope.get(NOT_STORED)
                )
            await send(message)

        with self.metrics.in_flight.track_inprogress():
            try:
                await self.app(_as_get(scope), receive, send_with_id)
            except Exception as error:  # the last resort must catch them all
                if status:  # the response has started and can only be aborted
                    _log.exception("request.aborted", path=scope["path"])
                    raise
                response = problems.error_response(error, scope["path"])
                if response is None:
                    _log.exception("request.failed", path=scope["path"])
                    response = problems.internal_response(scope["path"])
                await response(scope, receive, send_with_id)
            finally:
                self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.metrics.request_seconds.labels(method, _route(scope), str(status)).observe(seconds)
        log = _log.debug if scope["path"] in _PROBE_PATHS else _log.info
        log(
            "request.finished",
            method=method,
            path=scope["path"],
            status=status,
            seconds=round(seconds, 6),
        )


def _as_get(scope: Scope) -> Scope:
    """Return HEAD as GET, of which the server omits the body; share the rest of the scope."""
    if scope["method"] == "HEAD":
        scope["method"] = "GET"
    return scope


def _route(scope: Scope) -> str:
    """Return the template of the matched route, or "unmatched", which bounds the label values."""
    route: Any = scope.get("route")
    return str(getattr(route, "path", "unmatched"))

"""What all services have around their routes."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware

from levy_service import health, problems
from levy_service.body import BodyLimit
from levy_service.context import RequestContext
from levy_service.documentation import describe_problems
from levy_service.metrics import ServiceMetrics
from levy_service.version import engine_version

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build(
    *,
    title: str,
    summary: str,
    metrics: ServiceMetrics,
    checks: health.Checks,
    max_body_bytes: int,
    lifespan: Lifespan | None = None,
    guards: Sequence[Middleware] = (),
) -> FastAPI:
    """Make an application that can be seen: ids, logs, metrics, health, problems, limits.

    Parameters
    ----------
    title, summary : str
        For the OpenAPI page.
    metrics : ServiceMetrics
        The service's own.
    checks : callable
        What readiness hangs on.
    max_body_bytes : int
        The largest request body read.
    lifespan : callable, optional
        What is opened at start and closed at the end.
    guards : sequence of Middleware
        What else stands before the routes, the outermost first; a body is not read yet.
    """
    app = FastAPIOffline(
        title=title,
        summary=summary,
        version=engine_version(),
        lifespan=lifespan,
        # The page's script comes with the package: a desk may have no way to the internet.
        static_url="/docs/assets",
        redoc_url=None,
        redirect_slashes=False,
        # Prometheus and structlog do this work; spans nobody collects cost time.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    problems.install(app)
    describe_problems(app)
    for guard in reversed(guards):
        app.add_middleware(guard.cls, *guard.args, **guard.kwargs)
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes)
    app.add_middleware(RequestContext, metrics=metrics)
    app.include_router(health.router(metrics.service, checks, metrics))
    return app

"""`/health/live`, `/health/ready` and `/metrics`, the same for every service."""

from collections.abc import Callable, Mapping

from fastapi import APIRouter, Response

from levy_schemas.health import Liveness, Readiness
from levy_service import engine_version
from levy_service.metrics import CONTENT_TYPE, ServiceMetrics

Checks = Callable[[], Mapping[str, bool]]
"""Returns the readiness checks by name; called often, so it must be cheap."""

_EXPOSITION = {
    "description": "Prometheus text format",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}


def router(service: str, checks: Checks, metrics: ServiceMetrics) -> APIRouter:
    """Return the routes of health and metrics."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/health/live")
    async def live() -> Liveness:
        """Return whether the process responds."""
        return Liveness(service=service, version=engine_version())

    @routes.get("/health/ready", responses={503: {"model": Readiness, "description": "Not ready"}})
    async def ready(response: Response) -> Readiness:
        """Return whether the process can serve requests."""
        results = dict(checks())
        is_ready = all(results.values())
        response.status_code = 200 if is_ready else 503
        return Readiness(
            status="ready" if is_ready else "not_ready", service=service, checks=results
        )

    @routes.get("/metrics", response_class=Response, responses={200: _EXPOSITION})
    async def expose() -> Response:
        """Return the metrics of all workers."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    return routes

"""`/health/live`, `/health/ready` and `/metrics`, the same on every service."""

from collections.abc import Callable, Mapping

from fastapi import APIRouter, Response

from levy_schemas.health import Liveness, Readiness
from levy_service.metrics import CONTENT_TYPE, ServiceMetrics
from levy_service.version import engine_version

Checks = Callable[[], Mapping[str, bool]]
"""What readiness hangs on, and whether it is there; cheap, since it is asked often."""


def router(service: str, checks: Checks, metrics: ServiceMetrics) -> APIRouter:
    """Routes that tell how a service is."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/health/live")
    async def live() -> Liveness:
        """Say that the process answers."""
        return Liveness(service=service, version=engine_version())

    @routes.get("/health/ready", responses={503: {"model": Readiness, "description": "Not yet"}})
    async def ready(response: Response) -> Readiness:
        """Say whether the process can do its work."""
        found = dict(checks())
        ready_now = all(found.values())
        response.status_code = 200 if ready_now else 503
        return Readiness(
            status="ready" if ready_now else "not_ready", service=service, checks=found
        )

    @routes.get("/metrics", response_class=Response, responses={200: _EXPOSITION})
    async def expose() -> Response:
        """Tell Prometheus what was counted."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE)

    return routes


_EXPOSITION = {
    "description": "Prometheus' text format",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}

"""`GET /models` and `GET /health`."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response

from levy_schemas.catalogue import ModelsResult
from levy_schemas.health import Health
from levy_service.documentation import problems


def router(
    models: Callable[[], Awaitable[ModelsResult]], health: Callable[[], Awaitable[Health]]
) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get(
        "/models",
        tags=["models"],
        responses=problems("upstream-error", "upstream-unavailable", "deadline"),
    )
    async def list_models() -> ModelsResult:
        """List the models, their parameters and the input dimensions of their networks."""
        return await models()

    @routes.get(
        "/health",
        tags=["operations"],
        response_model_exclude_none=True,
        responses={503: {"model": Health, "description": "No service is ready"}},
    )
    async def gather_health(response: Response) -> Health:
        """Return the status: healthy, degraded (some services are not ready), or unhealthy."""
        report = await health()
        response.status_code = 503 if report.status == "unhealthy" else 200
        return report

    return routes

"""`GET /models` and `GET /health`."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response

from levy_schemas.catalogue import ModelsResult
from levy_schemas.health import Health
from levy_service.documentation import problems


def router(
    models: Callable[[], Awaitable[ModelsResult]], health: Callable[[], Awaitable[Health]]
) -> APIRouter:
    """Make the routes around their handlers."""
    routes = APIRouter()

    @routes.get(
        "/models",
        tags=["models"],
        responses=problems("neighbour-failed", "neighbour-unavailable", "deadline"),
    )
    async def list_models() -> ModelsResult:
        """List the models, their parameters, and what neural calibrators read."""
        return await models()

    @routes.get(
        "/health",
        tags=["operations"],
        response_model_exclude_none=True,
        responses={503: {"model": Health, "description": "No service is ready"}},
    )
    async def gather_health(response: Response) -> Health:
        """Say how the system is: healthy, degraded (some services are away), or unhealthy."""
        found = await health()
        response.status_code = 503 if found.status == "unhealthy" else 200
        return found

    return routes

"""`GET /models`."""

from fastapi import APIRouter

from levy_schemas.catalogue import Catalogue
from levy_service.documentation import problems


def router(catalogue: Catalogue) -> APIRouter:
    """Make the route; the catalogue does not change while the process lives."""
    routes = APIRouter(tags=["models"])

    @routes.get("/models", responses=problems())
    async def models() -> Catalogue:
        """List the models and their parameters."""
        return catalogue

    return routes

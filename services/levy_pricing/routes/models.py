"""`GET /models`."""

from fastapi import APIRouter

from levy_schemas.catalogue import Catalogue
from levy_service.documentation import problems


def router(catalogue: Catalogue) -> APIRouter:
    """Return the route; the catalogue is constant."""
    routes = APIRouter(tags=["models"])

    @routes.get("/models", responses=problems())
    async def models() -> Catalogue:
        """Return the models and their parameters."""
        return catalogue

    return routes

"""`GET /models`."""

from fastapi import APIRouter

from levy_observability.documentation import problems
from levy_schemas.catalogue import Catalogue


def router(catalogue: Catalogue) -> APIRouter:
    """Make the route; the catalogue does not change while the process lives."""
    routes = APIRouter(tags=["models"])

    @routes.get("/models", responses=problems())
    async def models() -> Catalogue:
        """List the models and their parameters."""
        return catalogue

    return routes

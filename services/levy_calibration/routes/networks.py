"""`GET /networks`."""

from collections.abc import Callable

from fastapi import APIRouter

from levy_schemas.networks import ServedNetworks
from levy_service.documentation import problems


def router(served: Callable[[], ServedNetworks]) -> APIRouter:
    """Make the route around what tells who answers now."""
    routes = APIRouter(tags=["models"])

    @routes.get("/networks", responses=problems())
    async def networks() -> ServedNetworks:
        """Tell which networks propose starts: by this the gateway knows results out of date."""
        return served()

    return routes

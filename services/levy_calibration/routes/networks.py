"""`GET /networks`."""

from collections.abc import Callable

from fastapi import APIRouter

from levy_schemas.networks import ServedNetworks
from levy_service.documentation import problems


def router(served: Callable[[], ServedNetworks]) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["models"])

    @routes.get("/networks", responses=problems())
    async def networks() -> ServedNetworks:
        """Return the networks in use, by which the gateway invalidates cached results."""
        return served()

    return routes

"""`/health`, `/health/live` and `/health/ready`."""

from typing import Literal

from pydantic import Field

from levy_schemas.wire import Answer


class Liveness(Answer):
    """The process answers."""

    status: Literal["alive"] = "alive"
    service: str
    version: str


class Readiness(Answer):
    """Whether the process can do its work."""

    status: Literal["ready", "not_ready"]
    service: str
    checks: dict[str, bool] = Field(description="what readiness hangs on")


class NeighbourHealth(Answer):
    """A service as seen from the gateway."""

    status: Literal["ready", "not_ready", "unreachable"]
    workers: int | None = Field(
        default=None, description="of a service that takes jobs: those heard of lately"
    )


class Health(Answer):
    """The system as a client sees it."""

    status: Literal["healthy", "degraded", "unhealthy"] = Field(
        description="all services are ready, some are, none is"
    )
    model_loaded: bool = Field(description="whether calibrations are answered")
    services: dict[str, NeighbourHealth]

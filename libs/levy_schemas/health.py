"""`/health`, `/health/live` and `/health/ready`."""

from typing import Literal

from pydantic import Field

from levy_schemas.wire import ResponseModel


class Liveness(ResponseModel):
    """The process responds."""

    status: Literal["alive"] = "alive"
    service: str
    version: str


class Readiness(ResponseModel):
    """Whether the process can serve requests."""

    status: Literal["ready", "not_ready"]
    service: str
    checks: dict[str, bool] = Field(description="readiness checks by name")


class UpstreamHealth(ResponseModel):
    """Readiness of a service behind the gateway."""

    status: Literal["ready", "not_ready", "unreachable"]
    workers: int | None = Field(
        default=None, description="workers with a recent heartbeat, for a service that runs jobs"
    )


class Health(ResponseModel):
    """Status of the system."""

    status: Literal["healthy", "degraded", "unhealthy"] = Field(
        description="healthy: all services are ready; degraded: some are; unhealthy: none is"
    )
    model_loaded: bool = Field(description="whether the calibration service is ready")
    services: dict[str, UpstreamHealth]

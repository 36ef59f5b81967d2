"""Settings of the pricing service: environment variables `LEVY_PRICING_…`."""

import os

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from levy_service.settings import ServiceSettings


def _cores() -> int:
    return os.cpu_count() or 1


class PricingSettings(ServiceSettings):
    """Settings of the pricing service.

    Attributes
    ----------
    threads : int
        Number of requests that are priced concurrently.
    deadline_seconds : float
        Longest deadline of a request.
    """

    model_config = SettingsConfigDict(env_prefix="LEVY_PRICING_")

    port: int = Field(default=8001, ge=0, le=65_535)
    threads: int = Field(default_factory=_cores, gt=0)
    deadline_seconds: float = Field(default=30.0, gt=0.0, allow_inf_nan=False)

"""What can be configured: `LEVY_GATEWAY_…`."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from levy_observability.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """Settings of the gateway.

    Attributes
    ----------
    pricing_url, calibration_url : str
        Where the neighbours are.
    deadline_seconds : float
        The longest that a client waits for an answer.
    connect_seconds : float
        The longest that a connection to a neighbour may take.
    health_seconds : float
        The longest that `/health` waits for a neighbour.
    retry_after_seconds : int
        What a client is told when a neighbour is away.
    max_connections : int
        To each neighbour.
    """

    model_config = SettingsConfigDict(env_prefix="LEVY_GATEWAY_")

    port: int = Field(default=8000, ge=0, le=65_535)
    pricing_url: str = "http://127.0.0.1:8001"
    calibration_url: str = "http://127.0.0.1:8002"
    deadline_seconds: float = Field(default=30.0, gt=0.0, allow_inf_nan=False)
    connect_seconds: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    health_seconds: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    retry_after_seconds: int = Field(default=2, gt=0)
    max_connections: int = Field(default=100, gt=0)

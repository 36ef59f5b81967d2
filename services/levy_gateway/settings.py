"""What can be configured: `LEVY_GATEWAY_…`."""

from typing import Annotated, Self

from limits import RateLimitItem, parse
from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from levy_service.settings import ServiceSettings

KeyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seconds = Annotated[PositiveFloat, Field(allow_inf_nan=False)]


class GatewaySettings(ServiceSettings):
    """Settings of the gateway.

    Attributes
    ----------
    pricing_url, calibration_url : str
        Where the neighbours are; several instances are separated by commas.
    pricing_deadline_seconds, calibration_deadline_seconds : float
        The longest that a client waits for an answer of each; it may ask for less.
    connect_seconds : float
        The longest that a connection to a neighbour may take.
    health_seconds : float
        The longest that `/health` waits for a neighbour.
    max_connections : int
        To each neighbour.
    breaker_failures : int
        Failures in a row after which a neighbour is given a rest.
    breaker_open_seconds : float
        How long that rest is; then one request tries.
    api_keys : dict
        Name of each key's holder, and the SHA-256 digest of the key, in hexadecimal digits;
        `python -m levy_gateway.keys NAME` makes both. Nobody needs a key if there are none.
    require_keys : bool
        Whether to refuse to start without keys: true in production.
    rate_limit : str, optional
        Requests that one key, or one address without keys, may send: `600/minute` for one.
    redis_url : SecretStr, optional
        Where limits are counted and results kept; neither happens without.
    redis_seconds : float
        The longest that a request waits for Redis before it is answered without.
    cache_seconds : int
        How long a result is kept; 0 keeps none.
    job_redis_seconds : float
        The longest that a request about a job waits for Redis, which it cannot do without.
    job_keep_seconds : int
        Time after which a job that no worker took is deleted.
    job_resend_seconds : float
        Time after which the task of a job that no worker took is sent again.
    queue_limit : int
        Jobs that wait in each queue; more are refused.
    """

    model_config = SettingsConfigDict(
        env_prefix="LEVY_GATEWAY_", env_ignore_empty=True, hide_input_in_errors=True
    )

    port: int = Field(default=8000, ge=0, le=65_535)
    pricing_url: str = "http://127.0.0.1:8001"
    calibration_url: str = "http://127.0.0.1:8002"
    pricing_deadline_seconds: Seconds = 10.0
    calibration_deadline_seconds: Seconds = 30.0
    connect_seconds: Seconds = 1.0
    health_seconds: Seconds = 1.0
    max_connections: PositiveInt = 100
    breaker_failures: PositiveInt = 5
    breaker_open_seconds: Seconds = 2.0
    api_keys: dict[KeyName, Digest] = Field(default_factory=dict)
    require_keys: bool = False
    rate_limit: str | None = None
    redis_url: SecretStr | None = None
    redis_seconds: Seconds = 0.05
    cache_seconds: int = Field(default=300, ge=0)
    job_redis_seconds: Seconds = 2.0
    job_keep_seconds: PositiveInt = 24 * 3600
    job_resend_seconds: Seconds = 10.0
    queue_limit: PositiveInt = 100

    @field_validator("rate_limit")
    @classmethod
    def _means_a_limit(cls, value: str | None) -> str | None:
        if value is not None:
            parse(value)
        return value

    @model_validator(mode="after")
    def _keys_where_required(self) -> Self:
        if self.require_keys and not self.api_keys:
            message = (
                "LEVY_GATEWAY_REQUIRE_KEYS is set and LEVY_GATEWAY_API_KEYS has none; "
                "python -m levy_gateway.keys NAME makes one"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _redis_where_limited(self) -> Self:
        if self.rate_limit is not None and self.redis_url is None:
            raise ValueError("LEVY_GATEWAY_RATE_LIMIT is counted in LEVY_GATEWAY_REDIS_URL")
        return self

    @property
    def limit(self) -> RateLimitItem | None:
        """The rate limit, read."""
        return None if self.rate_limit is None else parse(self.rate_limit)

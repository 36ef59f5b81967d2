"""Settings of the gateway: environment variables `LEVY_GATEWAY_…`."""

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
        Base URLs of the upstream services; several instances are separated by commas.
    pricing_deadline_seconds, calibration_deadline_seconds : float
        Longest deadline of a request; clients may request a shorter one.
    connect_seconds : float
        Time limit of a connection to an upstream service.
    health_seconds : float
        Time limit of each service's health check in `/health`.
    max_connections : int
        Size of each upstream service's connection pool.
    concurrency : int
        Brief requests in flight to each instance of a service: one that is computed, and some that
        follow without delay while the gateway refuses others. Further requests wait in the gateway.
    long_concurrency : int
        Long requests in flight to each instance.
    queue_seconds : float
        Longest expected wait of a brief request there, beyond which it is refused; five times as
        much until one is refused.
    long_queue_seconds : float
        The same of a long request, which takes a hundred times as long.
    breaker_failures : int
        Consecutive failures that open the circuit breaker.
    breaker_open_seconds : float
        Time before an open circuit breaker allows one request as a probe.
    api_keys : dict
        Hexadecimal SHA-256 digest of each key, by the name of its holder;
        `python -m levy_gateway.keys NAME` creates both. If empty, no key is required.
    require_keys : bool
        Whether the gateway fails to start without `api_keys`; true in production.
    rate_limit : str, optional
        Limit for each key, or each address if there are no keys, such as `600/minute`.
    redis_url : SecretStr, optional
        Redis for jobs; without it there are none. It must not evict keys.
    cache_redis_url : SecretStr, optional
        Redis for the result cache and rate limits, which may evict keys; `redis_url` if absent.
    redis_seconds : float
        Time limit of cache and rate limit operations, after which a request proceeds without.
    cache_seconds : int
        Lifetime of a cached result; 0 disables the cache.
    job_redis_seconds : float
        Time limit of operations on jobs, after which a request fails.
    job_keep_seconds : int
        Time after which a job that no worker took is deleted.
    job_resend_seconds : float
        Time after which the task of a job that no worker took is sent again.
    queue_limit : int
        Maximum number of jobs waiting in each queue.
    queue_limit_per_key : int
        Maximum number of them that belong to one API key, if keys are configured.
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
    concurrency: PositiveInt = 4
    long_concurrency: PositiveInt = 1
    queue_seconds: Seconds = 0.05
    long_queue_seconds: Seconds = 5.0
    breaker_failures: PositiveInt = 5
    breaker_open_seconds: Seconds = 2.0
    api_keys: dict[KeyName, Digest] = Field(default_factory=dict)
    require_keys: bool = False
    rate_limit: str | None = None
    redis_url: SecretStr | None = None
    cache_redis_url: SecretStr | None = None
    redis_seconds: Seconds = 0.05
    cache_seconds: int = Field(default=300, ge=0)
    job_redis_seconds: Seconds = 2.0
    job_keep_seconds: PositiveInt = 24 * 3600
    job_resend_seconds: Seconds = 10.0
    queue_limit: PositiveInt = 100
    queue_limit_per_key: PositiveInt = 50

    @field_validator("rate_limit")
    @classmethod
    def _is_valid_limit(cls, value: str | None) -> str | None:
        if value is not None:
            parse(value)
        return value

    @model_validator(mode="after")
    def _has_required_keys(self) -> Self:
        if self.require_keys and not self.api_keys:
            message = (
                "LEVY_GATEWAY_REQUIRE_KEYS is set but LEVY_GATEWAY_API_KEYS is empty; "
                "create a key with python -m levy_gateway.keys NAME"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _has_redis_if_limited(self) -> Self:
        if self.rate_limit is not None and not (self.redis_url or self.cache_redis_url):
            raise ValueError(
                "LEVY_GATEWAY_RATE_LIMIT requires LEVY_GATEWAY_CACHE_REDIS_URL or "
                "LEVY_GATEWAY_REDIS_URL"
            )
        return self

    @property
    def limit(self) -> RateLimitItem | None:
        """The parsed rate limit."""
        return None if self.rate_limit is None else parse(self.rate_limit)

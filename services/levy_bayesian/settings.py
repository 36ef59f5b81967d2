"""What can be configured: `LEVY_BAYESIAN_…`."""

from typing import Self

from pydantic import Field, PositiveInt, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from levy_observability.settings import ServiceSettings
from levy_schemas.jobs import QUEUES, QueueName


class BayesianSettings(ServiceSettings):
    """Settings of a worker.

    Attributes
    ----------
    redis_url : SecretStr
        Where jobs wait and results are kept.
    queues : tuple of str
        Which this worker serves; the first are no more urgent than the last.
    soft_limit_seconds, hard_limit_seconds : int
        When a job is told to end, and when its process is.
    visibility_seconds : int
        When a job whose worker is gone is handed to another; longer than the hard limit, or a job
        that only takes long would run twice.
    keep_seconds : int
        How long a job and its draws are kept.
    """

    model_config = SettingsConfigDict(
        env_prefix="LEVY_BAYESIAN_", env_ignore_empty=True, hide_input_in_errors=True
    )

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    queues: tuple[QueueName, ...] = Field(default=QUEUES, min_length=1)
    soft_limit_seconds: PositiveInt = 1200
    hard_limit_seconds: PositiveInt = 1260
    visibility_seconds: PositiveInt = 1500
    keep_seconds: PositiveInt = 24 * 3600

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if not (self.soft_limit_seconds < self.hard_limit_seconds < self.visibility_seconds):
            message = (
                "limits must be in order: soft_limit_seconds < hard_limit_seconds < "
                "visibility_seconds"
            )
            raise ValueError(message)
        return self

"""Settings of a worker: environment variables `LEVY_BAYESIAN_…`."""

from pathlib import Path
from typing import Self

from pydantic import Field, PositiveInt, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from levy_schemas.jobs import QUEUES, QueueName
from levy_schemas.wire import ModelName
from levy_service.settings import ServiceSettings


class BayesianSettings(ServiceSettings):
    """Settings of a worker.

    Attributes
    ----------
    redis_url : SecretStr
        The job store, and Celery's broker.
    queues : tuple of str
        Queues that this worker serves, without priority.
    soft_limit_seconds, hard_limit_seconds : int
        Time limit of a job, and the time at which its process is killed.
    lease_seconds : int
        Time after a worker's last renewal at which its job is sent to another.
    max_attempts : int
        Number of crashes of its process after which a job fails; a worker that is killed does not
        count.
    memory_mib : int
        Memory of the sampling process above which it is replaced before the next job.
    keep_seconds : int
        Time for which an ended job and its draws are kept.
    warm : tuple of str
        Models whose sampler is compiled, for surfaces of 200 quotes, before the worker is ready.
    compiled : Path, optional
        Cache folder of compiled samplers, shared between workers and starts; in the user's cache
        if absent.
    """

    model_config = SettingsConfigDict(
        env_prefix="LEVY_BAYESIAN_", env_ignore_empty=True, hide_input_in_errors=True
    )

    port: int = Field(default=8003, ge=0, le=65_535)
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    queues: tuple[QueueName, ...] = Field(default=QUEUES, min_length=1)
    soft_limit_seconds: PositiveInt = 1200
    hard_limit_seconds: PositiveInt = 1260
    lease_seconds: int = Field(default=30, ge=2)
    max_attempts: PositiveInt = 3
    memory_mib: PositiveInt = 1400
    keep_seconds: PositiveInt = 24 * 3600
    warm: tuple[ModelName, ...] = ()
    compiled: Path | None = None

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if not (self.soft_limit_seconds < self.hard_limit_seconds):
            raise ValueError("limits must be in order: soft_limit_seconds < hard_limit_seconds")
        return self

"""What every service lets one configure."""

import os
from typing import Literal, Self

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Settings that all services share; a service adds its own and its prefix.

    Attributes
    ----------
    host, port : str, int
        Where it listens.
    log_level : {"debug", "info", "warning", "error"}
        The least that is logged.
    max_body_bytes : int
        The largest request body read.
    drain_seconds : int
        How long requests in flight may take after a stop was asked.
    workers : int
        Processes that answer behind the one port.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    max_body_bytes: int = Field(default=256 * 1024, gt=0)
    drain_seconds: int = Field(default=10, ge=0)
    workers: int = Field(default=1, gt=0, le=256)

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment; a name with our prefix that nobody knows is refused."""
        prefix = cls.model_config.get("env_prefix", "").upper()
        delimiter = cls.model_config.get("env_nested_delimiter") or "__"
        known = {name.upper() for name in cls.model_fields}
        for name in os.environ:
            stem = name.upper().removeprefix(prefix).split(delimiter)[0]
            if name.upper().startswith(prefix) and stem not in known:
                message = f"{name} is no setting; there are {', '.join(sorted(known))}"
                raise ValueError(message)
        return cls()

"""Settings of every service."""

import argparse
import os
from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from levy_service.command_line import OneLineParser


class ServiceSettings(BaseSettings):
    """Settings that all services share; a subclass adds its own, and the prefix of the environment.

    Attributes
    ----------
    host, port : str, int
        Address on which the service listens.
    log_level : {"debug", "info", "warning", "error"}
        Lowest level that is logged.
    max_body_bytes : int
        Largest request body.
    header_bytes : int
        Largest size of a request line and its headers.
    header_seconds, body_seconds : float
        Time in which the headers and the body of a request must arrive.
    keep_alive_seconds : float
        Time after which an idle connection is closed; longer than clients keep idle connections,
        so that the client closes first.
    client_connections, client_connections_per_address : int
        Number of open connections of each process, at most half of its file descriptors. Beyond it,
        connections that wait for their client are closed.
    drain_seconds : int
        Time limit of requests in progress when the service stops.
    workers : int
        Number of worker processes behind the port.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    max_body_bytes: int = Field(default=256 * 1024, gt=0)
    header_bytes: int = Field(default=32 * 1024, ge=1024)
    header_seconds: float = Field(default=10.0, gt=0.0, allow_inf_nan=False)
    body_seconds: float = Field(default=30.0, gt=0.0, allow_inf_nan=False)
    keep_alive_seconds: float = Field(default=75.0, gt=0.0, allow_inf_nan=False)
    client_connections: int = Field(default=1_000, gt=0)
    client_connections_per_address: int = Field(default=200, gt=0)
    drain_seconds: int = Field(default=10, ge=0)
    workers: int = Field(default=1, gt=0, le=256)

    @classmethod
    def from_environment(cls) -> Self:
        """Return the settings in the environment; reject unknown names with the prefix."""
        prefix = cls.model_config.get("env_prefix", "").upper()
        delimiter = cls.model_config.get("env_nested_delimiter") or "__"
        known = {name.upper() for name in cls.model_fields}
        for name in os.environ:
            stem = name.upper().removeprefix(prefix).split(delimiter)[0]
            if name.upper().startswith(prefix) and stem not in known:
                message = f"{name} is not a setting; available: {', '.join(sorted(known))}"
                raise ValueError(message)
        return cls()

    @classmethod
    def from_command_line(cls, module: str, arguments: Sequence[str] | None = None) -> Self:
        """Return the settings in the environment, for `python -m module`.

        `--help` prints their names. Arguments and invalid settings exit with status 2 and one line.
        """
        parser = OneLineParser(
            prog=f"python -m {module}",
            description=f"Run {module} until Ctrl-C or SIGTERM.\n\n"
            "Settings are environment variables, here with their defaults:\n"
            + "\n".join(f"  {line}" for line in cls._described()),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.parse_args(arguments)
        try:
            return cls.from_environment()
        except ValidationError as error:
            parser.error(
                "; ".join(cls._message(*item["loc"], item["msg"]) for item in error.errors())
            )
        except ValueError as error:
            parser.error(str(error).splitlines()[0])

    @classmethod
    def _variable(cls, name: str) -> str:
        return f"{cls.model_config.get('env_prefix', '')}{name}".upper()

    @classmethod
    def _message(cls, *parts: str | int) -> str:
        """Return pydantic's location and message as those of an environment variable."""
        *steps, message = map(str, parts)
        message = message.removeprefix("Value error, ")
        return f"{cls._variable('.'.join(steps))}: {message}" if steps else message

    @classmethod
    def _described(cls) -> list[str]:
        """Return the name of each setting, and its default if it has one."""
        lines = []
        for name, field in cls.model_fields.items():
            default = field.get_default(call_default_factory=True)
            lines.append(
                cls._variable(name) + (f" ({default})" if default not in (None, {}) else "")
            )
        return lines

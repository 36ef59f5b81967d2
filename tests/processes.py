"""Real processes for system tests and the load test: services and Redis."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx

from levy_cli.serve.parts import RedisPart, redis_binary

_READY_SECONDS = 60.0


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Process:
    """A named process that is killed with all its children.

    Parameters
    ----------
    command : sequence of str
        Command line.
    environment : mapping
        Additional environment variables.
    log : Path, optional
        File for its output, which is discarded by default.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path | None = None
    ) -> None:
        self.log = log
        with (log or Path(os.devnull)).open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Return the exit status; None while it runs."""
        return self._process.poll()

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the process and its children."""
        if self.exit_status is None:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, seconds: float = 20.0) -> int:
        """Terminate the process, wait, and return its exit status."""
        self.send(signal.SIGTERM)
        return self._process.wait(timeout=seconds)

    def cpu_seconds(self) -> float:
        """Return the processor time of the process and its children so far."""
        return sum(_cpu_seconds(pid) for pid in family_of(self.pid))

    def resident_mib(self) -> float:
        """Return the memory of the process and its children."""
        pages = sum(
            int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in family_of(self.pid)
        )
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Service(Process):
    """A service, or a test application in its place.

    Parameters
    ----------
    name : str
        Name of its package, without the prefix.
    port : int, optional
        By default a free one.
    settings : mapping, optional
        Settings without their prefix.
    command : sequence of str, optional
        Command to run instead of the package.
    log : Path, optional
        File for its output.
    """

    def __init__(
        self,
        name: str,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
        log: Path | None = None,
    ) -> None:
        self.name = name
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        chosen = {"PORT": str(self.port), **(settings or {})}
        environment = {f"LEVY_{name.upper()}_{key}": value for key, value in chosen.items()}
        super().__init__(command or [sys.executable, "-m", f"levy_{name}"], environment, log)

    def wait_until_ready(self) -> Self:
        """Wait until it is ready."""
        give_up = time.monotonic() + _READY_SECONDS
        while time.monotonic() < give_up and self.exit_status is None:
            try:
                if httpx.get(f"{self.url}/health/ready", trust_env=False).status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.05)
        said = "" if self.log is None else self.log.read_text(errors="replace")[-2000:]
        message = f"{self.name} did not become ready; exit status {self.exit_status}\n{said}"
        raise RuntimeError(message)


class Redis(Process):
    """The bundled Redis on a Unix socket.

    Parameters
    ----------
    folder : Path
        Folder of its socket.
    persistent : bool
        Whether writes reach the disk before they are acknowledged.
    """

    def __init__(self, folder: Path, *, persistent: bool = False) -> None:
        self._part = RedisPart(folder)
        self.url = self._part.address
        binary, path = str(redis_binary()), str(self._part.socket)
        options: tuple[str, ...] = (
            "--port",
            "0",
            "--unixsocket",
            path,
            "--save",
            "",
            "--loglevel",
            "warning",
        )
        if persistent:
            options += ("--appendonly", "yes", "--appendfsync", "always")
        super().__init__([binary, *options, "--dir", str(folder)], {})

    def wait_until_ready(self) -> Self:
        """Wait until it responds."""
        give_up = time.monotonic() + _READY_SECONDS
        while not self._part.ready():
            if time.monotonic() > give_up:
                raise RuntimeError("Redis did not become ready")
            time.sleep(0.02)
        return self


class Stack(ExitStack):
    """A stack of processes that are stopped together."""

    def service(self, name: str, **options: Any) -> Service:
        """Start a service and wait until it is ready; options are those of `Service`."""
        made = Service(name, **options)
        self.callback(made.kill)
        return made.wait_until_ready()

    def redis(self, folder: Path, *, persistent: bool = False) -> Redis:
        """Start Redis."""
        made = Redis(folder, persistent=persistent)
        self.callback(made.kill)
        return made.wait_until_ready()


def family_of(pid: int) -> list[int]:
    """Return the process ids of a process and its descendants."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # the process has ended
            continue
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

"""Fixtures: the whole system, started as a user starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.processes import Service, Stack
from tests.system.job_engine import Engine, Start


class System:
    """A running `levy serve`.

    Parameters
    ----------
    port : int
        Port of the gateway.
    log : Path
        File for its standard error.
    state_dir : Path
        Folder of its jobs.
    """

    def __init__(self, port: int, log: Path, state_dir: Path) -> None:
        self.port = port
        self.log = log
        self.url = f"http://127.0.0.1:{port}"
        started = time.monotonic()
        options = ("serve", "--port", str(port), "--state-dir", str(state_dir))
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "levy_cli.main", *options],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.said = self._listen()
        self.ready_seconds = time.monotonic() - started
        self.children = children_of(self.process.pid)

    def _listen(self) -> str:
        """Return the output up to the last line of the announcement."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if "Ctrl-C stops everything" in line:
                break
        return "".join(lines)

    def child(self, name: str) -> int | None:
        """Return the process id of one child, None while it does not run."""
        return children_of(self.process.pid).get(name)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal, wait, and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=20)

    def clean_up(self) -> None:
        """Kill all remaining processes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=20)
        if self.process.stdout is not None:
            self.process.stdout.close()


def children_of(parent: int) -> dict[str, int]:
    """Return the process ids of the children by the program that they run.

    Further instances of a service are numbered in the order of their ports.
    """
    found: dict[str, int] = {}
    for name, _, pid in sorted(_programs(parent)):
        n_before = sum(other.partition("-")[0] == name for other in found)
        found[f"{name}-{n_before + 1}" if n_before and name != "redis" else name] = pid
    return found


def _programs(parent: int) -> Iterator[tuple[str, int, int]]:
    """Yield the program, port and process id of each child."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (stat.parent / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        # A child has the command of its parent until it executes its own.
        name = re.search(r"-m levy_(?!cli)(\w+)|(redis[-\w]*)\.sock", command)
        if int(fields[1]) == parent and name is not None:
            port = re.search(rf"LEVY_{(name[1] or '-').upper()}_PORT=(\d+)", environment)
            yield name[1] or name[2], int(port[1]) if port else 0, int(stat.parent.name)


def alive(pid: int) -> bool:
    """Return whether a process still runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_the_end_of(pids: list[int], seconds: float = 10.0) -> list[int]:
    """Return the processes still running after some time."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and any(map(alive, pids)):
        time.sleep(0.05)
    return [pid for pid in pids if alive(pid)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    made = System(free_port(), tmp_path / "stderr.log", tmp_path / "state")
    yield made
    children = children_of(made.process.pid)
    made.clean_up()
    assert wait_for_the_end_of(list(children.values())) == []


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    made = System(free_port(), folder / "stderr.log", folder / "state")
    yield made
    made.clean_up()


@pytest.fixture(scope="module")
def client(running: System) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=35.0, trust_env=False) as made:
        yield made


@pytest.fixture(scope="session")
def survivors() -> object:
    """Return the processes that still run after ten seconds."""
    return wait_for_the_end_of


@pytest.fixture(scope="module")
def pricing() -> Iterator[Service]:
    with Stack() as stack:
        yield stack.service("pricing")


@pytest.fixture
def start(pricing: Service, tmp_path: Path) -> Iterator[Start]:
    with Stack() as stack:
        yield partial(Engine, stack, pricing, tmp_path)

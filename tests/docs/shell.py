"""Run the code blocks of a page one after the other, in a copy of the checkout."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

SERVES = re.compile(r"^(make run|levy serve)\b.*$", re.MULTILINE)
MAKE = "make -o .venv/.installed -o .venv/.installed-serve"
"""`make` that never installs the copy into the environment that it shares with the tests.

GNU make ignores `-o` in MAKEFLAGS, so it has to be an argument.
"""
SHOWN_PORT = "8000"
COMMAND_SECONDS = 240
START_SECONDS = 60
STOP_SECONDS = 30


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Session:
    """Run blocks in `folder`. Servers run until the shell is closed; they must stop on Ctrl-C."""

    folder: Path
    port: int = field(default_factory=free_port)
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def of_checkout(cls, root: Path, folder: Path) -> Self:
        """Copy the files known to git, with the tests' environment as `.venv`."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root, check=True, capture_output=True, text=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, folder / name)
        (folder / ".venv").symlink_to(sys.prefix)
        return cls(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        stubborn = [server.args for server in self.servers if not stops_on_interrupt(server)]
        if kind is None:
            assert not stubborn, f"still running {STOP_SECONDS} s after Ctrl-C: {stubborn}"

    def run(self, language: str, text: str) -> str:
        """Return the output of a block; raise AssertionError if it failed."""
        text = text.replace(f"localhost:{SHOWN_PORT}", f"localhost:{self.port}")
        if language == "python":
            return self._output([sys.executable, "-W", "error", "-c", text])
        for command in SERVES.findall(text):
            self._serve(command)
        rest = SERVES.sub("", text)
        if not rest.strip():
            return ""
        make = f'make() {{ command {MAKE} "$@"; }}\n'
        return self._output(["bash", "-euo", "pipefail", "-c", make + rest])

    def _output(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment(), capture_output=True, text=True,
            timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _serve(self, command: str) -> None:
        line = (
            f"{MAKE} run PORT={self.port}"
            if command == "make run"
            else f"levy serve --port {self.port}"
        )
        server = subprocess.Popen(
            ["bash", "-c", f"exec {line}"], cwd=self.folder, env=self._environment(),
            start_new_session=True,
        )  # fmt: skip
        self.servers.append(server)
        deadline = time.monotonic() + START_SECONDS
        while not self._healthy():
            assert server.poll() is None, f"{line} exited with {server.returncode}"
            assert time.monotonic() < deadline, f"{line} is not healthy after {START_SECONDS} s"
            time.sleep(0.2)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}/health", timeout=2) as reply:
                return bool(json.load(reply)["status"] == "healthy")
        except (urllib.error.URLError, OSError):
            return False

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]])
        state = str(self.folder / "state")
        return {**os.environ, "PATH": path, "XDG_STATE_HOME": state}


def stops_on_interrupt(server: subprocess.Popen[bytes]) -> bool:
    """Send Ctrl-C to the process group, as a terminal does; return whether all processes ended."""
    deadline = time.monotonic() + STOP_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGINT)
    while time.monotonic() < deadline:
        server.poll()
        try:
            os.killpg(server.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    return False

"""A shell in a copy of the checkout, in which a page's blocks are run one after the other."""

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
SHOWN_PORT = "8000"
COMMAND_SECONDS = 240
START_SECONDS = 60
STOP_SECONDS = 30


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Session:
    """Runs blocks in `folder`; servers run until it is left, and must then stop on Ctrl-C."""

    folder: Path
    port: int = field(default_factory=free_port)
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def of_checkout(cls, root: Path, folder: Path) -> Self:
        """A session in a copy of the files git knows, with the tests' environment as `.venv`."""
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
        """What the block printed; an AssertionError if it failed."""
        text = text.replace(f"localhost:{SHOWN_PORT}", f"localhost:{self.port}")
        if language == "python":
            return self._output([sys.executable, "-W", "error", "-c", text])
        for command in SERVES.findall(text):
            self._serve(command)
        rest = SERVES.sub("", text)
        return self._output(["bash", "-euo", "pipefail", "-c", rest]) if rest.strip() else ""

    def _output(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment(), capture_output=True, text=True,
            timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _serve(self, command: str) -> None:
        line = (
            f"make run PORT={self.port}"
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
            assert server.poll() is None, f"{line} left with {server.returncode}"
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
        # The copy must never install itself into the environment it borrows.
        installed = "-o .venv/.installed -o .venv/.installed-serve"
        return {**os.environ, "PATH": path, "MAKEFLAGS": installed}


def stops_on_interrupt(server: subprocess.Popen[bytes]) -> bool:
    """Send Ctrl-C as a terminal does, to the whole group, and say whether all of it then ended."""
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

"""One process of the system, which ends with its supervisor."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


class Child:
    """A running process.

    Parameters
    ----------
    name : str
        Name in messages.
    command : sequence of str
    environment : mapping
        Added to the environment of this process.
    log : Path, optional
        File of its output; standard error if absent.
    descriptors : sequence of int
        Open files that it inherits.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        with _output(log) as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C in a terminal reaches only the supervisor, which stops all in order.
                start_new_session=True,
                pass_fds=descriptors,
                preexec_fn=_killed_with_parent(os.getpid()),
            )

    @property
    def exit_status(self) -> int | None:
        """The exit status, None while the process runs."""
        return self._process.poll()

    def exit_message(self) -> str:
        """Return a description of how the process ended, with the end of its log."""
        status = self._process.returncode
        if status < 0:
            return f"{self.name} was killed by {signal.Signals(-status).name}"
        message = f"{self.name} ended with exit status {status}"
        if self.log is not None and self.log.exists():
            lines = self.log.read_text(errors="replace").splitlines()[-5:]
            message = "\n  ".join([message, *lines])
        return message

    def stop(self) -> None:
        """Send SIGTERM, upon which the process finishes its work."""
        if self.exit_status is None:
            self._process.terminate()

    def kill(self) -> None:
        """Kill the process if it still runs, and wait for it."""
        if self.exit_status is None:
            self._process.kill()
        self._process.wait()


@contextmanager
def _output(log: Path | None) -> Iterator[int]:
    """Yield the descriptor of the log, or of standard error, which stays open."""
    if log is None:
        yield 2
        return
    with log.open("wb") as file:
        yield file.fileno()


def _killed_with_parent(supervisor: int) -> Callable[[], None] | None:
    """Return a hook that has the kernel stop the child if its supervisor is killed (Linux only)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def bind() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:
            os._exit(1)

    return bind

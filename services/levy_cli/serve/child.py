"""One process of the system, that never outlives its supervisor."""

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
        For people.
    command : sequence of str
        What is run.
    environment : mapping
        Added to that of this process.
    log : Path, optional
        Where its output goes; standard error if absent.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path | None = None,
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
                # Ctrl-C in a terminal reaches the supervisor alone, which stops all in order.
                start_new_session=True,
                preexec_fn=_dying_with(os.getpid()),
            )

    @property
    def exit_status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def epitaph(self) -> str:
        """Say how it ended."""
        status = self._process.returncode
        if status < 0:
            return f"{self.name} was killed by {signal.Signals(-status).name}"
        ended = f"{self.name} ended with exit status {status}"
        if self.log is not None and self.log.exists():
            lines = self.log.read_text(errors="replace").splitlines()[-5:]
            ended = "\n  ".join([ended, *lines])
        return ended

    def ask_to_stop(self) -> None:
        """Let it finish what it is doing."""
        if self.exit_status is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self.exit_status is None:
            self._process.kill()
        self._process.wait()


@contextmanager
def _output(log: Path | None) -> Iterator[int]:
    """Descriptor of a file, or that of standard error, which stays open."""
    if log is None:
        yield 2
        return
    with log.open("wb") as file:
        yield file.fileno()


def _dying_with(supervisor: int) -> Callable[[], None] | None:
    """Make the kernel stop the child should its supervisor be killed; Linux alone can."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def bind() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:
            os._exit(1)

    return bind

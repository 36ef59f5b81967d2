"""Start, supervise and stop all services."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, Protocol

from levy_cli.serve.child import Child
from levy_cli.serve.processes import (
    RedisMissingError,
    RedisProcess,
    ServiceProcess,
    free_port,
    port_error,
)
from levy_cli.serve.state import StateInUseError, default_state_dir, locked
from levy_surfaces.printable import printable

_LOOPBACK: Final = "127.0.0.1"
_POLL_SECONDS: Final = 0.05
_READY_SECONDS: Final = 300.0
"""The first start compiles the kernels, which takes minutes on a busy machine."""
_SLOW_SECONDS: Final = 15.0
"""A start that takes longer is explained."""
_STOP_SECONDS: Final = 12.0
"""Longer than the drain time of a service."""
_PAUSE_SECONDS: Final = 0.25
"""Pause before the first restart of a process; it doubles with each failure in a row."""
_MAX_FAILURES: Final = 5
_MAX_CALIBRATIONS: Final = 4
_STABLE_SECONDS: Final = 10.0
"""Run time after which a failure is not in a row with the previous one."""
_JOB_REDIS: Final = (
    *("--appendonly", "yes", "--appendfsync", "everysec"),
    *("--maxmemory", "400mb", "--maxmemory-policy", "noeviction"),
)
_CACHE_REDIS: Final = ("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Startable(Protocol):
    """A process that can be started."""

    name: str

    def start(self, descriptors: Sequence[int] = ()) -> Child:
        """Start the process, which inherits the descriptors."""

    def ready(self) -> bool:
        """Return whether the process is ready."""


class _ProcessFailedError(Exception):
    """A process ended, or did not become ready."""


class _StopRequest:
    """A flag for signal handlers; `threading.Event` deadlocks if a handler interrupts it."""

    is_set = False

    def wait(self, seconds: float) -> bool:
        """Sleep, and return whether the flag is set."""
        time.sleep(seconds)
        return self.is_set


class _Supervised:
    """A process that is restarted when it ends, while the others keep running."""

    def __init__(self, process: Startable, lock: int) -> None:
        self._process = process
        self._lock = lock
        self._failures = 0
        self._restart_at: float | None = None
        self.start()

    def start(self) -> None:
        self.child = self._process.start((self._lock,))
        self._started_at = time.monotonic()
        self._restart_at = None

    def restart_if_ended(self) -> None:
        """Restart the process after a pause; raise _ProcessFailedError after repeated failures."""
        if self.child.exit_status is None:
            return
        now = time.monotonic()
        if self._restart_at is None:
            stable = now - self._started_at > _STABLE_SECONDS
            self._failures = 1 if stable else self._failures + 1
            message = self.child.exit_message()
            if self._failures > _MAX_FAILURES:
                message += f"; it failed {self._failures} times in a row; stopping everything"
                raise _ProcessFailedError(message)
            pause = _PAUSE_SECONDS * 2 ** (self._failures - 1)
            _print_error(f"{message}; restarting it in {pause:g} s")
            self._restart_at = now + pause
        elif now >= self._restart_at:
            self.start()


def serve(port: int = 8000, *, host: str = _LOOPBACK, state_dir: Path | None = None) -> int:
    """Run every service on this machine until Ctrl-C or SIGTERM.

    Parameters
    ----------
    port : int
        Port of the gateway; 0 chooses a free one.
    host : str
        Address of the gateway; the other services listen on the loopback interface only.
    state_dir : Path, optional
        Folder of the jobs, which a later run with the same folder continues. By default one for
        each port in the user's state folder, and for port 0 a temporary one.

    Returns
    -------
    int
        Exit status: 0 after a signal, 1 if the start or a process failed.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="levy-") as name, _stop_requested() as stop:
        folder = Path(name)
        state_dir = state_dir or (default_state_dir(port) if port else folder / "state")
        supervised: list[_Supervised] = []
        try:
            with locked(state_dir) as lock:
                if (reason := port_error(host, port)) is not None:
                    message = (
                        f"cannot listen on {host}:{port}: {reason}; choose another with "
                        "--host or --port"
                    )
                    raise _ProcessFailedError(message)
                processes = _processes(host, port or free_port(host), folder, state_dir)
                for process in processes:
                    supervised.append(_Supervised(process, lock))  # noqa: PERF401 - to be stopped
                if not _wait_until_ready(processes, supervised, stop):
                    return 0
                _announce(processes, state_dir, time.monotonic() - started)
                while not stop.wait(_POLL_SECONDS):
                    for one in supervised:
                        one.restart_if_ended()
        except (_ProcessFailedError, StateInUseError, RedisMissingError, OSError) as error:
            _print_error(str(error))
            return 1
        finally:
            _stop_all([one.child for one in supervised], stop)
    return 0


def _processes(host: str, port: int, folder: Path, state_dir: Path) -> tuple[Startable, ...]:
    pricing = ServiceProcess("pricing", _LOOPBACK, free_port(_LOOPBACK))
    # The interpreter's lock makes two fits in one process as slow as one after the other.
    names = ["calibration", *(f"calibration-{k}" for k in range(2, _calibrations() + 1))]
    ports = sorted(free_port(_LOOPBACK) for _ in names)
    calibrations = [
        ServiceProcess("calibration", _LOOPBACK, port, name=name)
        for name, port in zip(names, ports, strict=True)
    ]
    redis = RedisProcess(folder, (*_JOB_REDIS, "--dir", str(state_dir)))
    cache = RedisProcess(folder, (*_CACHE_REDIS, "--dir", str(folder)), name="redis-cache")
    settings = {
        "PRICING_URL": pricing.address,
        "CALIBRATION_URL": ",".join(each.address for each in calibrations),
        "REDIS_URL": redis.address,
        "CACHE_REDIS_URL": cache.address,
    }
    bayesian = ServiceProcess(
        "bayesian",
        _LOOPBACK,
        free_port(_LOOPBACK),
        # The next run restarts a running job. A short lease, since the only worker that could take
        # over a job is the one that replaces its holder.
        {"REDIS_URL": redis.address, "DRAIN_SECONDS": "0", "LEASE_SECONDS": "10"},
    )
    gateway = ServiceProcess("gateway", host, port, settings)
    return (redis, cache, pricing, *calibrations, bayesian, gateway)


def _calibrations() -> int:
    """Return the number of calibration services: one for each core, at most four."""
    return min(os.cpu_count() or 1, _MAX_CALIBRATIONS)


@contextmanager
def _stop_requested() -> Iterator[_StopRequest]:
    """Yield a flag that a signal sets; restore the previous handlers at the end."""
    stop = _StopRequest()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.is_set = True

    previous = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _wait_until_ready(
    processes: Sequence[Startable], supervised: Sequence[_Supervised], stop: _StopRequest
) -> bool:
    """Wait until every process is ready; return False if a signal came first.

    A process that ends before, for example because of an invalid setting, is not restarted.
    """
    started, is_reported = time.monotonic(), False
    waiting = list(processes)
    while True:
        for one in supervised:
            if one.child.exit_status is not None:
                message = f"{one.child.exit_message()}; stopping everything"
                raise _ProcessFailedError(message)
        waiting = [process for process in waiting if not process.ready()]
        if not waiting:
            return True
        names, seconds = ", ".join(process.name for process in waiting), time.monotonic() - started
        if seconds > _SLOW_SECONDS and not is_reported:
            _print_error(f"starting {names}; the first start compiles, which may take minutes")
            is_reported = True
        if seconds > _READY_SECONDS:
            message = f"not ready after {_READY_SECONDS:.0f} s: {names}"
            raise _ProcessFailedError(message)
        if stop.wait(_POLL_SECONDS):
            return False


def _stop_all(children: Sequence[Child], stop: _StopRequest) -> None:
    """Stop in reverse order, so that clients stop before their services.

    A second signal kills the processes without waiting.
    """
    stop.is_set = False
    for child in reversed(children):
        child.stop()
        deadline = time.monotonic() + _STOP_SECONDS
        while child.exit_status is None and time.monotonic() < deadline and not stop.is_set:
            time.sleep(_POLL_SECONDS / 5)
        child.kill()


def _announce(processes: Sequence[Startable], state_dir: Path, seconds: float) -> None:
    redis, *_, gateway = processes
    assert isinstance(redis, RedisProcess)
    assert isinstance(gateway, ServiceProcess)
    url = gateway.address
    print(
        f"""\
Lévy calibration engine, ready after {seconds:.1f} s

  gateway  {url}
  docs     {url}/docs
  health   {url}/health
  redis    bundled, {redis.address}
  jobs     {state_dir}

Try
  curl -s {url}/calibrate -H 'Content-Type: application/json' \\
    -d '{_EXAMPLE}'

Ctrl-C stops everything.
""",
        flush=True,
    )


_EXAMPLE: Final = (
    '{"model_type": "VarianceGamma", "spot_price": 100, "risk_free_rate": 0.05, '
    '"strikes": [90, 95, 100, 105, 110], "maturities": [0.25, 0.5], '
    '"prices": [[12.17, 8.02, 4.41, 1.84, 0.81], [14.08, 10.28, 6.96, 4.3, 2.44]]}'
)


def _print_error(message: str) -> None:
    print(f"levy serve: {printable(message)}", file=sys.stderr, flush=True)

"""Start, supervise and stop all services."""

import signal
import sys
import tempfile
import threading
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

_LOOPBACK: Final = "127.0.0.1"
_POLL_SECONDS: Final = 0.05
_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 12.0
"""Longer than the drain time of a service."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Startable(Protocol):
    """A process that can be started."""

    name: str

    def start(self) -> Child:
        """Start the process."""

    def ready(self) -> bool:
        """Return whether the process is ready."""


class _ProcessFailedError(Exception):
    """A process ended, or did not become ready."""


def serve(port: int = 8000, *, host: str = _LOOPBACK) -> int:
    """Run every service on this machine until Ctrl-C or SIGTERM.

    Parameters
    ----------
    port : int
        Port of the gateway; 0 chooses a free one.
    host : str
        Address of the gateway; the other services listen on the loopback interface only.

    Returns
    -------
    int
        Exit status: 0 after a signal, 1 if the start or a process failed.
    """
    reason = port_error(host, port)
    if reason is not None:
        _print_error(f"cannot listen on {host}:{port}: {reason}; choose another with --port")
        return 1
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="levy-") as folder, _stop_requested() as stop:
        processes = _processes(host, port or free_port(host), Path(folder))
        children: list[Child] = []
        try:
            for process in processes:
                children.append(process.start())  # noqa: PERF401 - those started must be stopped
            if not _wait_until_ready(processes, children, stop):
                return 0
            _announce(processes, time.monotonic() - started)
            while not stop.wait(_POLL_SECONDS):
                _require_running(children)
        except (_ProcessFailedError, RedisMissingError, OSError) as error:
            _print_error(str(error))
            return 1
        finally:
            _stop_all(children, stop)
    return 0


def _processes(host: str, port: int, folder: Path) -> tuple[Startable, ...]:
    pricing = ServiceProcess("pricing", _LOOPBACK, free_port(_LOOPBACK))
    calibration = ServiceProcess("calibration", _LOOPBACK, free_port(_LOOPBACK))
    redis = RedisProcess(folder)
    settings = {
        "PRICING_URL": pricing.address,
        "CALIBRATION_URL": calibration.address,
        "REDIS_URL": redis.address,
    }
    bayesian = ServiceProcess(
        "bayesian",
        _LOOPBACK,
        free_port(_LOOPBACK),
        # Jobs do not outlive this run: a running one need not be awaited.
        {"REDIS_URL": redis.address, "DRAIN_SECONDS": "0"},
    )
    gateway = ServiceProcess("gateway", host, port, settings)
    return (redis, pricing, calibration, bayesian, gateway)


@contextmanager
def _stop_requested() -> Iterator[threading.Event]:
    """Yield an event that a signal sets; restore the previous handlers at the end."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    previous = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _wait_until_ready(
    processes: Sequence[Startable], children: Sequence[Child], stop: threading.Event
) -> bool:
    """Wait until every process is ready; return False if a signal came first."""
    deadline = time.monotonic() + _READY_SECONDS
    waiting = list(processes)
    while True:
        _require_running(children)
        waiting = [process for process in waiting if not process.ready()]
        if not waiting:
            return True
        if time.monotonic() > deadline:
            names = ", ".join(process.name for process in waiting)
            message = f"not ready after {_READY_SECONDS:.0f} s: {names}"
            raise _ProcessFailedError(message)
        if stop.wait(_POLL_SECONDS):
            return False


def _require_running(children: Sequence[Child]) -> None:
    for child in children:
        if child.exit_status is not None:
            message = f"{child.exit_message()}; stopping everything"
            raise _ProcessFailedError(message)


def _stop_all(children: Sequence[Child], stop: threading.Event) -> None:
    """Stop in reverse order, so that clients stop before their services.

    A second signal kills the processes without waiting.
    """
    stop.clear()
    for child in reversed(children):
        child.stop()
        deadline = time.monotonic() + _STOP_SECONDS
        while child.exit_status is None and time.monotonic() < deadline and not stop.is_set():
            time.sleep(_POLL_SECONDS / 5)
        child.kill()


def _announce(processes: Sequence[Startable], seconds: float) -> None:
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
    print(f"levy serve: {message}", file=sys.stderr, flush=True)

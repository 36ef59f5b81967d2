"""Starts every service, watches them, and stops them all."""

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
from levy_cli.serve.parts import (
    RedisMissingError,
    RedisPart,
    ServicePart,
    free_port,
    port_trouble,
)

_LOOPBACK: Final = "127.0.0.1"
_POLL_SECONDS: Final = 0.05
_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 12.0
"""Longer than a service drains."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Part(Protocol):
    """Something to start."""

    name: str

    def start(self) -> Child:
        """Start it."""

    def ready(self) -> bool:
        """Whether it can do its work."""


class _PartFailedError(Exception):
    """A part ended, or did not become ready."""


def serve(port: int = 8000, *, host: str = _LOOPBACK) -> int:
    """Run every service on this machine until Ctrl-C or SIGTERM.

    Parameters
    ----------
    port : int
        Of the gateway; 0 takes a free one.
    host : str
        Address that the gateway listens on; the others listen on the loopback alone.

    Returns
    -------
    int
        Exit status: 0 if it was asked to stop, 1 if it could not start or a part failed.
    """
    trouble = port_trouble(host, port)
    if trouble is not None:
        _complain(f"cannot listen on {host}:{port}: {trouble}; choose another with --port")
        return 1
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="levy-") as folder, _asked_to_stop() as stop:
        parts = _parts(host, port or free_port(host), Path(folder))
        children: list[Child] = []
        try:
            for part in parts:
                children.append(part.start())  # noqa: PERF401 - those started must be known
            if not _wait_until_ready(parts, children, stop):
                return 0
            _announce(parts, time.monotonic() - started)
            while not stop.wait(_POLL_SECONDS):
                _require_all_alive(children)
        except (_PartFailedError, RedisMissingError, OSError) as error:
            _complain(str(error))
            return 1
        finally:
            _stop_all(children, stop)
    return 0


def _parts(host: str, port: int, folder: Path) -> tuple[Part, ...]:
    pricing = ServicePart("pricing", _LOOPBACK, free_port(_LOOPBACK))
    calibration = ServicePart("calibration", _LOOPBACK, free_port(_LOOPBACK))
    redis = RedisPart(folder)
    settings = {
        "PRICING_URL": pricing.address,
        "CALIBRATION_URL": calibration.address,
        "REDIS_URL": redis.address,
    }
    bayesian = ServicePart(
        "bayesian",
        _LOOPBACK,
        free_port(_LOOPBACK),
        # Nothing outlives this run: a job that runs need not be waited for.
        {"REDIS_URL": redis.address, "DRAIN_SECONDS": "0"},
    )
    gateway = ServicePart("gateway", host, port, settings)
    return (redis, pricing, calibration, bayesian, gateway)


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Give an event that a signal sets; the former handlers come back afterwards."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    former = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _wait_until_ready(
    parts: Sequence[Part], children: Sequence[Child], stop: threading.Event
) -> bool:
    """Wait for every part; False if a signal came first."""
    give_up = time.monotonic() + _READY_SECONDS
    waiting = list(parts)
    while True:
        _require_all_alive(children)
        waiting = [part for part in waiting if not part.ready()]
        if not waiting:
            return True
        if time.monotonic() > give_up:
            names = ", ".join(part.name for part in waiting)
            message = f"not ready after {_READY_SECONDS:.0f} s: {names}"
            raise _PartFailedError(message)
        if stop.wait(_POLL_SECONDS):
            return False


def _require_all_alive(children: Sequence[Child]) -> None:
    for child in children:
        if child.exit_status is not None:
            message = f"{child.epitaph()}; stopping everything"
            raise _PartFailedError(message)


def _stop_all(children: Sequence[Child], stop: threading.Event) -> None:
    """Stop in the reverse order of starting, so that who asks goes before who answers.

    A further signal cuts the draining short.
    """
    stop.clear()
    for child in reversed(children):
        child.ask_to_stop()
        give_up = time.monotonic() + _STOP_SECONDS
        while child.exit_status is None and time.monotonic() < give_up and not stop.is_set():
            time.sleep(_POLL_SECONDS / 5)
        child.kill()


def _announce(parts: Sequence[Part], seconds: float) -> None:
    redis, *_, gateway = parts
    assert isinstance(redis, RedisPart)
    assert isinstance(gateway, ServicePart)
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


def _complain(message: str) -> None:
    print(f"levy serve: {message}", file=sys.stderr, flush=True)

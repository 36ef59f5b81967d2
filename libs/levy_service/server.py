"""Run a service as one process, or as several workers behind one port."""

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, cast

import uvicorn
from fastapi import FastAPI

from levy_service import logs
from levy_service.settings import ServiceSettings

_THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Equals `metrics.MULTIPROCESS_FOLDER`, whose module must not be imported before it is set."""
_PR_SET_PDEATHSIG: Final = 1
_BACKLOG: Final = 256
"""Connections that wait to be accepted, which happens for all of them at once."""
_WORKER_SECONDS: Final = 60
"""Time that a worker may take to start, or to respond to a health check, before it is replaced."""


def run(service: str, factory: str, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests in progress are finished first.

    Parameters
    ----------
    service : str
        Name of the service in every log line.
    factory : str
        `module:function` that returns the application.
    settings : ServiceSettings
    """
    limit_numeric_threads()
    logs.configure(service, level=settings.log_level)
    with multiprocess_metrics(settings.workers):
        uvicorn.run(
            factory,
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            **http_options(settings),
            timeout_keep_alive=cast("int", settings.keep_alive_seconds),
            backlog=_BACKLOG,
            timeout_worker_healthcheck=_WORKER_SECONDS,
            timeout_graceful_shutdown=settings.drain_seconds,
        )


def http_options(settings: ServiceSettings) -> dict[str, Any]:
    """Return uvicorn's options for every HTTP server: limits, and logs of our own only."""
    # Imports the metrics' module, whose folder must be set before.
    from levy_service.protocol import limited

    return {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "ws": "none",
        "http": limited(settings),
    }


def prepare_worker(service: str, settings: ServiceSettings) -> None:
    """Configure a worker process; do nothing if the service has a single process."""
    if multiprocessing.parent_process() is None:
        return
    logs.configure(service, level=settings.log_level)
    _exit_with_parent()
    _remove_dead_worker_gauges()


def freeze_gc_after_startup(app: FastAPI) -> FastAPI:
    """Exclude the objects that exist after startup from later garbage collections.

    Libraries create hundreds of thousands of permanent objects. Without this, each full
    collection visits all of them and delays every request by tens of milliseconds.
    """
    startup = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        async with startup(application):
            gc.collect()
            gc.freeze()
            yield

    app.router.lifespan_context = lifespan
    return app


def limit_numeric_threads() -> None:
    """Use one thread for each numerical operation, unless the environment sets another number.

    Requests run in parallel; matrices of a few hundred rows gain nothing from more threads. Must
    be called before NumPy is imported.
    """
    for variable in _THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")


@contextmanager
def multiprocess_metrics(workers: int) -> Iterator[None]:
    """Create a folder in which workers share their metrics, so that each exposes those of all.

    Must be entered before `levy_service.metrics` is imported.
    """
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="levy-metrics-") as folder:
        os.environ[_METRICS_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[_METRICS_FOLDER]


def _exit_with_parent() -> None:
    """Have the kernel stop this worker if its parent is killed (Linux only)."""
    parent = multiprocessing.parent_process()
    if sys.platform != "linux" or parent is None:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent.pid:
        os.kill(os.getpid(), signal.SIGTERM)


def _remove_dead_worker_gauges() -> None:
    """Remove the gauges of workers that were killed; counters and histograms stay."""
    for gauges in Path(os.environ[_METRICS_FOLDER]).glob("gauge_live*_*.db"):
        pid = gauges.stem.rpartition("_")[2]
        if not Path(f"/proc/{pid}").exists():
            gauges.unlink(missing_ok=True)

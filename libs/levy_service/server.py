"""Running a service as a process, or as several workers behind one port."""

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
from typing import Final

import uvicorn
from fastapi import FastAPI

from levy_service import logs
from levy_service.settings import ServiceSettings

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than any client here keeps an idle connection, so that the client closes first."""

_THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
_SHARED_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
"""As `metrics.SHARED_FOLDER`; that module must not be imported before it is set."""
_PR_SET_PDEATHSIG: Final = 1
_WORKER_SECONDS: Final = 60
"""What a worker may take to start, or to say that it lives, before it is replaced."""


def run(service: str, factory: str, settings: ServiceSettings) -> None:
    """Serve until a signal comes; requests in flight are finished first.

    Parameters
    ----------
    service : str
        Named in every log line.
    factory : str
        `module:function` that makes the application.
    settings : ServiceSettings
        Where to listen, and with how many workers.
    """
    bound_numeric_threads()
    logs.configure(service, level=settings.log_level)
    with metrics_put_together(settings.workers):
        uvicorn.run(
            factory,
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_worker_healthcheck=_WORKER_SECONDS,
            timeout_graceful_shutdown=settings.drain_seconds,
        )


def prepare_worker(service: str, settings: ServiceSettings) -> None:
    """Do in a worker what `run` did in the process that started it; nothing in a single one."""
    if multiprocessing.parent_process() is None:
        return
    logs.configure(service, level=settings.log_level)
    _end_with_the_parent()
    _forget_the_dead()


def settled(app: FastAPI) -> FastAPI:
    """Have what is there at readiness left out of every later search for garbage.

    Libraries leave hundreds of thousands of objects that never go. Python looks at all of them
    again and again, and each time every request waits for tens of milliseconds.
    """
    started = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(of: FastAPI) -> AsyncIterator[None]:
        async with started(of):
            gc.collect()
            gc.freeze()
            yield

    app.router.lifespan_context = lifespan
    return app


def bound_numeric_threads() -> None:
    """Let each computation have one core, unless the environment says otherwise.

    Requests are what runs in parallel here; a matrix of a few hundred rows gains nothing from
    more threads. Must be called before NumPy is imported.
    """
    for variable in _THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")


@contextmanager
def metrics_put_together(workers: int) -> Iterator[None]:
    """Give workers a folder for their counts; whichever is asked then tells those of all.

    Must be entered before `levy_service.metrics` is imported.
    """
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="levy-metrics-") as folder:
        os.environ[_SHARED_METRICS] = folder
        try:
            yield
        finally:
            del os.environ[_SHARED_METRICS]


def _end_with_the_parent() -> None:
    """Have the kernel stop this worker should its parent be killed; Linux alone can."""
    parent = multiprocessing.parent_process()
    if sys.platform != "linux" or parent is None:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent.pid:
        os.kill(os.getpid(), signal.SIGTERM)


def _forget_the_dead() -> None:
    """Remove the levels of workers that were killed; what they counted stays."""
    for levels in Path(os.environ[_SHARED_METRICS]).glob("gauge_live*_*.db"):
        pid = levels.stem.rpartition("_")[2]
        if not Path(f"/proc/{pid}").exists():
            levels.unlink(missing_ok=True)

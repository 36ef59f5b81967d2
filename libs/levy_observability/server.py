"""Running a service as a process."""

import os
from typing import Final

import uvicorn

from levy_observability import logs
from levy_observability.settings import ServiceSettings

KEEP_ALIVE_SECONDS: Final = 75
"""Longer than any client here keeps an idle connection, so that the client closes first."""

_THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def run(service: str, factory: str, settings: ServiceSettings) -> None:
    """Serve until a signal comes; requests in flight are finished first.

    Parameters
    ----------
    service : str
        Named in every log line.
    factory : str
        `module:function` that makes the application.
    settings : ServiceSettings
        Where to listen.
    """
    bound_numeric_threads()
    logs.configure(service, level=settings.log_level)
    uvicorn.run(
        factory,
        factory=True,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


def bound_numeric_threads() -> None:
    """Let each computation have one core, unless the environment says otherwise.

    Requests are what runs in parallel here; a matrix of a few hundred rows gains nothing from
    more threads. Must be called before NumPy is imported.
    """
    for variable in _THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")

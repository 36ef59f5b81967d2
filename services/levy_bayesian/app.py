"""Health and metrics of a worker, served beside its work."""

import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from levy_bayesian.heartbeat import Heartbeat
from levy_bayesian.metrics import BayesianMetrics
from levy_bayesian.settings import BayesianSettings
from levy_service import service
from levy_service.server import http_options


def create_app(
    settings: BayesianSettings,
    metrics: BayesianMetrics,
    heartbeat: Heartbeat,
    consuming: threading.Event,
) -> FastAPI:
    """Build the application for health and metrics of a worker.

    Parameters
    ----------
    settings : BayesianSettings
    metrics : BayesianMetrics
        Metrics of jobs.
    heartbeat : Heartbeat
        Runs while the application is served.
    consuming : threading.Event
        Set while the worker takes jobs.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with heartbeat.running():
            yield

    return service.build(
        title="Lévy Bayesian worker",
        summary="Samples posteriors for jobs of a queue; HTTP serves health and metrics only.",
        metrics=metrics,
        checks=lambda: {"consuming": consuming.is_set(), "redis": heartbeat.received},
        max_body_bytes=settings.max_body_bytes,
        lifespan=lifespan,
    )


@contextmanager
def served(app: FastAPI, settings: BayesianSettings) -> Iterator[Callable[[], None]]:
    """Serve the application from a thread, since the worker needs the main thread for signals.

    Yields the function that starts the thread. Call it after the worker has forked: a child that is
    forked while another thread imports or logs may wait forever for a lock.
    """
    config = uvicorn.Config(app, **http_options(settings))
    server = uvicorn.Server(config)
    # Opened here, so that a port in use fails the start and not the thread.
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.create_server((settings.host, settings.port), family=family) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), name="http")
        try:
            yield thread.start
        finally:
            server.should_exit = True
            if thread.ident is not None:
                thread.join()

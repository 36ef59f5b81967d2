"""Build the calibration service's application."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import structlog
from anyio import to_thread
from fastapi import FastAPI

from levy_calibration.audit_log import AuditLog
from levy_calibration.handlers.calibrate import Record, calibrate, not_recorded
from levy_calibration.handlers.calibrate_many import calibrate_many
from levy_calibration.handlers.champion_challenger import ChampionChallengerRouter
from levy_calibration.handlers.compare import compare
from levy_calibration.handlers.drift_monitor import DriftMonitor
from levy_calibration.handlers.read_quotes import read_quotes
from levy_calibration.metrics import CalibrationMetrics
from levy_calibration.registry import Registry
from levy_calibration.routes import calibrate as calibrate_route
from levy_calibration.routes import compare as compare_route
from levy_calibration.routes import networks as networks_route
from levy_calibration.routes import quotes as quotes_route
from levy_calibration.settings import CalibrationSettings
from levy_numerics.calibration.hybrid import Fit
from levy_numerics.market import Quotes
from levy_schemas.calibration import CalibrationRequest
from levy_schemas.cost import Lane
from levy_service import engine_version, server, service
from levy_service.work import Threads

_log = structlog.get_logger()
_DRIFT_SECONDS: Final = 1.0
"""Interval between updates of drift."""
_DRIFT_SURFACES: Final = 64
"""Surfaces of a model in each update."""


def create_app(settings: CalibrationSettings) -> FastAPI:
    """Build the calibration service."""
    metrics = CalibrationMetrics()
    version, n_starts = engine_version(), settings.n_starts
    networks = Registry.open(settings.registry)
    serving = ChampionChallengerRouter(networks, settings.challenger_share, metrics)
    handler_for_warmup = partial(
        calibrate, n_starts=n_starts, engine_version=version, choose=serving.choose
    )
    watch = DriftMonitor(
        serving.reference,
        metrics,
        settings.drift_window,
        settings.drift_fewest,
        at_once=_DRIFT_SURFACES,
    )

    def observe(quotes: Quotes, fit: Fit) -> None:
        serving.count(quotes, fit)
        watch.observe(quotes, fit)

    record: Record = not_recorded
    if settings.audit_log is not None:
        record = AuditLog(
            settings.audit_log, settings.audit_requests, settings.audit_file_bytes, n_starts
        ).write
    handler = partial(handler_for_warmup, observe=observe, record=record)
    batch_handler = partial(
        calibrate_many,
        n_starts=n_starts,
        engine_version=version,
        choose=serving.choose,
        observe=observe,
        record=record,
    )
    comparing = partial(compare, n_starts=n_starts, model_version=version)
    checks = {"warm": False}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for model in {_EXAMPLE.model_type, *serving.models()}:
            await to_thread.run_sync(
                handler_for_warmup, _EXAMPLE.model_copy(update={"model_type": model})
            )
        await to_thread.run_sync(serving.skipped)
        checks["warm"] = True
        _log.info("service.ready", threads=settings.threads)
        async with _background(watch.refresh):
            yield
        checks["warm"] = False

    app = service.build(
        title="Lévy calibration",
        summary="Calibrates models to option quotes.",
        metrics=metrics,
        checks=lambda: checks,
        max_body_bytes=settings.max_body_bytes,
        lifespan=lifespan,
    )
    # Two brief fits at once in one process take as long as one after the other, and a third more
    # processor time, since they share the interpreter's lock. Further instances run in parallel.
    n_threads: dict[Lane, int] = {"brief": 1, "long": settings.threads}
    threads = {
        lane: Threads(count, settings.deadline_seconds, metrics, lane)
        for lane, count in n_threads.items()
    }
    app.include_router(calibrate_route.router(handler, batch_handler, threads, metrics))
    app.include_router(compare_route.router(comparing, threads["long"], metrics))
    app.include_router(quotes_route.router(read_quotes, threads["long"]))
    app.include_router(networks_route.router(partial(serving.served, version)))
    return app


_EXAMPLE = CalibrationRequest(
    model_type="VarianceGamma",
    spot_price=100.0,
    risk_free_rate=0.05,
    strikes=(90.0, 100.0, 110.0),
    maturities=(0.5, 1.0),
    prices=((14.08, 6.96, 2.44), (17.39, 10.84, 5.99)),
)
"""A surface that each network fits before the first request, so that compiled code is loaded."""


@asynccontextmanager
async def _background(work: Callable[[], None]) -> AsyncIterator[None]:
    """Run work periodically in the background; a failure is logged and does not affect requests."""

    async def loop() -> None:
        while True:
            await asyncio.sleep(_DRIFT_SECONDS)
            try:
                await to_thread.run_sync(work)
            except Exception:  # noqa: BLE001 - requests do not depend on it
                _log.exception("drift.failed")

    task = asyncio.create_task(loop())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def from_environment() -> FastAPI:
    """Build the service from the environment's settings."""
    settings = CalibrationSettings.from_environment()
    server.prepare_worker("levy_calibration", settings)
    return server.freeze_gc_after_startup(create_app(settings))

"""The application, built and wired."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.middleware import Middleware

from levy_gateway.authentication import Admission
from levy_gateway.cache import ResultCache
from levy_gateway.clients import HttpNeighbour, Neighbour
from levy_gateway.documentation import describe_admission
from levy_gateway.handlers.cached_forward import Remember
from levy_gateway.handlers.forward import Forward
from levy_gateway.handlers.health import health
from levy_gateway.handlers.maintain import maintained
from levy_gateway.handlers.models import models
from levy_gateway.handlers.served_versions import Versions
from levy_gateway.handlers.submit import KnownModels, Submit
from levy_gateway.job_store import JobStore, connect
from levy_gateway.keys import KeyRing
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.optional_redis import Store
from levy_gateway.rate_limiter import Rates
from levy_gateway.routes import forwarded, pages, system
from levy_gateway.routes import jobs as jobs_route
from levy_gateway.settings import GatewaySettings
from levy_gateway.task_queue import TaskQueue
from levy_service import server, service

_MAINTENANCE_SECONDS: Final = 5.0
_log = structlog.get_logger()


def create_app(
    settings: GatewaySettings,
    *,
    pricing: Neighbour | None = None,
    calibration: Neighbour | None = None,
    jobs: JobStore | None = None,
    tasks: TaskQueue | None = None,
) -> FastAPI:
    """Build the gateway.

    Parameters
    ----------
    settings : GatewaySettings
        Made once, at the entry.
    pricing, calibration : Neighbour, optional
        Instead of those at the addresses that the settings name; they stay open at the end.
    jobs, tasks : JobStore and TaskQueue, optional
        Instead of those in the settings' Redis.
    """
    metrics = GatewayMetrics()
    store = _store(settings, metrics)
    jobs, tasks = jobs or _jobs(settings), tasks or _tasks(settings)
    opened: list[Neighbour] = []

    def reach(name: str, url: str, patience_seconds: float) -> Neighbour:
        neighbour = HttpNeighbour(name, url, patience_seconds, settings, metrics)
        opened.append(neighbour)
        return neighbour

    to_price, to_fit = settings.pricing_deadline_seconds, settings.calibration_deadline_seconds
    pricing = pricing or reach("pricing", settings.pricing_url, to_price)
    calibration = calibration or reach("calibration", settings.calibration_url, to_fit)
    neighbours = (pricing, calibration)
    versions = Versions(calibration, settings.health_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        _log.info("service.ready", neighbours=[neighbour.name for neighbour in neighbours])
        period = min(_MAINTENANCE_SECONDS, settings.job_resend_seconds)
        async with maintained(jobs, tasks, metrics, period) if jobs and tasks else nullcontext():
            yield
        for each in (*opened, store, jobs, tasks):
            if each is not None:
                await each.close()

    app = service.build(
        title="Lévy calibration engine",
        summary="Fits exponential-Lévy models to option quotes, and prices with them.",
        metrics=metrics,
        # The gateway answers, with documented problems, even when it is alone.
        checks=lambda: {"serving": True},
        max_body_bytes=settings.max_body_bytes,
        lifespan=lifespan,
        guards=(_admission(settings, store, metrics),),
    )
    describe_admission(app)
    forward = Forward(calibration, to_fit)
    remember = Remember(forward, versions, _cache(settings, store), metrics)
    app.include_router(forwarded.router(Forward(pricing, to_price), remember))
    app.include_router(
        system.router(
            partial(models, pricing, versions, to_price, jobs),
            partial(health, neighbours, calibration.name, settings.health_seconds, jobs),
        )
    )
    submit = Submit(jobs, tasks, KnownModels(pricing, to_price)) if jobs and tasks else None
    app.include_router(jobs_route.router(jobs, submit))
    app.include_router(pages.router())
    return app


def _store(settings: GatewaySettings, metrics: GatewayMetrics) -> Store | None:
    if settings.redis_url is None:
        return None
    return Store(settings.redis_url.get_secret_value(), settings.redis_seconds, metrics)


def _jobs(settings: GatewaySettings) -> JobStore | None:
    if settings.redis_url is None:
        return None
    return JobStore(
        connect(settings.redis_url.get_secret_value(), settings.job_redis_seconds),
        timeout_seconds=settings.job_redis_seconds,
        keep_seconds=settings.job_keep_seconds,
        queue_limit=settings.queue_limit,
        resend_seconds=settings.job_resend_seconds,
    )


def _tasks(settings: GatewaySettings) -> TaskQueue | None:
    if settings.redis_url is None:
        return None
    return TaskQueue(settings.redis_url.get_secret_value(), settings.job_redis_seconds)


def _cache(settings: GatewaySettings, store: Store | None) -> ResultCache | None:
    if store is None or settings.cache_seconds == 0:
        return None
    return ResultCache(store, settings.cache_seconds)


def _admission(
    settings: GatewaySettings, store: Store | None, metrics: GatewayMetrics
) -> Middleware:
    limit = settings.limit
    rates = None if limit is None or store is None else Rates(limit, store)
    return Middleware(Admission, keys=KeyRing(settings.api_keys), rates=rates, metrics=metrics)


def from_environment() -> FastAPI:
    """Build the gateway as the environment says."""
    settings = GatewaySettings.from_environment()
    server.prepare_worker("levy_gateway", settings)
    return server.settled(create_app(settings))

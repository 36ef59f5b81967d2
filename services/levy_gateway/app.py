"""Build the gateway's application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.middleware import Middleware

from levy_gateway.authentication import AuthMiddleware
from levy_gateway.cache import ResultCache
from levy_gateway.clients import Upstream
from levy_gateway.documentation import document_authentication
from levy_gateway.handlers.cached_forward import CachedForward
from levy_gateway.handlers.health import health
from levy_gateway.handlers.maintain import periodic_maintenance
from levy_gateway.handlers.models import models
from levy_gateway.handlers.served_versions import ServedVersionsPoller
from levy_gateway.handlers.submit import ModelCatalogue, Submit
from levy_gateway.job_store import JobStore, connect
from levy_gateway.keys import KeyRing
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.optional_redis import OptionalRedis
from levy_gateway.rate_limiter import RateLimiter
from levy_gateway.routes import forwarded, pages, system
from levy_gateway.routes import jobs as jobs_route
from levy_gateway.settings import GatewaySettings
from levy_gateway.task_queue import TaskQueue
from levy_gateway.upstreams import Upstreams
from levy_service import server, service

_MAINTENANCE_SECONDS: Final = 5.0
_log = structlog.get_logger()


def create_app(
    settings: GatewaySettings,
    *,
    pricing: Upstream | None = None,
    calibration: Upstream | None = None,
    jobs: JobStore | None = None,
    tasks: TaskQueue | None = None,
) -> FastAPI:
    """Build the gateway.

    Parameters
    ----------
    settings : GatewaySettings
    pricing, calibration : Upstream, optional
        Replace the clients of the addresses in the settings; the caller closes them.
    jobs, tasks : JobStore and TaskQueue, optional
        Replace those in the Redis of the settings.
    """
    metrics = GatewayMetrics()
    redis = _redis(settings, metrics)
    limit = settings.limit
    limiter = None if limit is None or redis is None else RateLimiter(limit, redis, metrics)
    jobs, tasks = jobs or _jobs(settings), tasks or _tasks(settings)
    upstreams = Upstreams.connect(settings, metrics, pricing, calibration)
    versions = ServedVersionsPoller(upstreams.calibration, settings.health_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        _log.info("service.ready", upstreams=[upstream.name for upstream in upstreams.instances])
        period = min(_MAINTENANCE_SECONDS, settings.job_resend_seconds)
        async with (
            periodic_maintenance(jobs, tasks, metrics, period) if jobs and tasks else nullcontext()
        ):
            yield
        for resource in (*upstreams.opened, redis, jobs, tasks):
            if resource is not None:
                await resource.close()

    app = service.build(
        title="Lévy calibration engine",
        summary="Calibrates exponential-Lévy models to option quotes and prices options.",
        metrics=metrics,
        # Without upstream services the gateway still responds, with documented problems.
        checks=lambda: {"serving": True},
        max_body_bytes=settings.max_body_bytes,
        lifespan=lifespan,
        middleware=(
            Middleware(
                AuthMiddleware, KeyRing(settings.api_keys), limiter, upstreams.queues, metrics
            ),
        ),
    )
    document_authentication(app)
    cached = CachedForward(upstreams.calibrate, versions, _cache(settings, redis), metrics)
    app.include_router(forwarded.router(upstreams.price, cached, limiter))
    pricing_seconds = settings.pricing_deadline_seconds
    app.include_router(
        system.router(
            partial(models, upstreams.pricing, versions, pricing_seconds, jobs),
            partial(
                health,
                upstreams.instances,
                upstreams.calibration.name,
                settings.health_seconds,
                jobs,
                None if settings.cache_redis_url is None else redis,
            ),
        )
    )
    catalogue = ModelCatalogue(upstreams.pricing, pricing_seconds)
    submit = Submit(jobs, tasks, catalogue) if jobs and tasks else None
    app.include_router(jobs_route.router(jobs, submit))
    app.include_router(pages.router())
    return app


def _redis(settings: GatewaySettings, metrics: GatewayMetrics) -> OptionalRedis | None:
    url = settings.cache_redis_url or settings.redis_url
    if url is None:
        return None
    if settings.cache_redis_url is None:
        _log.info("cache.in_job_redis", consequence="cached results use the memory of jobs")
    return OptionalRedis(url.get_secret_value(), settings.redis_seconds, metrics)


def _jobs(settings: GatewaySettings) -> JobStore | None:
    if settings.redis_url is None:
        return None
    return JobStore(
        connect(settings.redis_url.get_secret_value(), settings.job_redis_seconds),
        timeout_seconds=settings.job_redis_seconds,
        keep_seconds=settings.job_keep_seconds,
        queue_limit=settings.queue_limit,
        queue_limit_per_key=settings.queue_limit_per_key,
        resend_seconds=settings.job_resend_seconds,
    )


def _tasks(settings: GatewaySettings) -> TaskQueue | None:
    if settings.redis_url is None:
        return None
    return TaskQueue(settings.redis_url.get_secret_value(), settings.job_redis_seconds)


def _cache(settings: GatewaySettings, redis: OptionalRedis | None) -> ResultCache | None:
    if redis is None or settings.cache_seconds == 0:
        return None
    return ResultCache(redis, settings.cache_seconds)


def from_environment() -> FastAPI:
    """Build the gateway from the environment's settings."""
    settings = GatewaySettings.from_environment()
    server.prepare_worker("levy_gateway", settings)
    return server.freeze_gc_after_startup(create_app(settings))

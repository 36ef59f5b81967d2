"""Health of the system, from the health of its services."""

import asyncio
from collections.abc import Sequence
from typing import Final

from levy_gateway.clients import Upstream, UpstreamError, UpstreamUnavailableError
from levy_gateway.job_store import JobStore, JobStoreError
from levy_gateway.optional_redis import OptionalRedis
from levy_schemas.health import Health, UpstreamHealth
from levy_service.work import DeadlineError

_WORKERS: Final = "bayesian"
_REDIS: Final = "redis"
_CACHE: Final = "redis-cache"


async def health(
    upstreams: Sequence[Upstream],
    calibration: str,
    seconds: float,
    jobs: JobStore | None = None,
    cache: OptionalRedis | None = None,
) -> Health:
    """Return the readiness of every service, requested concurrently, and of the workers.

    Parameters
    ----------
    upstreams : sequence of Upstream
    calibration : str
        Name of the calibration service, whose readiness means that models are loaded.
    seconds : float
        Time limit.
    jobs : JobStore, optional
        Counts workers; without it, none are expected.
    cache : OptionalRedis, optional
        Redis of the result cache and rate limits, if it is not that of the jobs.
    """
    states = await asyncio.gather(*(_readiness(upstream, seconds) for upstream in upstreams))
    services = {u.name: state for u, state in zip(upstreams, states, strict=True)}
    if jobs is not None:
        workers, redis = await asyncio.gather(_workers(jobs), _job_redis(jobs))
        services |= {_WORKERS: workers, _REDIS: redis}
    if cache is not None:
        pong = await cache.attempt("health", cache.client.ping)
        services[_CACHE] = UpstreamHealth(status="ready" if pong else "unreachable")
    ready = [state.status == "ready" for state in services.values()]
    status = "healthy" if all(ready) else "degraded" if any(ready) else "unhealthy"
    return Health.model_validate(
        {
            "status": status,
            "model_loaded": services[calibration].status == "ready",
            "services": services,
        }
    )


async def _readiness(upstream: Upstream, seconds: float) -> UpstreamHealth:
    try:
        reply = await upstream.request("GET", "/health/ready", seconds=seconds)
    except (UpstreamError, DeadlineError):
        return UpstreamHealth(status="unreachable")
    return UpstreamHealth(status="ready" if reply.status == 200 else "not_ready")


async def _job_redis(jobs: JobStore) -> UpstreamHealth:
    try:
        await jobs.require_writable()
    except JobStoreError as error:
        return UpstreamHealth(status="not_ready" if error.rejects_writes else "unreachable")
    return UpstreamHealth(status="ready")


async def _workers(jobs: JobStore) -> UpstreamHealth:
    try:
        n_workers = await jobs.workers()
    except UpstreamUnavailableError:
        return UpstreamHealth(status="unreachable", workers=0)
    return UpstreamHealth(status="ready" if n_workers else "unreachable", workers=n_workers)

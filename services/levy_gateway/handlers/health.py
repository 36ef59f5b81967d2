"""Health of the system, from the health of its services."""

import asyncio
from collections.abc import Sequence
from typing import Final

from levy_gateway.clients import Upstream, UpstreamError, UpstreamUnavailableError
from levy_gateway.job_store import JobStore
from levy_schemas.health import Health, UpstreamHealth
from levy_service.work import DeadlineError

_WORKERS: Final = "bayesian"


async def health(
    upstreams: Sequence[Upstream], calibration: str, seconds: float, jobs: JobStore | None = None
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
    """
    states = await asyncio.gather(*(_readiness(upstream, seconds) for upstream in upstreams))
    services = {u.name: state for u, state in zip(upstreams, states, strict=True)}
    if jobs is not None:
        services[_WORKERS] = await _workers(jobs)
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


async def _workers(jobs: JobStore) -> UpstreamHealth:
    try:
        n_workers = await jobs.workers()
    except UpstreamUnavailableError:
        return UpstreamHealth(status="unreachable", workers=0)
    return UpstreamHealth(status="ready" if n_workers else "unreachable", workers=n_workers)

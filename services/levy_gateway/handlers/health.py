"""The system's health, gathered from its services."""

import asyncio
from collections.abc import Sequence
from typing import Final

from levy_gateway.clients import Neighbour, NeighbourFailedError, NeighbourUnavailableError
from levy_gateway.job_store import JobStore
from levy_schemas.health import Health, NeighbourHealth
from levy_service.work import DeadlineError

_WORKERS: Final = "bayesian"


async def health(
    neighbours: Sequence[Neighbour], calibrates: str, seconds: float, jobs: JobStore | None = None
) -> Health:
    """Ask every service whether it is ready, all at once, and hear whether workers are there.

    Parameters
    ----------
    neighbours : sequence of Neighbour
        Who is asked.
    calibrates : str
        Name of the one whose readiness means that models are loaded.
    seconds : float
        The longest to wait.
    jobs : JobStore, optional
        Counts workers; none are expected without it.
    """
    found = await asyncio.gather(*(_ask(neighbour, seconds) for neighbour in neighbours))
    services = {n.name: state for n, state in zip(neighbours, found, strict=True)}
    if jobs is not None:
        services[_WORKERS] = await _workers(jobs)
    ready = [state.status == "ready" for state in services.values()]
    status = "healthy" if all(ready) else "degraded" if any(ready) else "unhealthy"
    return Health.model_validate(
        {
            "status": status,
            "model_loaded": services[calibrates].status == "ready",
            "services": services,
        }
    )


async def _ask(neighbour: Neighbour, seconds: float) -> NeighbourHealth:
    try:
        reply = await neighbour.ask("GET", "/health/ready", seconds=seconds)
    except (NeighbourUnavailableError, NeighbourFailedError, DeadlineError):
        return NeighbourHealth(status="unreachable")
    return NeighbourHealth(status="ready" if reply.status == 200 else "not_ready")


async def _workers(jobs: JobStore) -> NeighbourHealth:
    try:
        n_workers = await jobs.workers()
    except NeighbourUnavailableError:
        return NeighbourHealth(status="unreachable", workers=0)
    return NeighbourHealth(status="ready" if n_workers else "unreachable", workers=n_workers)

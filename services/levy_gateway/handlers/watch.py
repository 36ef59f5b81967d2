"""Watching the queues, for the metrics: how many jobs wait, how long, and for how many workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from levy_gateway.clients import NeighbourUnavailableError
from levy_gateway.jobs import Jobs
from levy_gateway.metrics import GatewayMetrics
from levy_schemas.jobs import QUEUES

_PAUSE_SECONDS: Final = 5.0


@asynccontextmanager
async def watched(jobs: Jobs, metrics: GatewayMetrics) -> AsyncIterator[None]:
    """Look again and again until the end; while Redis is away what was seen last stays."""
    stopped = asyncio.Event()
    watching = asyncio.create_task(_watch(jobs, metrics, stopped))
    try:
        yield
    finally:
        # Not cancelled: the client of Redis may take that for a failure of its own, and go on.
        stopped.set()
        await watching


async def _watch(jobs: Jobs, metrics: GatewayMetrics, stopped: asyncio.Event) -> None:
    while not stopped.is_set():
        try:
            for queue in QUEUES:
                level = await jobs.level(queue)
                metrics.queue_level(queue, level.waiting, level.oldest_seconds)
            metrics.bayesian_workers.set(await jobs.workers())
        except NeighbourUnavailableError:
            metrics.redis_failures.labels("jobs").inc()
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), _PAUSE_SECONDS)

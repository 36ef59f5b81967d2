"""The periodic step of the job store: re-send tasks, delete expired jobs, measure the queues."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from levy_gateway.clients import UpstreamUnavailableError
from levy_gateway.job_store import JobStore
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.task_queue import TaskQueue
from levy_schemas.jobs import QUEUES


@asynccontextmanager
async def periodic_maintenance(
    jobs: JobStore, tasks: TaskQueue, metrics: GatewayMetrics, period_seconds: float
) -> AsyncIterator[None]:
    """Run the periodic step in the background.

    Every gateway measures the queues for its own metrics; one of them re-sends and deletes in each
    period. While Redis is unavailable the metrics keep their last values.
    """
    stopped = asyncio.Event()
    running = asyncio.create_task(_run(jobs, tasks, metrics, period_seconds, stopped))
    try:
        yield
    finally:
        # Not cancelled: the Redis client may treat that as a failure of its own, and go on.
        stopped.set()
        await running


async def _run(
    jobs: JobStore,
    tasks: TaskQueue,
    metrics: GatewayMetrics,
    period_seconds: float,
    stopped: asyncio.Event,
) -> None:
    while not stopped.is_set():
        try:
            await _measure(jobs, metrics)
            if await jobs.take_turn(period_seconds):
                metrics.jobs_resent.inc(await jobs.resend(tasks.send))
                await jobs.delete_expired()
        except UpstreamUnavailableError:
            metrics.redis_failures.labels("jobs").inc()
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), period_seconds)


async def _measure(jobs: JobStore, metrics: GatewayMetrics) -> None:
    for queue in QUEUES:
        level = await jobs.level(queue)
        metrics.set_queue_level(queue, level.waiting, level.oldest_seconds)
    metrics.bayesian_workers.set(await jobs.workers())

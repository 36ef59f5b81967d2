"""The Celery application, built and wired."""

import socket
import uuid

from celery import Celery

from levy_bayesian import tasks
from levy_bayesian.handlers.run import Compute
from levy_bayesian.metrics import BayesianMetrics
from levy_bayesian.settings import BayesianSettings

_SWEEPS = 6
"""For forgotten jobs, in the time of a lease."""


def create_worker(
    settings: BayesianSettings,
    compute: Compute,
    metrics: BayesianMetrics,
    *,
    name: str | None = None,
) -> Celery:
    """Build the application of a worker.

    A job is acknowledged when it has ended, so one whose process dies is handed to another; one
    is taken at a time, so none waits behind a long one while another worker is idle. What a job
    found is in its hash, not in Celery's results.

    Parameters
    ----------
    settings : BayesianSettings
    compute : callable
        What samples. It is to initialise JAX when it is called, and not when it is imported:
        what it holds does not survive the fork that makes a worker's process.
    metrics : BayesianMetrics
        Where jobs are counted.
    name : str, optional
        Who holds the leases of jobs that run here; a new name if absent.
    """
    url = settings.redis_url.get_secret_value()
    app = Celery("levy_bayesian", broker=_celery_url(url), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            # A delivery is renewed as long as its job runs: what looks forgotten, is.
            "visibility_timeout": settings.lease_seconds,
            "unacked_restore_interval": max(1.0, settings.lease_seconds / _SWEEPS),
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": settings.lease_seconds,
        },
        task_acks_late=True,
        task_create_missing_queues=True,
        task_ignore_result=True,
        task_reject_on_worker_lost=True,
        task_serializer="json",
        task_soft_time_limit=settings.soft_limit_seconds,
        task_time_limit=settings.hard_limit_seconds,
        worker_concurrency=1,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=600.0,
    )
    tasks.register(app, settings, compute, metrics, name or new_name())
    return app


def new_name() -> str:
    """A name that no other worker has, nor this one after its next start."""
    return f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"


def _celery_url(url: str) -> str:
    """Celery's word for a socket is its own: `redis+socket` where Redis says `unix`."""
    return url.replace("unix://", "redis+socket://", 1) if url.startswith("unix://") else url

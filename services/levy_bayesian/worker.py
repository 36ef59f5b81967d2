"""Build the Celery application."""

import socket
import uuid

from celery import Celery

from levy_bayesian import tasks
from levy_bayesian.handlers.run import Compute
from levy_bayesian.metrics import BayesianMetrics
from levy_bayesian.settings import BayesianSettings
from levy_schemas.jobs import broker_url

_SOCKET_SECONDS = 10.0


def create_worker(
    settings: BayesianSettings,
    compute: Compute,
    metrics: BayesianMetrics,
    *,
    name: str | None = None,
) -> Celery:
    """Build the application of a worker.

    Celery delivers ids of jobs; the job store is the truth, and a lost or duplicated delivery is
    harmless. Messages are acknowledged late, with a prefetch of one: a
    job whose child process crashes is restarted at once, and no job waits behind a long one while
    another worker is idle. Results are in the job store, not in Celery's result backend.

    Parameters
    ----------
    settings : BayesianSettings
    compute : callable
        Samples. It must initialise JAX when it is called, not when it is imported: JAX does not
        survive the fork that creates the child process.
    metrics : BayesianMetrics
        Counts jobs.
    name : str, optional
        Holder of the leases of jobs that run here; a new name if absent.
    """
    url = settings.redis_url.get_secret_value()
    app = Celery("levy_bayesian", broker=broker_url(url), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        # A Redis that rejects writes counts as unavailable: wait until it accepts them.
        broker_channel_error_retry=True,
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            # Longer than any job: the gateway re-sends those whose worker is lost.
            "visibility_timeout": 2 * settings.hard_limit_seconds,
            "socket_timeout": _SOCKET_SECONDS,
            "socket_connect_timeout": _SOCKET_SECONDS,
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
        # In KiB, compared with the peak after each job: compiled programs are not freed.
        worker_max_memory_per_child=1024 * settings.memory_mib,
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=600.0,
    )
    tasks.register(app, settings, compute, metrics, name or new_name())
    return app


def new_name() -> str:
    """Return a name that is unique to this start of this worker."""
    return f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"

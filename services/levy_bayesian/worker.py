"""The Celery application, built and wired."""

from celery import Celery

from levy_bayesian import tasks
from levy_bayesian.handlers.run import Compute
from levy_bayesian.settings import BayesianSettings


def create_worker(settings: BayesianSettings, compute: Compute) -> Celery:
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
    """
    url = settings.redis_url.get_secret_value()
    app = Celery("levy_bayesian", broker=_celery_url(url), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": settings.visibility_seconds},
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
    )
    tasks.register(app, settings, compute)
    return app


def _celery_url(url: str) -> str:
    """Celery's word for a socket is its own: `redis+socket` where Redis says `unix`."""
    return url.replace("unix://", "redis+socket://", 1) if url.startswith("unix://") else url

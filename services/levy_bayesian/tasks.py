"""The task `bayesian.sample`: a message is read, the handler called."""

import time
from functools import partial
from typing import Any, Final

import structlog
from celery import Celery, Task
from celery.exceptions import Reject, SoftTimeLimitExceeded, TimeLimitExceeded
from pydantic import ValidationError
from redis.exceptions import RedisError

from levy_bayesian.clients import RedisJob, connect
from levy_bayesian.handlers.run import (
    Compute,
    Found,
    HeldError,
    TimeLimitError,
    problem_of,
    run,
)
from levy_bayesian.metrics import BayesianMetrics
from levy_bayesian.progress import Progress
from levy_bayesian.settings import BayesianSettings
from levy_numerics.errors import InvalidInputError
from levy_observability import request_id
from levy_schemas.jobs import TASK, BayesianRequest

_UNKNOWN: Final = "unknown"
_HELD_PAUSE_SECONDS: Final = 1.0
_log = structlog.get_logger()


def register(
    app: Celery, settings: BayesianSettings, compute: Compute, metrics: BayesianMetrics, worker: str
) -> None:
    """Teach an application the task.

    Parameters
    ----------
    app : Celery
    settings : BayesianSettings
    compute : callable
        What samples; see `levy_bayesian.handlers.run`.
    metrics : BayesianMetrics
        Where jobs are counted.
    worker : str
        Who holds the leases of jobs that run here.
    """
    url = settings.redis_url.get_secret_value()

    def job_in(redis: Any, job_id: str) -> RedisJob:
        return RedisJob(
            redis,
            job_id,
            worker=worker,
            lease_seconds=settings.lease_seconds,
            keep_seconds=settings.keep_seconds,
            max_attempts=settings.max_attempts,
        )

    def work(payload: Any, progress: Progress) -> Found:
        asked = _read(payload)
        try:
            result, draws = compute(asked, progress)
        except SoftTimeLimitExceeded as error:
            raise TimeLimitError from error
        metrics.found(asked, result)
        return result, draws

    class SamplingTask(Task):  # type: ignore[misc] # Celery ships no types
        def on_failure(
            self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any
        ) -> None:
            """Tell of a process that was ended at the hard limit; nobody else is left to do so."""
            del task_id, kwargs, einfo
            if isinstance(exc, TimeLimitExceeded):
                with connect(url) as redis:
                    job_in(redis, args[0]).fail(problem_of(TimeLimitError()))
                metrics.ended(*_names(args[1]), "failed", settings.hard_limit_seconds)

    @app.task(name=TASK, bind=True, shared=False, base=SamplingTask)  # type: ignore[untyped-decorator]
    def sample(task: Any, job_id: str, payload: dict[str, Any]) -> None:
        """Run one job; it is delivered again if this process dies."""
        headers, properties = task.request.headers or {}, task.request.properties or {}
        identity = request_id.accept(headers.get("request_id"))
        request_id.bind(identity)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=identity, job_id=job_id)
        started = time.perf_counter()
        # Opened here and not before: a connection does not survive a fork.
        with connect(url) as redis:
            job = job_in(redis, job_id)
            try:
                with job.held(properties.get("delivery_tag")):
                    outcome = run(job, partial(work, payload))
            except HeldError as error:
                # Back into the queue, where it is found when the other has ended, or is gone.
                time.sleep(_HELD_PAUSE_SECONDS)
                raise Reject(reason="held elsewhere", requeue=True) from error
            except RedisError as error:
                _log.warning("job.unwritten", reason=str(error))
                raise Reject(reason="Redis is away", requeue=True) from error
        seconds = time.perf_counter() - started
        model, engine = _names(payload)
        metrics.ended(model, engine, outcome, seconds)
        if isinstance(created := headers.get("created"), float):
            metrics.wait_seconds.labels(
                task.request.delivery_info.get("routing_key", _UNKNOWN)
            ).observe(max(0.0, time.time() - seconds - created))
        _log.info(
            "job.finished", outcome=outcome, engine=engine, model=model, seconds=round(seconds, 3)
        )


def _read(payload: Any) -> BayesianRequest:
    """Check a payload again: a gateway of another version may have checked it otherwise."""
    try:
        return BayesianRequest.model_validate(payload)
    except ValidationError as error:
        message = f"{error.error_count()} errors in the payload"
        raise InvalidInputError(message) from error


def _names(payload: Any) -> tuple[str, str]:
    """Model and engine, for metrics: what is none must not become a label."""
    try:
        asked = BayesianRequest.model_validate(payload)
    except ValidationError:
        return _UNKNOWN, _UNKNOWN
    return asked.model_type, asked.engine

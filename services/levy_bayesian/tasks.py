"""The task `bayesian.sample`: a message is read, the handler called."""

from typing import Any

import structlog
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from pydantic import ValidationError
from redis import Redis

from levy_bayesian.clients import RedisJob
from levy_bayesian.handlers.run import Compute, Progress, TimeLimitError, problem_of, run
from levy_bayesian.settings import BayesianSettings
from levy_numerics.errors import InvalidInputError
from levy_observability import request_id
from levy_schemas.jobs import TASK, BayesianRequest, BayesianResult

_log = structlog.get_logger()


def register(app: Celery, settings: BayesianSettings, compute: Compute) -> None:
    """Teach an application the task.

    Parameters
    ----------
    app : Celery
    settings : BayesianSettings
    compute : callable
        What samples; see `levy_bayesian.handlers.run`.
    """

    def in_time(asked: BayesianRequest, progress: Progress) -> tuple[BayesianResult, bytes]:
        try:
            return compute(asked, progress)
        except SoftTimeLimitExceeded as error:
            raise TimeLimitError from error

    @app.task(name=TASK, bind=True, shared=False)  # type: ignore[untyped-decorator]
    def sample(task: Any, job_id: str, payload: dict[str, Any]) -> None:
        """Run one job; it is delivered again if this process dies."""
        identity = request_id.accept((task.request.headers or {}).get("request_id"))
        request_id.bind(identity)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=identity, job_id=job_id)
        # Opened here and not before: a connection does not survive a fork.
        with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
            job = RedisJob(redis, job_id, settings.keep_seconds)
            try:
                asked = BayesianRequest.model_validate(payload)
            except ValidationError as error:
                # A gateway of another version may have checked it otherwise.
                message = f"{error.error_count()} errors in the payload"
                if job.begin():
                    job.fail(problem_of(InvalidInputError(message)))
                _log.warning("job.finished", outcome="failed", reason=message)
                return
            outcome = run(job, asked, in_time)
        _log.info("job.finished", outcome=outcome, engine=asked.engine, model=asked.model_type)

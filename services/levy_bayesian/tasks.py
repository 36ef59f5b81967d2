"""The Celery task `bayesian.sample`: read the job record and call the handler."""

import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from celery import Celery, Task
from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from celery.worker.request import Request
from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError

from levy_bayesian.handlers.run import Compute, SamplingOutput, TimeLimitError, job_problem, run
from levy_bayesian.job_store import RETRIES, Job, JobLostError, connect, held
from levy_bayesian.metrics import BayesianMetrics
from levy_bayesian.progress import ProgressCallback
from levy_bayesian.settings import BayesianSettings
from levy_numerics.errors import InvalidInputError
from levy_schemas.jobs import TASK, BayesianRequest
from levy_service import request_id

_UNKNOWN: Final = "unknown"
_SIGNALS_OF_OTHERS: Final = ("SIGTERM", "SIGKILL")
_MAX_CHOICES: Final = 5
_VMSTAT: Final = Path("/proc/vmstat")
_log = structlog.get_logger()


def register(
    app: Celery, settings: BayesianSettings, compute: Compute, metrics: BayesianMetrics, worker: str
) -> None:
    """Register the task with an application.

    Parameters
    ----------
    app : Celery
    settings : BayesianSettings
    compute : callable
        Samples; see `levy_bayesian.handlers.run`.
    metrics : BayesianMetrics
        Counts jobs.
    worker : str
        Holder of the leases of jobs that run here.
    """
    url = settings.redis_url.get_secret_value()

    def job_in(redis: Redis, job_id: str, retries: int = RETRIES) -> Job:
        return Job(
            redis,
            job_id,
            worker=worker,
            lease_seconds=settings.lease_seconds,
            keep_seconds=settings.keep_seconds,
            max_attempts=settings.max_attempts,
            retries=retries,
        )

    def work(content: bytes | None, progress: ProgressCallback) -> SamplingOutput:
        request = _validated(content)
        try:
            result, draws = compute(request, progress)
        except SoftTimeLimitExceeded as error:
            raise TimeLimitError from error
        metrics.record_result(request, result)
        return result, draws

    class SamplingRequest(Request):  # type: ignore[misc] # Celery ships no types
        """A delivery, seen by the worker's parent process, which observes how its child ends."""

        oom_kills = sys.maxsize

        def on_accepted(self, pid: int, time_accepted: float) -> None:
            """Note the state of the system when the child process takes the job."""
            self.oom_kills = _oom_kills()
            super().on_accepted(pid, time_accepted)

        def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> None:
            """Release the job of a process that is lost, before Celery delivers it again."""
            # Billiard wraps exceptions to keep their traceback.
            error = getattr(exc_info.exception, "exc", exc_info.exception)
            if isinstance(error, WorkerLostError):
                crashed = _is_crash(str(error), out_of_memory=_oom_kills() > self.oom_kills)
                _log.warning("process.lost", reason=str(error), crashed=crashed)
                with suppress(RedisError, JobLostError), connect(url) as redis:
                    for job_id in held(redis, worker):
                        job_in(redis, job_id, retries=0).release(crashed=crashed)
            super().on_failure(exc_info, *args, **kwargs)

    class SamplingTask(Task):  # type: ignore[misc] # Celery ships no types
        Request = SamplingRequest

        def on_failure(
            self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any
        ) -> None:
            """Fail a job whose process was killed at the hard limit; the worker itself calls."""
            del task_id, args, kwargs, einfo
            if not isinstance(exc, TimeLimitExceeded):
                return
            # Not retried: the worker would stand still. The job is delivered again instead.
            with suppress(RedisError, JobLostError), connect(url) as redis:
                for job_id in held(redis, worker):
                    job = job_in(redis, job_id, retries=0)
                    job.fail(job_problem(TimeLimitError()))
                    labels = _labels(job.read().request)
                    metrics.ended(*labels, "failed", settings.hard_limit_seconds)

    @app.task(name=TASK, shared=False, base=SamplingTask)  # type: ignore[untyped-decorator]
    def sample(job_id: str) -> None:
        """Run the job whose turn it is. A job that was not finished is sent again."""
        # Opened here and not before: a connection does not survive a fork.
        with connect(url) as redis:
            try:
                # Another worker may have chosen the same job.
                for _ in range(_MAX_CHOICES):
                    chosen = job_in(redis, job_id).in_turn()
                    if sample_one(redis, chosen) != "skipped" or chosen == job_id:
                        return
            except RedisError as error:
                _log.warning("job.not_written", job_id=job_id, reason=str(error))

    def sample_one(redis: Redis, job_id: str) -> str:
        """Run one job, unless it has ended or another worker runs it; return its outcome."""
        wall_started, started = time.time(), time.perf_counter()
        structlog.contextvars.clear_contextvars()
        job = job_in(redis, job_id)
        record = job.read()
        identity = request_id.accept(record.request_id)
        request_id.bind(identity)
        structlog.contextvars.bind_contextvars(request_id=identity, job_id=job_id)
        with job.lease_renewed():
            outcome = run(job, partial(work, record.request))
        if outcome == "skipped":
            _log.info("job.skipped")
            return outcome
        seconds = time.perf_counter() - started
        model, engine = _labels(record.request)
        metrics.ended(model, engine, outcome, seconds)
        metrics.wait_seconds.labels(record.queue).observe(max(0.0, wall_started - record.created))
        _log.info(
            "job.finished", outcome=outcome, engine=engine, model=model, seconds=round(seconds, 3)
        )
        return outcome


def _is_crash(reason: str, *, out_of_memory: bool) -> bool:
    """Return whether a job brought its process down: a crash, or the kernel's out-of-memory kill.

    An operator's or the system's SIGTERM or SIGKILL is not the job's failure. The kernel kills by
    SIGKILL as well, and counts it.
    """
    return out_of_memory or not any(name in reason for name in _SIGNALS_OF_OTHERS)


def _oom_kills() -> int:
    """Return the kernel's number of out-of-memory kills, 0 where it is not available."""
    try:
        lines = dict(line.split() for line in _VMSTAT.read_text().splitlines())
    except OSError:
        return 0
    return int(lines.get("oom_kill", 0))


def _validated(content: bytes | None) -> BayesianRequest:
    """Validate a request again: the gateway may have another version."""
    try:
        return BayesianRequest.model_validate_json(content or b"")
    except ValidationError as error:
        message = f"The job's request is not valid: {error.error_count()} errors."
        raise InvalidInputError(message) from error


def _labels(content: bytes | None) -> tuple[str, str]:
    """Return model and engine for metrics; an invalid request must not add labels."""
    try:
        request = _validated(content)
    except InvalidInputError:
        return _UNKNOWN, _UNKNOWN
    return request.model_type, request.engine

"""Run one job; every outcome is written to its record."""

from collections.abc import Callable

import structlog

from levy_bayesian.job_store import Job, JobLostError
from levy_bayesian.progress import Progress, ProgressCallback
from levy_schemas.jobs import BayesianRequest, BayesianResult
from levy_schemas.problems import Problem
from levy_service.problems import ProblemError, internal_problem, problem_of

SamplingOutput = tuple[BayesianResult, bytes]
"""Summary of a posterior, and its draws as netCDF."""
Compute = Callable[[BayesianRequest, ProgressCallback], SamplingOutput]
"""Samples the posterior that a request describes."""

_PATH = "/calibrate/bayesian"
_log = structlog.get_logger()


class CancelledError(Exception):
    """The job's cancellation was requested."""


class TimeLimitError(ProblemError):
    """The job exceeded its time limit."""

    code = "deadline"

    def __init__(self) -> None:
        super().__init__("Job exceeded its time limit. Request fewer draws or another engine.")


class MaxAttemptsExceededError(ProblemError):
    """The worker process crashed too often, or no attempt ended within a day."""

    code = "internal"

    def __init__(self) -> None:
        super().__init__(
            "Job failed: the worker process crashed on every attempt (max retries reached)."
        )


def run(job: Job, work: Callable[[ProgressCallback], SamplingOutput]) -> str:
    """Run a job, unless it has ended or another worker runs it.

    Parameters
    ----------
    job : Job
    work : callable
        Samples; whatever it raises becomes the job's problem.

    Returns
    -------
    str
        succeeded, failed, cancelled, lost (taken over by another worker) or skipped.
    """
    outcome = job.start()
    if outcome == "exhausted":
        job.fail(job_problem(MaxAttemptsExceededError()))
        return "failed"
    if outcome != "started":
        return "skipped"
    try:
        return _run_started(job, work)
    except JobLostError:
        return "lost"


def _run_started(job: Job, work: Callable[[ProgressCallback], SamplingOutput]) -> str:

    def report(progress: Progress) -> None:
        if job.is_cancelled():
            raise CancelledError
        job.advance(progress)

    try:
        result, draws = work(report)
    except CancelledError:
        job.cancel()
        return "cancelled"
    except JobLostError:
        raise
    except Exception as error:  # noqa: BLE001 - becomes the job's problem
        job.fail(job_problem(error))
        return "failed"
    job.succeed(result, draws)
    return "succeeded"


def job_problem(error: Exception) -> Problem:
    """Return an error as a problem; an unexpected one is logged and shows its request id only."""
    problem = problem_of(error, _PATH)
    if problem is None:
        _log.error("job.failed", exc_info=error)
        problem = internal_problem(_PATH)
    return problem

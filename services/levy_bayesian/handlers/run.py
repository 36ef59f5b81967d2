"""Running one job: whatever happens, it is told as data."""

from collections.abc import Callable

import structlog

from levy_bayesian.clients import Job, JobLostError
from levy_bayesian.progress import Progress, Standing
from levy_observability import request_id
from levy_observability.problems import coded_problem
from levy_schemas.jobs import BayesianRequest, BayesianResult
from levy_schemas.problems import PROBLEMS, Problem

Found = tuple[BayesianResult, bytes]
"""A posterior's summary, and its draws as netCDF."""
Compute = Callable[[BayesianRequest, Progress], Found]
"""Samples a request's posterior."""

_PATH = "/calibrate/bayesian"
_log = structlog.get_logger()


class CancelledError(Exception):
    """Somebody asked to end the job."""


class TimeLimitError(Exception):
    """The job took longer than it may."""

    code = "deadline"

    def __init__(self) -> None:
        self.message = "The job took longer than it may; ask for fewer draws, or another engine."
        self.details: dict[str, object] = {}
        super().__init__(self.message)


class WornError(Exception):
    """The job ended every process that took it."""

    code = "internal"

    def __init__(self) -> None:
        self.message = "Every process that took the job died of it, and it is not tried again."
        self.details: dict[str, object] = {}
        super().__init__(self.message)


class HeldError(Exception):
    """Another worker runs the job and is alive."""


def run(job: Job, work: Callable[[Progress], Found]) -> str:
    """Run a job that is not yet done; running it again changes nothing.

    Parameters
    ----------
    job : Job
    work : callable
        What samples; whatever it raises, the request's faults too, is told as a problem.

    Returns
    -------
    str
        succeeded, failed, cancelled, lost to another worker, or skipped.

    Raises
    ------
    HeldError
        It is not to be run now, and may have to be later.
    """
    begun = job.begin()
    if begun == "held":
        raise HeldError
    if begun == "over":
        return "skipped"
    if begun == "worn":
        job.fail(problem_of(WornError()))
        return "failed"
    try:
        return _run_begun(job, work)
    except JobLostError:
        return "lost"


def _run_begun(job: Job, work: Callable[[Progress], Found]) -> str:

    def progress(standing: Standing) -> None:
        if job.is_cancelled():
            raise CancelledError
        job.advance(standing)

    try:
        result, draws = work(progress)
    except CancelledError:
        job.cancel()
        return "cancelled"
    except JobLostError:
        raise
    except Exception as error:  # noqa: BLE001 - a failure travels as data
        job.fail(problem_of(error))
        return "failed"
    job.succeed(result, draws)
    return "succeeded"


def problem_of(error: Exception) -> Problem:
    """Tell an error as a problem; one that nobody foresaw is logged, and tells its id alone."""
    known = coded_problem(error, _PATH)
    if known is not None:
        return known
    _log.error("job.failed", exc_info=error)
    kind = PROBLEMS["internal"]
    return Problem(
        type=kind.uri,
        title=kind.title,
        status=kind.status,
        detail="The failure is logged under this request id.",
        instance=_PATH,
        code=kind.code,
        request_id=request_id.current(),
    )

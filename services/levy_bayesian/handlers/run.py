"""Running one job: whatever happens, it is told as data."""

from collections.abc import Callable

import structlog

from levy_bayesian.clients import Job
from levy_observability import request_id
from levy_observability.problems import coded_problem
from levy_schemas.jobs import BayesianRequest, BayesianResult
from levy_schemas.problems import PROBLEMS, Problem

Progress = Callable[[float], None]
Compute = Callable[[BayesianRequest, Progress], tuple[BayesianResult, bytes]]
"""Samples a request's posterior: its summary, and the draws as netCDF."""

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


def run(job: Job, request: BayesianRequest, compute: Compute) -> str:
    """Run a job that is not yet done; running it again changes nothing.

    Parameters
    ----------
    job : Job
    request : BayesianRequest
    compute : callable
        What samples.

    Returns
    -------
    str
        succeeded, failed, cancelled, or skipped.
    """
    if not job.begin():
        return "skipped"

    def progress(share: float) -> None:
        if job.is_cancelled():
            raise CancelledError
        job.advance(share)

    try:
        result, draws = compute(request, progress)
    except CancelledError:
        job.cancel()
        return "cancelled"
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

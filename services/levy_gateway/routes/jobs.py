"""`/calibrate/bayesian`: submit, poll and cancel jobs, and download their draws."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Request, Response

from levy_gateway.handlers.submit import Submit
from levy_gateway.job_store import JobStore
from levy_schemas.headers import IDEMPOTENCY_KEY, RETRY_AFTER
from levy_schemas.jobs import ENDED, BayesianRequest, JobAccepted, JobStatus
from levy_service.body import StrictJsonRoute
from levy_service.documentation import BODY_PROBLEMS, problems
from levy_service.problems import ProblemError

NETCDF: Final = "application/x-netcdf"
_PATH: Final = "/calibrate/bayesian"
_POLL_SECONDS: Final = 1
"""Recommended interval between two polls."""

_JobId = Annotated[str, Path(description="id of the job, from the response that accepted it")]

_ANONYMOUS: Final = ""
"""Owner of jobs if no API keys are configured: the id alone gives access."""

_RETRY: Final[dict[str, Any]] = {
    RETRY_AFTER: {
        "description": "seconds to wait before the next poll",
        "schema": {"type": "integer"},
    }
}
_ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "description": "The job is accepted",
        "headers": _RETRY
        | {"Location": {"description": "URL of the job's status", "schema": {"type": "string"}}},
    }
}
_STATUS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Status of the job; `Retry-After` until it has ended", "headers": _RETRY}
}
_DRAWS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "ArviZ InferenceData as netCDF",
        "content": {NETCDF: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_JOBS_PROBLEMS: Final = ("upstream-unavailable", "unsupported")
_JOB_PROBLEMS: Final = ("unknown-job", *_JOBS_PROBLEMS)
_SUBMISSION_PROBLEMS: Final = (
    *("unknown-model", "idempotency-conflict", "queue-full"),
    *("upstream-error", "deadline", *_JOBS_PROBLEMS),
)


class NoJobStoreError(ProblemError):
    """The gateway has no Redis for jobs."""

    code = "unsupported"

    def __init__(self) -> None:
        super().__init__("This gateway does not accept jobs: LEVY_GATEWAY_REDIS_URL is not set.")


def router(jobs: JobStore | None, submit: Submit | None) -> APIRouter:
    """Return the routes; without Redis each responds with a problem."""
    routes = APIRouter(route_class=StrictJsonRoute, tags=["bayesian"])

    def required_jobs() -> JobStore:
        if jobs is None:
            raise NoJobStoreError
        return jobs

    @routes.post(
        _PATH,
        status_code=202,
        response_model=JobAccepted,
        responses=_ACCEPTED | problems(*BODY_PROBLEMS, *_SUBMISSION_PROBLEMS),
    )
    async def start_job(
        body: BayesianRequest,
        request: Request,
        response: Response,
        idempotency_key: Annotated[
            str | None,
            Header(
                alias=IDEMPOTENCY_KEY,
                min_length=1,
                max_length=255,
                description="a repeated submission with the same key returns the first job",
            ),
        ] = None,
    ) -> JobAccepted:
        """Submit a job that samples the posterior of a model; return its status URL."""
        if submit is None:
            raise NoJobStoreError
        job_id = await submit(body, owner=_owner(request), idempotency_key=idempotency_key)
        status_url = f"{_PATH}/{job_id}"
        response.headers["Location"] = status_url
        response.headers[RETRY_AFTER] = str(_POLL_SECONDS)
        return JobAccepted(job_id=job_id, status_url=status_url)

    @routes.get(_PATH + "/{job_id}", responses=_STATUS | problems(*_JOB_PROBLEMS))
    async def follow_job(job_id: _JobId, request: Request, response: Response) -> JobStatus:
        """Return the status of a job, and its result once it has succeeded."""
        return _with_retry_after(await required_jobs().status(job_id, _owner(request)), response)

    @routes.delete(_PATH + "/{job_id}", responses=_STATUS | problems(*_JOB_PROBLEMS))
    async def cancel_job(job_id: _JobId, request: Request, response: Response) -> JobStatus:
        """Cancel a job; a running one stops at its next block of draws."""
        return _with_retry_after(await required_jobs().cancel(job_id, _owner(request)), response)

    @routes.get(
        _PATH + "/{job_id}/inference-data",
        response_class=Response,
        responses=_DRAWS | problems("no-draws", *_JOB_PROBLEMS),
    )
    async def download_draws(job_id: _JobId, request: Request) -> Response:
        """Return the draws of a job that succeeded."""
        draws = await required_jobs().draws(job_id, _owner(request))
        headers = {"Content-Disposition": f'attachment; filename="{job_id}.nc"'}
        return Response(draws, media_type=NETCDF, headers=headers)

    return routes


def _with_retry_after(status: JobStatus, response: Response) -> JobStatus:
    if status.status not in ENDED:
        response.headers[RETRY_AFTER] = str(_POLL_SECONDS)
    return status


def _owner(request: Request) -> str:
    """Return the holder of the request's API key; an address may change, so it owns no jobs."""
    caller = str(request.state.caller)
    return _ANONYMOUS if ":" in caller else caller

"""`/calibrate/bayesian`: jobs are made, followed, cancelled, and their draws downloaded."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response

from levy_gateway.handlers.submit import Submit
from levy_gateway.job_store import JobStore
from levy_observability.body import StrictJsonRoute
from levy_observability.documentation import OF_A_BODY, problems
from levy_schemas.headers import IDEMPOTENCY_KEY, RETRY_AFTER
from levy_schemas.jobs import ENDED, BayesianRequest, JobAccepted, JobStatus

NETCDF: Final = "application/x-netcdf"
_PATH: Final = "/calibrate/bayesian"
_POLL_SECONDS: Final = 1
"""How long to wait before asking how a job stands."""

_NOBODY_S: Final = ""
"""Owner of jobs where there are no keys: whoever knows the id may ask."""

_RETRY: Final[dict[str, Any]] = {
    RETRY_AFTER: {"description": "seconds to wait before asking", "schema": {"type": "integer"}}
}
_ACCEPTED: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "description": "The job waits for its turn, or has it already",
        "headers": _RETRY
        | {"Location": {"description": "where it stands", "schema": {"type": "string"}}},
    }
}
_STANDS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "How the job stands; `Retry-After` until it has ended", "headers": _RETRY}
}
_DRAWS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "InferenceData of ArviZ, as netCDF",
        "content": {NETCDF: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_OF_JOBS: Final = ("neighbour-unavailable", "unsupported")
_OF_A_JOB: Final = ("unknown-job", *_OF_JOBS)
_OF_A_SUBMISSION: Final = (
    *("unknown-model", "idempotency-conflict", "queue-full"),
    *("neighbour-failed", "deadline", *_OF_JOBS),
)


class NoJobsError(Exception):
    """There is no Redis in which jobs could wait."""

    code = "unsupported"

    def __init__(self) -> None:
        self.message = "This gateway takes no jobs: LEVY_GATEWAY_REDIS_URL is not set."
        self.details: dict[str, object] = {}
        super().__init__(self.message)


def router(jobs: JobStore | None, submit: Submit | None) -> APIRouter:
    """Make the routes around who answers them; without Redis nobody does, and they say so."""
    routes = APIRouter(route_class=StrictJsonRoute, tags=["bayesian"])

    def those_there() -> JobStore:
        if jobs is None:
            raise NoJobsError
        return jobs

    @routes.post(
        _PATH,
        status_code=202,
        response_model=JobAccepted,
        responses=_ACCEPTED | problems(*OF_A_BODY, *_OF_A_SUBMISSION),
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
                description="makes a repeated submission return the job of the first",
            ),
        ] = None,
    ) -> JobAccepted:
        """Have the posterior of a model sampled; the answer says where to follow it."""
        if submit is None:
            raise NoJobsError
        job_id = await submit(body, owner=_owner(request), idempotency_key=idempotency_key)
        status_url = f"{_PATH}/{job_id}"
        response.headers["Location"] = status_url
        response.headers[RETRY_AFTER] = str(_POLL_SECONDS)
        return JobAccepted(job_id=job_id, status_url=status_url)

    @routes.get(_PATH + "/{job_id}", responses=_STANDS | problems(*_OF_A_JOB))
    async def follow_job(job_id: str, request: Request, response: Response) -> JobStatus:
        """Say how a job stands, and what it found."""
        return _told(await those_there().status(job_id, _owner(request)), response)

    @routes.delete(_PATH + "/{job_id}", responses=_STANDS | problems(*_OF_A_JOB))
    async def cancel_job(job_id: str, request: Request, response: Response) -> JobStatus:
        """End a job that has not ended; one that runs stops at its next block of draws."""
        return _told(await those_there().cancel(job_id, _owner(request)), response)

    @routes.get(
        _PATH + "/{job_id}/inference-data",
        response_class=Response,
        responses=_DRAWS | problems("no-draws", *_OF_A_JOB),
    )
    async def download_draws(job_id: str, request: Request) -> Response:
        """Send the draws of a job that succeeded."""
        draws = await those_there().draws(job_id, _owner(request))
        named = {"Content-Disposition": f'attachment; filename="{job_id}.nc"'}
        return Response(draws, media_type=NETCDF, headers=named)

    return routes


def _told(status: JobStatus, response: Response) -> JobStatus:
    if status.status not in ENDED:
        response.headers[RETRY_AFTER] = str(_POLL_SECONDS)
    return status


def _owner(request: Request) -> str:
    """Holder of the key that a request carries; addresses change, and make no owners."""
    caller = str(request.state.caller)
    return _NOBODY_S if ":" in caller else caller

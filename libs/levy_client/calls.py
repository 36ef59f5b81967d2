"""Requests and responses of the engine, shared by the synchronous and asynchronous clients."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import httpx
from httpx_retries import Retry
from pydantic import BaseModel, ValidationError

from levy_client.errors import ClientError, JobCancelledError, NoResponseError, ProblemError
from levy_schemas.calibration import (
    MAX_SURFACES,
    CalibrationBatch,
    CalibrationBatchResult,
    CalibrationRequest,
    CalibrationResult,
    SurfaceOutcome,
)
from levy_schemas.catalogue import ModelsResult
from levy_schemas.comparison import ComparisonRequest, ComparisonResult
from levy_schemas.headers import (
    API_KEY,
    CACHE_CONTROL,
    DEADLINE_SECONDS,
    IDEMPOTENCY_KEY,
    RETRY_AFTER,
)
from levy_schemas.health import Health
from levy_schemas.jobs import BayesianRequest, BayesianResult, JobAccepted, JobStatus
from levy_schemas.pricing import PriceRequest, PriceResult
from levy_schemas.problems import MEDIA_TYPE, Problem
from levy_schemas.quotes import QuotesRequest, QuotesResult

_TIMEOUT_SECONDS: Final = 35.0
"""Longer than the gateway's deadline of a calibration, so that the gateway reports a timeout."""

_JOBS: Final = "/calibrate/bayesian"
_POLL_SECONDS: Final = 1.0
_CONNECT_SECONDS: Final = 5.0
_BATCH_BYTES: Final = 240 * 1024
"""Maximum size of a batch, slightly less than the gateway's limit on a body."""

_RETRIED_STATUSES: Final = (429, 502, 503)
_MAX_WAIT_SECONDS: Final = 60.0

_Response = TypeVar("_Response", bound=BaseModel)
_Request = TypeVar("_Request", bound=BaseModel)


@dataclass(frozen=True)
class Call(Generic[_Response]):
    """One request and the schema of its response."""

    method: str
    path: str
    response: type[_Response]
    body: BaseModel | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    accepted: tuple[int, ...] = ()
    """Statuses besides 2xx whose body has this schema too."""

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of httpx's `request`."""
        arguments: dict[str, Any] = {"method": self.method, "url": self.path}
        headers = dict(self.headers)
        if self.body is not None:
            arguments["content"] = self.body.model_dump_json(exclude_none=True)
            headers["Content-Type"] = "application/json"
        if self.accepted:
            # For this call such a status is a result, not a reason to retry.
            arguments["extensions"] = {"retry": Retry(total=0)}
        return arguments | {"headers": headers}

    def read(self, response: httpx.Response) -> _Response:
        """Return the validated response.

        Raises
        ------
        ProblemError
            The response is a problem.
        NoResponseError
            The response is not the engine's.
        """
        with _valid_response(self.path):
            if response.is_success or response.status_code in self.accepted:
                return self.response.model_validate_json(response.content)
        raise _error_of(self.path, response)


def content_of(path: str, response: httpx.Response) -> bytes:
    """Return the body of a response that is not JSON; raises as `Call.read`."""
    if response.is_success:
        return response.content
    raise _error_of(path, response)


def _error_of(path: str, response: httpx.Response) -> ClientError:
    if response.headers.get("content-type", "").startswith(MEDIA_TYPE):
        with _valid_response(path):
            return ProblemError(Problem.model_validate_json(response.content))
    return NoResponseError(
        f"{path}: HTTP {response.status_code}, not from the engine; check the URL and any proxy"
    )


@contextmanager
def _valid_response(path: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        message = f"{path}: invalid response; client and engine may have incompatible versions"
        raise NoResponseError(message) from error


def calibrate(
    request: CalibrationRequest | None, fields: Mapping[str, Any], headers: Mapping[str, str]
) -> Call[CalibrationResult]:
    """Return the call that fits a model."""
    body = _validated(CalibrationRequest, request, fields)
    return Call("POST", "/calibrate", CalibrationResult, body, headers)


def batches(surfaces: Iterable[CalibrationRequest]) -> Iterator[Call[CalibrationBatchResult]]:
    """Yield calls that fit many surfaces, each of the maximum size."""
    batch: list[CalibrationRequest] = []
    n_bytes = 0
    for surface in surfaces:
        size = len(surface.model_dump_json(exclude_none=True)) + 1
        if batch and (len(batch) == MAX_SURFACES or n_bytes + size > _BATCH_BYTES):
            yield _batch(batch)
            batch, n_bytes = [], 0
        batch.append(surface)
        n_bytes += size
    if batch:
        yield _batch(batch)


def _batch(surfaces: list[CalibrationRequest]) -> Call[CalibrationBatchResult]:
    body = CalibrationBatch(surfaces=tuple(surfaces))
    return Call("POST", "/calibrate", CalibrationBatchResult, body)


def result_or_problem(outcome: SurfaceOutcome) -> CalibrationResult | ProblemError:
    """Return the outcome of one surface of a batch."""
    if outcome.result is not None:
        return outcome.result
    if outcome.problem is not None:
        return ProblemError(outcome.problem)
    raise NoResponseError("/calibrate: a surface of the batch has neither result nor problem")


def compare(
    request: ComparisonRequest | None, fields: Mapping[str, Any], headers: Mapping[str, str]
) -> Call[ComparisonResult]:
    """Return the call that compares models."""
    body = _validated(ComparisonRequest, request, fields)
    return Call("POST", "/compare", ComparisonResult, body, headers)


def price(request: PriceRequest | None, fields: Mapping[str, Any]) -> Call[PriceResult]:
    """Return the call that prices options."""
    return Call("POST", "/price", PriceResult, _validated(PriceRequest, request, fields))


def read_quotes(request: QuotesRequest | None, fields: Mapping[str, Any]) -> Call[QuotesResult]:
    """Return the call that reads and cleans a file of quotes."""
    return Call("POST", "/quotes", QuotesResult, _validated(QuotesRequest, request, fields))


def sample(
    request: BayesianRequest | None, fields: Mapping[str, Any], idempotency_key: str | None
) -> Call[JobAccepted]:
    """Return the call that submits a job; its idempotency key makes retries safe."""
    headers = {IDEMPOTENCY_KEY: idempotency_key or uuid.uuid4().hex}
    return Call("POST", _JOBS, JobAccepted, _validated(BayesianRequest, request, fields), headers)


def job(job_id: str) -> Call[JobStatus]:
    """Return the call that reads the status of a job."""
    return Call("GET", f"{_JOBS}/{quote(job_id, safe='')}", JobStatus)


def cancel(job_id: str) -> Call[JobStatus]:
    """Return the call that cancels a job."""
    return Call("DELETE", f"{_JOBS}/{quote(job_id, safe='')}", JobStatus)


def draws_path(job_id: str) -> str:
    """Return the path of the draws of a job."""
    return f"{_JOBS}/{quote(job_id, safe='')}/inference-data"


def pause(response: httpx.Response) -> float:
    """Return the seconds to wait before the next poll of a job."""
    try:
        return max(0.0, float(response.headers.get(RETRY_AFTER, _POLL_SECONDS)))
    except ValueError:
        return _POLL_SECONDS


def result_of(status: JobStatus) -> BayesianResult:
    """Return the result of a job that has ended.

    Raises
    ------
    ProblemError
        The job failed.
    JobCancelledError
        The job was cancelled.
    NoResponseError
        The response has neither result nor problem.
    """
    if status.result is not None:
        return status.result
    if status.problem is not None:
        raise ProblemError(status.problem)
    if status.status == "cancelled":
        raise JobCancelledError(status.job_id)
    raise NoResponseError(f"{_JOBS}: job {status.job_id} has neither result nor problem")


def models() -> Call[ModelsResult]:
    """Return the call that lists the models."""
    return Call("GET", "/models", ModelsResult)


def health() -> Call[Health]:
    """Return the call that reads the health of the system, also if it is unhealthy (503)."""
    return Call("GET", "/health", Health, accepted=(503,))


def request_headers(*, fresh: bool, deadline_seconds: float | None) -> dict[str, str]:
    """Return the headers for the cache and the deadline; parameters as in `Client.calibrate`."""
    headers = {CACHE_CONTROL: "no-cache"} if fresh else {}
    if deadline_seconds is not None:
        headers[DEADLINE_SECONDS] = f"{deadline_seconds:.3f}"
    return headers


def settings(base_url: str, api_key: str | None) -> dict[str, Any]:
    """Return the arguments of both httpx clients."""
    return {
        "base_url": base_url,
        "headers": {} if api_key is None else {API_KEY: api_key},
        "timeout": httpx.Timeout(_TIMEOUT_SECONDS, connect=_CONNECT_SECONDS),
    }


def retries(attempts: int) -> Retry:
    """Return the retry policy, which respects `Retry-After`.

    Every request is safe to repeat: the engine computes, and a job has an idempotency key. Only a
    timeout is not retried, since a second attempt would take as long.
    """
    return Retry(
        total=attempts - 1,
        allowed_methods=("GET", "POST", "DELETE"),
        status_forcelist=_RETRIED_STATUSES,
        retry_on_exceptions=(httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError),
        backoff_factor=0.1,
        max_backoff_wait=_MAX_WAIT_SECONDS,
        total_timeout=_MAX_WAIT_SECONDS,
    )


def _validated(
    kind: type[_Request], request: _Request | None, fields: Mapping[str, Any]
) -> _Request:
    """Return a request, given as such or by its fields, validated before it is sent."""
    if request is None:
        return kind.model_validate(dict(fields))
    if fields:
        message = f"give a {kind.__name__} or its fields, not both: {', '.join(fields)}"
        raise TypeError(message)
    return request

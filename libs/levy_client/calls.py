"""What is sent and what is read, the same for clients that wait and clients that do not."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import httpx
from httpx_retries import Retry
from pydantic import BaseModel, ValidationError

from levy_client.errors import ClientError, JobCancelledError, NoAnswerError, ProblemError
from levy_schemas.calibration import (
    MAX_SURFACES,
    CalibrationBatch,
    CalibrationBatchResult,
    CalibrationRequest,
    CalibrationResult,
    SurfaceAnswer,
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

ANSWER_SECONDS: Final = 35.0
"""Longer than the gateway waits for a calibration, so that it is the gateway who tells."""

_JOBS: Final = "/calibrate/bayesian"
_POLL_SECONDS: Final = 1.0
_CONNECT_SECONDS: Final = 5.0
_BATCH_BYTES: Final = 240 * 1024
"""What a batch may weigh: a little less than the gateway reads."""

_WORTH_ANOTHER_TRY: Final = (429, 502, 503)
_LONGEST_WAIT_SECONDS: Final = 60.0

_Answer = TypeVar("_Answer", bound=BaseModel)
_Request = TypeVar("_Request", bound=BaseModel)


@dataclass(frozen=True)
class Call(Generic[_Answer]):
    """One exchange: what to send, and what its answer is."""

    method: str
    path: str
    answer: type[_Answer]
    body: BaseModel | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    also: tuple[int, ...] = ()
    """Statuses beyond success that are answers all the same."""

    def arguments(self) -> dict[str, Any]:
        """Return what httpx is to send."""
        sent: dict[str, Any] = {"method": self.method, "url": self.path}
        headers = dict(self.headers)
        if self.body is not None:
            sent["content"] = self.body.model_dump_json(exclude_none=True)
            headers["Content-Type"] = "application/json"
        if self.also:
            # Here such a status is no refusal that would pass.
            sent["extensions"] = {"retry": Retry(total=0)}
        return sent | {"headers": headers}

    def read(self, response: httpx.Response) -> _Answer:
        """Read an answer.

        Raises
        ------
        ProblemError
            It is a problem.
        NoAnswerError
            It is nothing that the engine says.
        """
        with _form_known(self.path):
            if response.is_success or response.status_code in self.also:
                return self.answer.model_validate_json(response.content)
        raise _refusal(self.path, response)


def refused_or_content(path: str, response: httpx.Response) -> bytes:
    """Read an answer that is no JSON.

    Raises
    ------
    ProblemError
        It is a problem.
    NoAnswerError
        It is nothing that the engine says.
    """
    if response.is_success:
        return response.content
    raise _refusal(path, response)


def _refusal(path: str, response: httpx.Response) -> ClientError:
    if response.headers.get("content-type", "").startswith(MEDIA_TYPE):
        with _form_known(path):
            return ProblemError(Problem.model_validate_json(response.content))
    return NoAnswerError(f"{path}: HTTP {response.status_code}, and not from the engine")


@contextmanager
def _form_known(path: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        message = f"{path}: the answer is not of the form that this client knows"
        raise NoAnswerError(message) from error


def calibrate(
    asked: CalibrationRequest | None, fields: Mapping[str, Any], headers: Mapping[str, str]
) -> Call[CalibrationResult]:
    """Fit a model."""
    body = _checked(CalibrationRequest, asked, fields)
    return Call("POST", "/calibrate", CalibrationResult, body, headers)


def batches(surfaces: Iterable[CalibrationRequest]) -> Iterator[Call[CalibrationBatchResult]]:
    """Fit many surfaces, as many in one call as the engine takes."""
    batch: list[CalibrationRequest] = []
    weight = 0
    for surface in surfaces:
        more = len(surface.model_dump_json(exclude_none=True)) + 1
        if batch and (len(batch) == MAX_SURFACES or weight + more > _BATCH_BYTES):
            yield _batch(batch)
            batch, weight = [], 0
        batch.append(surface)
        weight += more
    if batch:
        yield _batch(batch)


def _batch(surfaces: list[CalibrationRequest]) -> Call[CalibrationBatchResult]:
    body = CalibrationBatch(surfaces=tuple(surfaces))
    return Call("POST", "/calibrate", CalibrationBatchResult, body)


def outcome(answer: SurfaceAnswer) -> CalibrationResult | ProblemError:
    """Return what became of one surface of a batch."""
    if answer.result is not None:
        return answer.result
    if answer.problem is not None:
        return ProblemError(answer.problem)
    raise NoAnswerError("/calibrate: a surface of the batch has neither result nor problem")


def compare(
    asked: ComparisonRequest | None, fields: Mapping[str, Any], headers: Mapping[str, str]
) -> Call[ComparisonResult]:
    """Fit several models, and rank them."""
    body = _checked(ComparisonRequest, asked, fields)
    return Call("POST", "/compare", ComparisonResult, body, headers)


def price(asked: PriceRequest | None, fields: Mapping[str, Any]) -> Call[PriceResult]:
    """Price options."""
    return Call("POST", "/price", PriceResult, _checked(PriceRequest, asked, fields))


def sample(
    asked: BayesianRequest | None, fields: Mapping[str, Any], idempotency_key: str | None
) -> Call[JobAccepted]:
    """Have a posterior sampled; a key of its own makes a second try find the job of the first."""
    headers = {IDEMPOTENCY_KEY: idempotency_key or uuid.uuid4().hex}
    return Call("POST", _JOBS, JobAccepted, _checked(BayesianRequest, asked, fields), headers)


def job(job_id: str) -> Call[JobStatus]:
    """Ask how a job stands."""
    return Call("GET", f"{_JOBS}/{quote(job_id, safe='')}", JobStatus)


def cancel(job_id: str) -> Call[JobStatus]:
    """End a job."""
    return Call("DELETE", f"{_JOBS}/{quote(job_id, safe='')}", JobStatus)


def draws_path(job_id: str) -> str:
    """Where the draws of a job are."""
    return f"{_JOBS}/{quote(job_id, safe='')}/inference-data"


def pause(response: httpx.Response) -> float:
    """Seconds to wait before asking again how a job stands."""
    try:
        return max(0.0, float(response.headers.get(RETRY_AFTER, _POLL_SECONDS)))
    except ValueError:
        return _POLL_SECONDS


def outcome_of(status: JobStatus) -> BayesianResult:
    """Return what a job found.

    Raises
    ------
    ProblemError
        It failed.
    JobCancelledError
        It was cancelled.
    NoAnswerError
        It ended, and neither result nor problem came.
    """
    if status.result is not None:
        return status.result
    if status.problem is not None:
        raise ProblemError(status.problem)
    if status.status == "cancelled":
        raise JobCancelledError(status.job_id)
    raise NoAnswerError(f"{_JOBS}: job {status.job_id} has neither result nor problem")


def models() -> Call[ModelsResult]:
    """List the models."""
    return Call("GET", "/models", ModelsResult)


def health() -> Call[Health]:
    """Ask how the system is; an unhealthy one says so in its answer."""
    return Call("GET", "/health", Health, also=(503,))


def asking(*, fresh: bool, deadline_seconds: float | None) -> dict[str, str]:
    """Headers that say how a result may come.

    Parameters
    ----------
    fresh : bool
        Whether a result kept from before will not do.
    deadline_seconds : float, optional
        How long to wait; as long as the engine allows if absent.
    """
    headers = {CACHE_CONTROL: "no-cache"} if fresh else {}
    if deadline_seconds is not None:
        headers[DEADLINE_SECONDS] = f"{deadline_seconds:.3f}"
    return headers


def settings(base_url: str, api_key: str | None) -> dict[str, Any]:
    """Return what the httpx clients of both kinds are made with."""
    return {
        "base_url": base_url,
        "headers": {} if api_key is None else {API_KEY: api_key},
        "timeout": httpx.Timeout(ANSWER_SECONDS, connect=_CONNECT_SECONDS),
    }


def retries(attempts: int) -> Retry:
    """Ask again when the engine says so, after as long as it says.

    Everything the engine does may be asked twice: it computes, and a job carries a key that makes
    its second submission the first. Only an answer that did not come in time is not asked for
    again: it would not come sooner.
    """
    return Retry(
        total=attempts - 1,
        allowed_methods=("GET", "POST", "DELETE"),
        status_forcelist=_WORTH_ANOTHER_TRY,
        retry_on_exceptions=(httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError),
        backoff_factor=0.1,
        max_backoff_wait=_LONGEST_WAIT_SECONDS,
        total_timeout=_LONGEST_WAIT_SECONDS,
    )


def _checked(kind: type[_Request], asked: _Request | None, fields: Mapping[str, Any]) -> _Request:
    """Return a request, given whole or by its fields; wrong ones are told before they are sent."""
    if asked is None:
        return kind.model_validate(dict(fields))
    if fields:
        message = f"give a {kind.__name__} or its fields, not both: {', '.join(fields)}"
        raise TypeError(message)
    return asked

"""The client that waits."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

import httpx
from httpx_retries import RetryTransport
from pydantic import BaseModel

from levy_client import calls
from levy_client.errors import NoAnswerError, ProblemError, StillWorkingError
from levy_schemas.calibration import CalibrationRequest, CalibrationResult
from levy_schemas.catalogue import ModelsResult
from levy_schemas.comparison import ComparisonRequest, ComparisonResult
from levy_schemas.health import Health
from levy_schemas.jobs import (
    ENDED,
    BayesianRequest,
    BayesianResult,
    JobAccepted,
    JobStatus,
)
from levy_schemas.pricing import PriceRequest, PriceResult

_Answer = TypeVar("_Answer", bound=BaseModel)


class Client:
    """Speaks to the gateway; requests and answers are those of `levy_schemas`.

    Each method takes a request, or its fields. What the engine refuses for a while (busy, away) is
    asked again after as long as it says.

    Parameters
    ----------
    base_url : str
        Of the gateway.
    api_key : str, optional
        Where it asks for one.
    attempts : int
        How often something is asked at most.
    transport : httpx.BaseTransport, optional
        Instead of the network.

    Raises
    ------
    ProblemError, NoAnswerError
        By every method: the engine answered with a problem, or nothing of its.
    pydantic.ValidationError
        The fields given are no request.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        attempts: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        retrying = RetryTransport(transport or httpx.HTTPTransport(), calls.retries(attempts))
        self._http = httpx.Client(**calls.settings(base_url, api_key), transport=retrying)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def calibrate(
        self,
        request: CalibrationRequest | None = None,
        *,
        fresh: bool = False,
        deadline_seconds: float | None = None,
        **fields: Any,
    ) -> CalibrationResult:
        """Fit a model to a surface of quotes.

        Parameters
        ----------
        request : CalibrationRequest, optional
            Or its fields.
        fresh : bool
            Whether a result kept from before will not do.
        deadline_seconds : float, optional
            How long to wait; as long as the engine allows if absent.
        **fields
            Of `CalibrationRequest`.
        """
        headers = calls.asking(fresh=fresh, deadline_seconds=deadline_seconds)
        return self._send(calls.calibrate(request, fields, headers))

    def calibrate_many(
        self, surfaces: Iterable[CalibrationRequest]
    ) -> list[CalibrationResult | ProblemError]:
        """Fit many surfaces; what became of each, in their order.

        A surface that cannot be fitted gives its problem, and does not sink the others.
        """
        answers = [self._send(call) for call in calls.batches(surfaces)]
        return [calls.outcome(one) for answer in answers for one in answer.results]

    def compare(
        self,
        request: ComparisonRequest | None = None,
        *,
        fresh: bool = False,
        deadline_seconds: float | None = None,
        **fields: Any,
    ) -> ComparisonResult:
        """Fit several models to one surface, and rank them; parameters as in `calibrate`."""
        headers = calls.asking(fresh=fresh, deadline_seconds=deadline_seconds)
        return self._send(calls.compare(request, fields, headers))

    def price(self, request: PriceRequest | None = None, **fields: Any) -> PriceResult:
        """Price European options."""
        return self._send(calls.price(request, fields))

    def sample(
        self,
        request: BayesianRequest | None = None,
        *,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> JobAccepted:
        """Have the posterior of a model sampled; `wait` for what the job finds.

        Parameters
        ----------
        request : BayesianRequest, optional
            Or its fields.
        idempotency_key : str, optional
            Makes a repeated submission return the job of the first; a new one if absent.
        **fields
            Of `BayesianRequest`.
        """
        return self._send(calls.sample(request, fields, idempotency_key))

    def job(self, job_id: str) -> JobStatus:
        """Ask how a job stands."""
        return self._send(calls.job(job_id))

    def cancel(self, job_id: str) -> JobStatus:
        """End a job; one that runs stops at its next block of draws."""
        return self._send(calls.cancel(job_id))

    def draws(self, job_id: str) -> bytes:
        """Download the draws of a job that succeeded: ArviZ's InferenceData, as netCDF."""
        path = calls.draws_path(job_id)
        return calls.refused_or_content(path, self._request(path, method="GET", url=path))

    def wait(
        self,
        job_id: str,
        *,
        on_progress: Callable[[JobStatus], None] | None = None,
        seconds: float | None = None,
    ) -> BayesianResult:
        """Wait for the end of a job, asking as often as the engine likes; what it found.

        Parameters
        ----------
        job_id : str
        on_progress : callable, optional
            Told how the job stands, each time.
        seconds : float, optional
            The longest to wait; to the end if absent.

        Raises
        ------
        ProblemError, JobCancelledError
            The job ended otherwise.
        StillWorkingError
            It did not end in time, and goes on.
        """
        started = time.monotonic()
        call = calls.job(job_id)
        while True:
            response = self._request(call.path, **call.arguments())
            status = call.read(response)
            if on_progress is not None:
                on_progress(status)
            if status.status in ENDED:
                return calls.outcome_of(status)
            pause = calls.pause(response)
            if seconds is not None and time.monotonic() + pause - started > seconds:
                raise StillWorkingError(job_id, seconds)
            time.sleep(pause)

    def models(self) -> ModelsResult:
        """List the models, their parameters, and their networks."""
        return self._send(calls.models())

    def health(self) -> Health:
        """Ask how the system is."""
        return self._send(calls.health())

    def _send(self, call: calls.Call[_Answer]) -> _Answer:
        return call.read(self._request(call.path, **call.arguments()))

    def _request(self, path: str, **arguments: Any) -> httpx.Response:
        try:
            return self._http.request(**arguments)
        except httpx.TransportError as error:
            raise NoAnswerError(f"{path}: {error}") from error

"""The synchronous client."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

import httpx
from httpx_retries import RetryTransport
from pydantic import BaseModel

from levy_client import calls
from levy_client.errors import NoResponseError, ProblemError, WaitTimeoutError
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
from levy_schemas.quotes import QuotesRequest, QuotesResult

_Response = TypeVar("_Response", bound=BaseModel)


class Client:
    """A client of the gateway; requests and results are those of `levy_schemas`.

    Each method takes a request, or its fields. Requests that fail temporarily (rate limit, service
    unavailable) are retried after the delay that the engine requests.

    Parameters
    ----------
    base_url : str
        URL of the gateway.
    api_key : str, optional
        Required if the gateway has API keys.
    attempts : int
        Maximum number of attempts of each request.
    transport : httpx.BaseTransport, optional
        Replaces the network, in tests.

    Raises
    ------
    ProblemError, NoResponseError
        By every method: the engine returned a problem, or no valid response.
    pydantic.ValidationError
        The given fields are not a valid request.
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
        """Close the connections."""
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
            Alternatively, its fields.
        fresh : bool
            Whether to ignore cached results.
        deadline_seconds : float, optional
            Time limit; the engine's if absent.
        **fields
            Fields of `CalibrationRequest`.
        """
        headers = calls.request_headers(fresh=fresh, deadline_seconds=deadline_seconds)
        return self._send(calls.calibrate(request, fields, headers))

    def calibrate_many(
        self, surfaces: Iterable[CalibrationRequest]
    ) -> list[CalibrationResult | ProblemError]:
        """Fit many surfaces; return the outcome of each, in their order.

        A failed surface does not fail the others.
        """
        batches = [self._send(call) for call in calls.batches(surfaces)]
        return [calls.result_or_problem(r) for batch in batches for r in batch.results]

    def compare(
        self,
        request: ComparisonRequest | None = None,
        *,
        fresh: bool = False,
        deadline_seconds: float | None = None,
        **fields: Any,
    ) -> ComparisonResult:
        """Compare models on one surface; parameters as in `calibrate`."""
        headers = calls.request_headers(fresh=fresh, deadline_seconds=deadline_seconds)
        return self._send(calls.compare(request, fields, headers))

    def price(self, request: PriceRequest | None = None, **fields: Any) -> PriceResult:
        """Price options; European ones by default."""
        return self._send(calls.price(request, fields))

    def read_quotes(self, request: QuotesRequest | None = None, **fields: Any) -> QuotesResult:
        """Read and clean a file of quotes (`text`, `data` in Base64, or `example`)."""
        return self._send(calls.read_quotes(request, fields))

    def sample(
        self,
        request: BayesianRequest | None = None,
        *,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> JobAccepted:
        """Submit a job that samples the posterior of a model; `wait` returns its result.

        Parameters
        ----------
        request : BayesianRequest, optional
            Alternatively, its fields.
        idempotency_key : str, optional
            A repeated submission with the same key returns the first job; random if absent.
        **fields
            Fields of `BayesianRequest`.
        """
        return self._send(calls.sample(request, fields, idempotency_key))

    def job(self, job_id: str) -> JobStatus:
        """Return the status of a job."""
        return self._send(calls.job(job_id))

    def cancel(self, job_id: str) -> JobStatus:
        """Cancel a job; a running one stops at its next block of draws."""
        return self._send(calls.cancel(job_id))

    def draws(self, job_id: str) -> bytes:
        """Return the draws of a job that succeeded: ArviZ InferenceData as netCDF."""
        path = calls.draws_path(job_id)
        return calls.content_of(path, self._request(path, method="GET", url=path))

    def wait(
        self,
        job_id: str,
        *,
        on_progress: Callable[[JobStatus], None] | None = None,
        seconds: float | None = None,
    ) -> BayesianResult:
        """Wait for the end of a job, polling at the interval that the engine requests.

        Parameters
        ----------
        job_id : str
        on_progress : callable, optional
            Called with each status.
        seconds : float, optional
            Time limit; none if absent.

        Raises
        ------
        ProblemError, JobCancelledError
            The job failed, or was cancelled.
        WaitTimeoutError
            The job did not end in time; it continues.
        """
        started = time.monotonic()
        call = calls.job(job_id)
        while True:
            response = self._request(call.path, **call.arguments())
            status = call.read(response)
            if on_progress is not None:
                on_progress(status)
            if status.status in ENDED:
                return calls.result_of(status)
            pause = calls.pause(response)
            if seconds is not None and time.monotonic() + pause - started > seconds:
                raise WaitTimeoutError(job_id, seconds)
            time.sleep(pause)

    def models(self) -> ModelsResult:
        """Return the models, their parameters and their networks."""
        return self._send(calls.models())

    def health(self) -> Health:
        """Return the health of the system."""
        return self._send(calls.health())

    def _send(self, call: calls.Call[_Response]) -> _Response:
        return call.read(self._request(call.path, **call.arguments()))

    def _request(self, path: str, **arguments: Any) -> httpx.Response:
        try:
            return self._http.request(**arguments)
        except httpx.TransportError as error:
            raise NoResponseError(f"{path}: {error}") from error

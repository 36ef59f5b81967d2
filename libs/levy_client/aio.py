"""The client for programs that do something else meanwhile."""

import asyncio
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


class AsyncClient:
    """As `Client`, to be awaited.

    Parameters
    ----------
    base_url : str
        Of the gateway.
    api_key : str, optional
        Where it asks for one.
    attempts : int
        How often something is asked at most.
    transport : httpx.AsyncBaseTransport, optional
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
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        retrying = RetryTransport(transport or httpx.AsyncHTTPTransport(), calls.retries(attempts))
        self._http = httpx.AsyncClient(**calls.settings(base_url, api_key), transport=retrying)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def calibrate(
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
        return await self._send(calls.calibrate(request, fields, headers))

    async def calibrate_many(
        self, surfaces: Iterable[CalibrationRequest]
    ) -> list[CalibrationResult | ProblemError]:
        """Fit many surfaces; what became of each, in their order.

        A surface that cannot be fitted gives its problem, and does not sink the others.
        """
        answers = [await self._send(call) for call in calls.batches(surfaces)]
        return [calls.outcome(one) for answer in answers for one in answer.results]

    async def compare(
        self,
        request: ComparisonRequest | None = None,
        *,
        fresh: bool = False,
        deadline_seconds: float | None = None,
        **fields: Any,
    ) -> ComparisonResult:
        """Fit several models to one surface, and rank them; parameters as in `calibrate`."""
        headers = calls.asking(fresh=fresh, deadline_seconds=deadline_seconds)
        return await self._send(calls.compare(request, fields, headers))

    async def price(self, request: PriceRequest | None = None, **fields: Any) -> PriceResult:
        """Price European options."""
        return await self._send(calls.price(request, fields))

    async def sample(
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
        return await self._send(calls.sample(request, fields, idempotency_key))

    async def job(self, job_id: str) -> JobStatus:
        """Ask how a job stands."""
        return await self._send(calls.job(job_id))

    async def cancel(self, job_id: str) -> JobStatus:
        """End a job; one that runs stops at its next block of draws."""
        return await self._send(calls.cancel(job_id))

    async def draws(self, job_id: str) -> bytes:
        """Download the draws of a job that succeeded: ArviZ's InferenceData, as netCDF."""
        path = calls.draws_path(job_id)
        return calls.refused_or_content(path, await self._request(path, method="GET", url=path))

    async def wait(
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
            response = await self._request(call.path, **call.arguments())
            status = call.read(response)
            if on_progress is not None:
                on_progress(status)
            if status.status in ENDED:
                return calls.outcome_of(status)
            pause = calls.pause(response)
            if seconds is not None and time.monotonic() + pause - started > seconds:
                raise StillWorkingError(job_id, seconds)
            await asyncio.sleep(pause)

    async def models(self) -> ModelsResult:
        """List the models, their parameters, and their networks."""
        return await self._send(calls.models())

    async def health(self) -> Health:
        """Ask how the system is."""
        return await self._send(calls.health())

    async def _send(self, call: calls.Call[_Answer]) -> _Answer:
        return call.read(await self._request(call.path, **call.arguments()))

    async def _request(self, path: str, **arguments: Any) -> httpx.Response:
        try:
            return await self._http.request(**arguments)
        except httpx.TransportError as error:
            raise NoAnswerError(f"{path}: {error}") from error

"""The client that waits."""

from collections.abc import Iterable
from typing import Any, Self, TypeVar

import httpx
from httpx_retries import RetryTransport
from pydantic import BaseModel

from levy_client import calls
from levy_client.errors import NoAnswerError, ProblemError
from levy_schemas.calibration import CalibrationRequest, CalibrationResult
from levy_schemas.catalogue import ModelsResult
from levy_schemas.comparison import ComparisonRequest, ComparisonResult
from levy_schemas.health import Health
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

    def models(self) -> ModelsResult:
        """List the models, their parameters, and their networks."""
        return self._send(calls.models())

    def health(self) -> Health:
        """Ask how the system is."""
        return self._send(calls.health())

    def _send(self, call: calls.Call[_Answer]) -> _Answer:
        try:
            return call.read(self._http.request(**call.arguments()))
        except httpx.TransportError as error:
            raise NoAnswerError(f"{call.path}: {error}") from error

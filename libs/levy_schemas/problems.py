"""Problems as the wire tells them: RFC 9457, and one table from code to title and status."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem.

    Attributes
    ----------
    code : str
        Stable, for programs.
    title : str
        What went wrong in general, for people.
    status : int
        HTTP status it is answered with.
    """

    code: str
    title: str
    status: int

    @property
    def uri(self) -> str:
        """Where the gateway explains it; relative, since a service does not know its host."""
        return f"/problems/{self.code}"


PROBLEMS: Final[Mapping[str, ProblemType]] = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            ProblemType("bad-request", "The request cannot be read", 400),
            ProblemType("unauthorized", "A key is needed, and this is none", 401),
            ProblemType("not-found", "There is nothing at this address", 404),
            ProblemType("unknown-model", "There is no model of this name", 404),
            ProblemType("unknown-job", "There is no job of this name", 404),
            ProblemType("method-not-allowed", "This address does not take this method", 405),
            ProblemType("idempotency-conflict", "The key stands for another request", 409),
            ProblemType("no-draws", "The job has no draws", 409),
            ProblemType("body-too-large", "The body is larger than the limit", 413),
            ProblemType("unsupported-media-type", "The body must be JSON", 415),
            ProblemType("invalid-input", "The request does not fit its schema", 422),
            ProblemType("invalid-parameter", "A model parameter is outside its domain", 422),
            ProblemType("outside-strip", "The characteristic function does not exist there", 422),
            ProblemType("arbitrage", "A price lies outside its no-arbitrage bounds", 422),
            ProblemType("unsupported", "This engine cannot do that", 422),
            ProblemType("rate-limited", "Too many requests", 429),
            ProblemType("internal", "Something failed inside the service", 500),
            ProblemType("neighbour-failed", "A service behind the gateway failed", 502),
            ProblemType("neighbour-unavailable", "A service behind the gateway is away", 503),
            ProblemType("queue-full", "Too many jobs wait already", 503),
            ProblemType("deadline", "The answer did not come in time", 504),
        )
    }
)

MEANING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bad-request": "The HTTP request itself could not be read. Check how it was sent.",
        "unauthorized": "Send the key you were given, as Authorization: Bearer … or X-API-Key: ….",
        "not-found": "No endpoint has this path. See /docs for those there are.",
        "unknown-model": "GET /models lists the names; case matters.",
        "unknown-job": "It was never made, not with your key, or its time has run out.",
        "method-not-allowed": "The Allow header lists what the address takes.",
        "idempotency-conflict": "Send the request that the Idempotency-Key was first sent with, or "
        "choose another key.",
        "no-draws": "Only jobs that succeeded have draws. The member `job_status` says how this "
        "one stands.",
        "body-too-large": "Send fewer options, or fewer digits.",
        "unsupported-media-type": "Send JSON with Content-Type: application/json.",
        "invalid-input": "The member `errors` points at each offending place with a JSON pointer.",
        "invalid-parameter": "The members `parameter` and `condition` name the parameter and the "
        "condition that it breaks.",
        "outside-strip": "The parameters leave no forward, or the damping asked for leaves the "
        "strip of analyticity. Choose parameters further inside the domain.",
        "arbitrage": "No model can reach such a price. Check forward, discount and the quote.",
        "unsupported": "The request is well formed, but asks for what is not built or has not "
        "been trained here. The member `detail` says what to ask instead.",
        "rate-limited": "Your key has used up its share. Try again after the seconds in "
        "Retry-After.",
        "internal": "A fault of ours. Report the request id.",
        "neighbour-failed": "A service answered with something that is no answer. Try again, and "
        "report the request id if it stays.",
        "neighbour-unavailable": "Try again after the seconds in Retry-After.",
        "queue-full": "Try again after the seconds in Retry-After, or cancel jobs of yours.",
        "deadline": "Ask for fewer options, or less uncertainty, or try again later.",
    }
)
"""What a reader of `/problems/{code}` is told."""

CODE_OF_STATUS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "bad-request",
        401: "unauthorized",
        404: "not-found",
        405: "method-not-allowed",
        413: "body-too-large",
        415: "unsupported-media-type",
        422: "invalid-input",
        429: "rate-limited",
        503: "neighbour-unavailable",
        504: "deadline",
    }
)
"""The code for a status that a web framework raised on its own."""


class ProblemExplanation(BaseModel):
    """What a kind of problem means, and what to do about it."""

    model_config = ConfigDict(frozen=True)

    code: str
    title: str
    status: int
    meaning: str


class PlaceOfError(BaseModel):
    """One place of the request, and what is wrong there."""

    model_config = ConfigDict(frozen=True)

    pointer: str = Field(description="JSON pointer (RFC 6901) into the request; empty: all of it")
    detail: str = Field(description="what is wrong there")


class Problem(BaseModel):
    """An error, as RFC 9457 has it; members beyond these depend on the kind of problem."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str = Field(description="address of an explanation of this kind of problem")
    title: str = Field(description="the kind of problem, for people")
    status: int = Field(ge=400, le=599, description="the HTTP status")
    detail: str = Field(description="this very problem, for people")
    instance: str = Field(description="the path that was asked")
    code: str = Field(description="the kind of problem, for programs")
    request_id: str = Field(description="quote it when you report the problem")
    errors: tuple[PlaceOfError, ...] = Field(
        default=(), description="the places of the request that are at fault"
    )


def pointer(*steps: str | int) -> str:
    """JSON pointer to a place.

    Examples
    --------
    >>> pointer("quotes", 3, "a/b")
    '/quotes/3/a~1b'
    """
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def places_of(code: str, message: str, details: Mapping[str, Any]) -> tuple[PlaceOfError, ...]:
    """Places at fault for an error that numerics raised, which know no JSON."""
    if code == "unknown-model":
        place = str(details.get("pointer", "/model_type"))
        return (PlaceOfError(pointer=place, detail=message),)
    if code == "invalid-parameter" and "parameter" in details:
        name = str(details["parameter"])
        # A condition on several parameters together names them all.
        place = pointer("parameters") if "," in name else pointer("parameters", name)
        return (PlaceOfError(pointer=place, detail=message),)
    if "pointer" in details:
        return (PlaceOfError(pointer=str(details["pointer"]), detail=message),)
    return ()

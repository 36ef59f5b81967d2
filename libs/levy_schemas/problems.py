"""Problems (RFC 9457): their types, and the schema of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True)
class ProblemType:
    """A type of problem.

    Attributes
    ----------
    code : str
        Stable identifier, for programs.
    title : str
    status : int
        HTTP status.
    meaning : str
        Explanation and remedy.
    """

    code: str
    title: str
    status: int
    meaning: str

    @property
    def uri(self) -> str:
        """URL of the explanation, relative since a service does not know its host."""
        return f"/problems/{self.code}"


PROBLEMS: Final[Mapping[str, ProblemType]] = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            ProblemType(
                "bad-request",
                "Malformed HTTP request",
                400,
                "The HTTP request could not be parsed. Check how it is sent.",
            ),
            ProblemType(
                "unauthorized",
                "Missing or invalid API key",
                401,
                "Send your key as Authorization: Bearer <key> or X-API-Key: <key>.",
            ),
            ProblemType(
                "not-found",
                "Not found",
                404,
                "No endpoint has this path. See /docs for the available endpoints.",
            ),
            ProblemType(
                "unknown-model",
                "Unknown model",
                404,
                "GET /models lists the names; they are case-sensitive.",
            ),
            ProblemType(
                "unknown-job",
                "Unknown job",
                404,
                "The job does not exist, belongs to another API key, or has expired.",
            ),
            ProblemType(
                "method-not-allowed",
                "Method not allowed",
                405,
                "The Allow header lists the methods of this path.",
            ),
            ProblemType(
                "request-timeout",
                "Request timeout",
                408,
                "The headers or the body did not arrive in time. Send the request again.",
            ),
            ProblemType(
                "idempotency-conflict",
                "Idempotency key already used",
                409,
                "Send the same request as before with this Idempotency-Key, or use a new key.",
            ),
            ProblemType(
                "no-draws",
                "No draws available",
                409,
                "Only jobs that succeeded have draws. The member `job_status` is the job's status.",
            ),
            ProblemType(
                "body-too-large",
                "Request body too large",
                413,
                "Send fewer options, or numbers with fewer digits.",
            ),
            ProblemType(
                "unsupported-media-type",
                "Unsupported media type",
                415,
                "Send JSON with Content-Type: application/json.",
            ),
            ProblemType(
                "invalid-input",
                "Invalid request",
                422,
                "The member `errors` has a JSON pointer to each invalid field.",
            ),
            ProblemType(
                "invalid-parameter",
                "Invalid model parameter",
                422,
                "The members `parameter` and `condition` name the parameter and the condition "
                "that it violates.",
            ),
            ProblemType(
                "outside-strip",
                "Outside the strip of analyticity",
                422,
                "E[S_T] is infinite for these parameters, or the damping is outside the strip of "
                "analyticity. Choose parameters further inside the domain.",
            ),
            ProblemType(
                "arbitrage",
                "Price outside its no-arbitrage bounds",
                422,
                "No model attains such a price. Check forward, discount and the quote.",
            ),
            ProblemType(
                "unsupported",
                "Unsupported request",
                422,
                "The request is valid, but this engine does not support it, or has no trained "
                "network for it. The member `detail` names an alternative.",
            ),
            ProblemType(
                "rate-limited",
                "Rate limit exceeded",
                429,
                "Retry after the seconds in the header Retry-After.",
            ),
            ProblemType(
                "headers-too-large",
                "Request headers too large",
                431,
                "Send fewer or shorter headers, or a shorter URL.",
            ),
            ProblemType(
                "internal",
                "Internal error",
                500,
                "An unexpected error of the engine. Report the request id.",
            ),
            ProblemType(
                "upstream-error",
                "Invalid response of an upstream service",
                502,
                "An upstream service returned an invalid response. Retry, and report the request "
                "id if the problem persists.",
            ),
            ProblemType(
                "upstream-unavailable",
                "Upstream service unavailable",
                503,
                "Retry after the seconds in the header Retry-After.",
            ),
            ProblemType(
                "overloaded",
                "Too many requests",
                503,
                "Nothing was computed. Retry after the seconds in the header Retry-After, with "
                "fewer requests at a time.",
            ),
            ProblemType(
                "queue-full",
                "Job queue full",
                503,
                "Retry after the seconds in the header Retry-After, or cancel other jobs.",
            ),
            ProblemType(
                "deadline",
                "Deadline exceeded",
                504,
                "Price fewer options, request uncertainty=none, or retry later.",
            ),
        )
    }
)

_RENAMED: Final = {
    "neighbour-failed": "upstream-error",
    "neighbour-unavailable": "upstream-unavailable",
}
"""Former codes of earlier releases, deprecated."""


def current_code(code: str) -> str:
    """Return the current code of a problem type, given that or a former one.

    Examples
    --------
    >>> current_code("neighbour-failed"), current_code("deadline")
    ('upstream-error', 'deadline')
    """
    return _RENAMED.get(code, code)


CODE_OF_STATUS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "bad-request",
        401: "unauthorized",
        404: "not-found",
        405: "method-not-allowed",
        408: "request-timeout",
        413: "body-too-large",
        415: "unsupported-media-type",
        422: "invalid-input",
        429: "rate-limited",
        431: "headers-too-large",
        503: "upstream-unavailable",
        504: "deadline",
    }
)
"""The code of an HTTP status raised by the web framework."""


class ProblemExplanation(BaseModel):
    """Explanation of a problem type, and its remedy."""

    model_config = ConfigDict(frozen=True)

    code: str
    title: str
    status: int
    meaning: str


class ErrorLocation(BaseModel):
    """An invalid field of the request, and what is wrong with it."""

    model_config = ConfigDict(frozen=True)

    pointer: str = Field(
        description="JSON pointer (RFC 6901) into the body; empty: the whole body, or `parameter`"
    )
    parameter: str | None = Field(
        default=None, description="name of an invalid parameter of the path, query or headers"
    )
    detail: str = Field(description="what is wrong")


class Problem(BaseModel):
    """An error (RFC 9457); further members depend on the problem type."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str = Field(description="URL of the explanation of this problem type")
    title: str = Field(description="name of the problem type")
    status: int = Field(ge=400, le=599, description="HTTP status")
    detail: str = Field(description="what is wrong and what to do")
    instance: str = Field(description="path of the request")
    code: Annotated[str, BeforeValidator(current_code)] = Field(
        description="stable identifier of the problem type, for programs"
    )
    request_id: str = Field(description="id to quote when reporting the problem")
    errors: tuple[ErrorLocation, ...] = Field(
        default=(), description="invalid fields of the request"
    )


def pointer(*steps: str | int) -> str:
    """Return the JSON pointer of a path into a document.

    Examples
    --------
    >>> pointer("quotes", 3, "a/b")
    '/quotes/3/a~1b'
    """
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def error_locations(
    code: str, message: str, details: Mapping[str, Any]
) -> tuple[ErrorLocation, ...]:
    """Return the locations of an error that was raised without knowledge of the request's JSON."""
    if code == "unknown-model":
        location = str(details.get("pointer", "/model_type"))
    elif code == "invalid-parameter" and "parameter" in details:
        name = str(details["parameter"])
        # A condition on several parameters names them all.
        location = pointer("parameters") if "," in name else pointer("parameters", name)
    elif "pointer" in details:
        location = str(details["pointer"])
    else:
        return ()
    return (ErrorLocation(pointer=location, detail=message),)

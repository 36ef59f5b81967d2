"""Errors as `application/problem+json` (RFC 9457)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from levy_schemas.problems import (
    CODE_OF_STATUS,
    MEDIA_TYPE,
    PROBLEMS,
    ErrorLocation,
    Problem,
    error_locations,
    pointer,
)
from levy_service import request_id
from levy_service.strict_json import RepeatedKeyError

MAX_LOCATIONS: Final = 20
"""Limit of the member `errors`: a request may have a thousand invalid quotes."""

_RESERVED: Final = frozenset(Problem.model_fields)
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MESSAGES: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field; check its spelling",
    "too_short": "has {actual_length} entries; give at least {min_length}",
    "too_long": "has more than {max_length} entries, which is the limit",
}
"""Messages that replace pydantic's, by the type of its error."""


class ProblemError(Exception):
    """An error that is reported as a problem; a subclass sets the `code`.

    The code determines title and status: see `levy_schemas.problems.PROBLEMS`. `LevyError` of the
    numerical libraries, which do not depend on this package, has the same attributes.

    Attributes
    ----------
    message : str
        The member `detail`.
    details : mapping
        Further members; `pointer` becomes the location of the error in the request.
    retry_after_seconds : int, optional
        The header `Retry-After`.
    """

    code: ClassVar[str] = "internal"
    retry_after_seconds: int | None = None

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


def problem_response(
    code: str,
    detail: str,
    *,
    path: str,
    errors: Sequence[ErrorLocation] = (),
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem as an HTTP response.

    Parameters
    ----------
    code : str
        A key of `levy_schemas.problems.PROBLEMS`.
    detail : str
        What is wrong and what to do.
    path : str
        Path of the request.
    errors : sequence of ErrorLocation
    members : mapping, optional
        Further members.
    headers : mapping, optional
        Further HTTP headers, such as `Retry-After`.
    """
    kind = PROBLEMS[code]
    content: dict[str, Any] = {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": path,
        "code": code,
        "request_id": request_id.current(),
    }
    if errors:
        content["errors"] = [
            location.model_dump(exclude_none=True) for location in errors[:MAX_LOCATIONS]
        ]
    content |= {name: v for name, v in (members or {}).items() if name not in _RESERVED}
    body = orjson.dumps(content, default=str, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(
        body, status_code=kind.status, media_type=MEDIA_TYPE, headers=dict(headers or {})
    )


def error_response(error: Exception, path: str) -> Response | None:
    """Return the response to a `ProblemError` or `LevyError`, None for any other error."""
    code = getattr(error, "code", None)
    if not isinstance(code, str) or code not in PROBLEMS:
        return None
    message = str(getattr(error, "message", error))
    details: Mapping[str, Any] = getattr(error, "details", {})
    retry = getattr(error, "retry_after_seconds", None)
    return problem_response(
        code,
        message,
        path=path,
        errors=error_locations(code, message, details),
        members={name: value for name, value in details.items() if name != "pointer"},
        headers=None if retry is None else {"Retry-After": str(retry)},
    )


def internal_response(path: str) -> Response:
    """Return the response to an unexpected error, which reveals only the request id."""
    return problem_response(
        "internal", "Internal error; the log has its details under this request id.", path=path
    )


def problem_of(error: Exception, path: str) -> Problem | None:
    """Return a `ProblemError` or `LevyError` as a problem, None for any other error."""
    response = error_response(error, path)
    return None if response is None else _parsed(response)


def internal_problem(path: str) -> Problem:
    """Return the problem of an unexpected error, which reveals only the request id."""
    return _parsed(internal_response(path))


def _parsed(response: Response) -> Problem:
    return Problem.model_validate_json(bytes(response.body))


def install(app: FastAPI) -> None:
    """Report the framework's errors as problems."""
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    path = request.url.path
    # Values that were parsed as JSON are never bytes.
    if any(isinstance(e.get("input"), bytes) for e in errors):
        return problem_response(
            "unsupported-media-type",
            "The body was not sent as JSON; set Content-Type: application/json.",
            path=path,
        )
    cause = error.__cause__
    if isinstance(cause, RepeatedKeyError):
        locations = [ErrorLocation(pointer=cause.pointer, detail=f"{cause.msg}; send it once")]
    else:
        locations = invalid_fields(errors)
    first = locations[0]
    field = first.parameter or first.pointer or "the body"
    more = f", and {len(locations) - 1} more" if len(locations) > 1 else ""
    return problem_response(
        "invalid-input", f"{field}: {first.detail}{more}", path=path, errors=locations
    )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = {"Allow": ", ".join(_allowed_methods(request))}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=allowed)
        detail = f"{request.method} is not a method of this path."
        return problem_response(
            "method-not-allowed", detail, path=request.url.path, headers=allowed
        )
    code = CODE_OF_STATUS.get(error.status_code, "bad-request")
    if error.status_code >= 500 and error.status_code not in CODE_OF_STATUS:
        code = "internal"
    return problem_response(code, str(error.detail), path=request.url.path, headers=error.headers)


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods of a path, of all routes that have it."""

    def is_allowed(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    methods = [method for method in _METHODS if is_allowed(method)]
    return [*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"]


def invalid_fields(errors: Sequence[Mapping[str, Any]]) -> list[ErrorLocation]:
    """Return pydantic's errors as locations, without those that follow from others."""
    locations = [_location(error) for error in errors if not _is_consequence(error, errors)]
    return locations or [ErrorLocation(pointer="", detail="the request does not fit its schema")]


def _location(error: Mapping[str, Any]) -> ErrorLocation:
    context = error.get("ctx", {})
    if error["type"] == "json_invalid":
        return ErrorLocation(pointer="", detail=f"not JSON: {context.get('error', '')}")
    message = _MESSAGES.get(error["type"], "").format(**context) or error["msg"]
    part, *steps = error["loc"]
    if part != "body":
        return ErrorLocation(pointer="", parameter=str(steps[0]), detail=message)
    # Steps in brackets are not part of the JSON: pydantic marks keys of mappings so, and we the
    # members of unions.
    steps = [step for step in steps if not str(step).startswith("[")]
    return ErrorLocation(pointer=pointer(*steps) + str(context.get("pointer", "")), detail=message)


def _is_consequence(error: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a sequence is too short only because its entries are invalid."""
    if error["type"] != "too_short":
        return False
    steps = error["loc"]
    return any(len(e["loc"]) > len(steps) and e["loc"][: len(steps)] == steps for e in errors)

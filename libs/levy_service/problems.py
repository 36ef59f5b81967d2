"""Errors as answers: every one is `application/problem+json`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from levy_schemas.problems import (
    CODE_OF_STATUS,
    MEDIA_TYPE,
    PROBLEMS,
    PlaceOfError,
    Problem,
    places_of,
    pointer,
)
from levy_service import request_id
from levy_service.strict_json import RepeatedKeyError

MAX_PLACES: Final = 20
"""A thousand bad quotes are not told one by one."""

_RESERVED: Final = frozenset(Problem.model_fields)


def problem_response(
    code: str,
    detail: str,
    *,
    path: str,
    errors: Sequence[PlaceOfError] = (),
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Shape one problem as an HTTP answer.

    Parameters
    ----------
    code : str
        A key of `levy_schemas.problems.PROBLEMS`.
    detail : str
        This very problem, for people.
    path : str
        What was asked.
    errors : sequence of PlaceOfError
        Places of the request that are at fault.
    members : mapping, optional
        Further members for programs.
    headers : mapping, optional
        Further HTTP headers, `Retry-After` for one.
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
        content["errors"] = [place.model_dump() for place in errors[:MAX_PLACES]]
    content |= {name: v for name, v in (members or {}).items() if name not in _RESERVED}
    body = orjson.dumps(content, default=str, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(
        body, status_code=kind.status, media_type=MEDIA_TYPE, headers=dict(headers or {})
    )


def coded_problem(error: Exception, path: str) -> Problem | None:
    """Tell an error that carries a known `code` as a problem; None for one that does not.

    Numerics and clients own their codes and know no HTTP; they are recognised by their
    attributes `code`, `message`, `details`.
    """
    response = coded_response(error, path)
    return None if response is None else Problem.model_validate_json(bytes(response.body))


def coded_response(error: Exception, path: str) -> Response | None:
    """Answer for an error that carries a known `code`; None for one that does not.

    Numerics and clients own their codes and know no HTTP; they are recognised by their
    attributes `code`, `message`, `details` and, where there is one, `retry_after_seconds`.
    """
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
        errors=places_of(code, message, details),
        members={name: value for name, value in details.items() if name != "pointer"},
        headers=None if retry is None else {"Retry-After": str(retry)},
    )


def internal_response(path: str) -> Response:
    """The last resort: it tells its request id and nothing else."""
    return problem_response("internal", "The failure is logged under this request id.", path=path)


def install(app: FastAPI) -> None:
    """Render what the framework itself raises."""
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    path = request.url.path
    # What was read as JSON has no bytes in it.
    if any(isinstance(e.get("input"), bytes) for e in found):
        return problem_response(
            "unsupported-media-type",
            "The body was not sent as JSON; set Content-Type: application/json.",
            path=path,
        )
    cause = error.__cause__
    if isinstance(cause, RepeatedKeyError):
        places = [PlaceOfError(pointer=cause.pointer, detail=f"{cause.msg}; send it once")]
    else:
        places = places_at_fault(found)
    first = places[0]
    where = first.pointer or "the body"
    more = f", and {len(places) - 1} more" if len(places) > 1 else ""
    return problem_response(
        "invalid-input", f"{where}: {first.detail}{more}", path=path, errors=places
    )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = CODE_OF_STATUS.get(error.status_code, "bad-request")
    if error.status_code >= 500 and error.status_code not in CODE_OF_STATUS:
        code = "internal"
    return problem_response(code, str(error.detail), path=request.url.path, headers=error.headers)


def places_at_fault(errors: Sequence[Mapping[str, Any]]) -> list[PlaceOfError]:
    """Turn pydantic's errors into places, the consequences of other errors left out."""
    places = [_place(error) for error in errors if not _follows_from_another(error, errors)]
    return places or [PlaceOfError(pointer="", detail="the request does not fit its schema")]


def _place(error: Mapping[str, Any]) -> PlaceOfError:
    steps = error["loc"]
    context = error.get("ctx", {})
    if error["type"] == "json_invalid":
        return PlaceOfError(pointer="", detail=f"not JSON: {context.get('error', '')}")
    # The first step says which part of the request, of which only the body is read.
    # What stands in brackets is no place: pydantic marks keys of mappings so, and we the members
    # of unions.
    within = [step for step in steps[1:] if not str(step).startswith("[")]
    return PlaceOfError(
        pointer=pointer(*within) + str(context.get("pointer", "")), detail=error["msg"]
    )


def _follows_from_another(error: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a sequence is called too short only because its entries were refused."""
    if error["type"] != "too_short":
        return False
    steps = error["loc"]
    return any(len(e["loc"]) > len(steps) and e["loc"][: len(steps)] == steps for e in errors)

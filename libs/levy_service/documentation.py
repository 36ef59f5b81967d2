"""Problems in the OpenAPI document."""

from collections import defaultdict
from typing import Any

from fastapi import FastAPI

from levy_schemas.descriptions import describe_fields
from levy_schemas.problems import MEDIA_TYPE, PROBLEMS, Problem

Responses = dict[int | str, dict[str, Any]]

_REFERENCE = {"$ref": "#/components/schemas/Problem"}
_RETRY_AFTER = {
    "headers": {
        "Retry-After": {
            "description": "seconds to wait before a retry",
            "schema": {"type": "integer"},
        }
    }
}
_RETRYABLE = (429, 503)
_COMMON = ("internal",)
BODY_PROBLEMS = ("invalid-input", "body-too-large", "unsupported-media-type")


def problems(*codes: str) -> Responses:
    """Return the OpenAPI responses of problems, and of those that every route has.

    Parameters
    ----------
    *codes : str
        Keys of `levy_schemas.problems.PROBLEMS`.
    """
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in (*codes, *_COMMON):
        by_status[PROBLEMS[code].status].append(code)
    return {
        status: {
            "description": "; ".join(f"`{code}`: {PROBLEMS[code].title}" for code in group),
            "content": {MEDIA_TYPE: {"schema": _REFERENCE}},
            "x-problem-codes": group,
            **(_RETRY_AFTER if status in _RETRYABLE else {}),
        }
        for status, group in sorted(by_status.items())
    }


def document_problems(app: FastAPI) -> None:
    """Add the schema of a problem, to which the responses refer, and descriptions of fields."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {})
            schemas["Problem"] = schema
        describe_fields(schemas)
        _remove_framework_errors(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _remove_framework_errors(document: dict[str, Any]) -> None:
    """Remove the framework's own error schema, which no route uses."""
    for methods in document["paths"].values():
        for operation in methods.values():
            if "HTTPValidationError" in str(operation["responses"].get("422", "")):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)

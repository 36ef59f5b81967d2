"""What the OpenAPI page says about problems."""

from collections import defaultdict
from typing import Any

from fastapi import FastAPI

from levy_schemas.problems import MEDIA_TYPE, PROBLEMS, Problem

Responses = dict[int | str, dict[str, Any]]

_REFERENCE = {"$ref": "#/components/schemas/Problem"}
_RETRY_AFTER = {
    "headers": {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}
}
_TO_COME_BACK = (429, 503)
ALWAYS = ("internal",)
OF_A_BODY = ("invalid-input", "body-too-large", "unsupported-media-type")


def problems(*codes: str) -> Responses:
    """Responses of a route that can answer these problems.

    Parameters
    ----------
    *codes : str
        Keys of `levy_schemas.problems.PROBLEMS`.
    """
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in (*codes, *ALWAYS):
        by_status[PROBLEMS[code].status].append(code)
    return {
        status: {
            "description": "; ".join(f"`{code}`: {PROBLEMS[code].title}" for code in these),
            "content": {MEDIA_TYPE: {"schema": _REFERENCE}},
            "x-problem-codes": these,
            **(_RETRY_AFTER if status in _TO_COME_BACK else {}),
        }
        for status, these in sorted(by_status.items())
    }


def describe_problems(app: FastAPI) -> None:
    """Put the schema of a problem where the routes refer to it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {})
            schemas["Problem"] = schema
        _forget_framework_errors(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _forget_framework_errors(document: dict[str, Any]) -> None:
    """Leave out the framework's own form of errors, which no route answers."""
    for methods in document["paths"].values():
        for operation in methods.values():
            described = str(operation["responses"].get("422", ""))
            if "HTTPValidationError" in described:
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)

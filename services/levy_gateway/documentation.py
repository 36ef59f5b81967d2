"""What the OpenAPI page says about keys, limits and kept results."""

from typing import Any, Final

from fastapi import FastAPI

from levy_gateway.authentication import is_open
from levy_schemas.headers import API_KEY, CACHE_CONTROL, CACHE_STATUS
from levy_service.documentation import problems

_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": API_KEY},
}
_ANY_OR_NONE: Final[list[dict[str, Any]]] = [*({name: []} for name in _SCHEMES), {}]

FRESHNESS: Final[dict[str, Any]] = {
    "name": CACHE_CONTROL,
    "in": "header",
    "description": "`no-cache`: computed now; `no-store`: and not kept for others",
    "schema": {"type": "string"},
}
KEPT_OR_NOT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "headers": {
            CACHE_STATUS: {
                "description": "`levy; hit` for a result kept from before (RFC 9211)",
                "schema": {"type": "string"},
            }
        }
    }
}


def describe_admission(app: FastAPI) -> None:
    """Say of every operation that is not open how it takes a key, and how it refuses."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        if "securitySchemes" not in components:
            components["securitySchemes"] = _SCHEMES
            for path, operations in document["paths"].items():
                if not is_open(path):
                    for operation in operations.values():
                        operation["security"] = _ANY_OR_NONE
                        operation["responses"] |= _refusals()
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _refusals() -> dict[str, Any]:
    by_status = problems("unauthorized", "rate-limited")
    return {str(status): by_status[status] for status in (401, 429)}

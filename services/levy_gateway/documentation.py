"""OpenAPI documentation of authentication, rate limits and the result cache."""

from typing import Any, Final

from fastapi import FastAPI

from levy_gateway.authentication import is_open
from levy_schemas.headers import API_KEY, CACHE_CONTROL, CACHE_STATUS
from levy_service.documentation import problems

_SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": API_KEY},
}
_SECURITY: Final[list[dict[str, Any]]] = [*({name: []} for name in _SECURITY_SCHEMES), {}]

CACHE_CONTROL_PARAMETER: Final[dict[str, Any]] = {
    "name": CACHE_CONTROL,
    "in": "header",
    "description": "`no-cache`: ignore cached results; `no-store`: also do not cache this one",
    "schema": {"type": "string"},
}
CACHE_STATUS_HEADER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "headers": {
            CACHE_STATUS: {
                "description": "`levy; hit` for a cached result (RFC 9211)",
                "schema": {"type": "string"},
            }
        }
    }
}


def document_authentication(app: FastAPI) -> None:
    """Add security schemes and their problems to every operation that requires a key."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        if "securitySchemes" not in components:
            components["securitySchemes"] = _SECURITY_SCHEMES
            for path, operations in document["paths"].items():
                if not is_open(path):
                    for operation in operations.values():
                        operation["security"] = _SECURITY
                        operation["responses"] |= _rejections()
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _rejections() -> dict[str, Any]:
    by_status = problems("unauthorized", "rate-limited")
    return {str(status): by_status[status] for status in (401, 429)}

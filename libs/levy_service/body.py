"""Reading bodies: bounded before they are parsed, and strictly JSON."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from levy_service import strict_json
from levy_service.problems import problem_response

_ESCAPED_COLON: Final = b"\\u003"


class BodyLimit:
    """Refuses bodies that are too large: by what they announce, and by what comes.

    Parameters
    ----------
    app : ASGIApp
        What is guarded.
    max_bytes : int
        The largest body let through.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > self.max_bytes:
            detail = self._detail()
            response = problem_response("body-too-large", detail, path=scope["path"])
            await response(scope, receive, send)
            return
        seen = 0

        async def receive_counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_bytes:
                raise HTTPException(413, self._detail())
            return message

        await self.app(scope, receive_counted, send)

    def _detail(self) -> str:
        return f"A body may have {self.max_bytes} bytes."


class _StrictRequest(Request):
    """A request whose JSON has no NaN, no infinity, bounded depth and no key twice."""

    async def json(self) -> Any:
        body = await self.body()
        value = orjson.loads(body)
        if _may_repeat_keys(body, value):
            strict_json.loads(body)
        return value


def _may_repeat_keys(body: bytes, value: Any) -> bool:
    """Return whether an object of a JSON text may have a key twice.

    A member of an object has one colon, and other colons occur in strings alone: written again, a
    value without repeated keys has as many colons as its text. This costs a tenth of a reader that
    looks for them. An escaped colon could make up for a lost one.
    """
    if _ESCAPED_COLON in body:
        return True
    try:
        return body.count(b":") != orjson.dumps(value).count(b":")
    except orjson.JSONEncodeError:  # nested more deeply than orjson writes
        return True


class StrictJsonRoute(APIRoute):
    """A route that reads its body by the letter of RFC 8259.

    The framework's own parser takes NaN and infinity, keeps the last of repeated keys, overflows
    the stack on deep nesting, and is several times slower.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Hand the strict request to the handler that the framework makes."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return handle

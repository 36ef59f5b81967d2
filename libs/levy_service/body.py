"""Request bodies: limited in size, and strict JSON."""

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
    """Reject bodies that are too large, by their Content-Length and while they are received.

    Parameters
    ----------
    app : ASGIApp
    max_bytes : int
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > self.max_bytes:
            response = problem_response("body-too-large", self._detail(), path=scope["path"])
            await response(scope, receive, send)
            return
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise HTTPException(413, self._detail())
            return message

        await self.app(scope, receive_limited, send)

    def _detail(self) -> str:
        return f"Request body exceeds the limit of {self.max_bytes} bytes; send fewer options."


class _StrictRequest(Request):
    """A request whose JSON has no NaN, no infinity, no repeated key and a limited depth."""

    async def json(self) -> Any:
        body = await self.body()
        value = orjson.loads(body)
        if _may_repeat_keys(body, value):
            strict_json.loads(body)
        return value


def _may_repeat_keys(body: bytes, value: Any) -> bool:
    """Return whether an object of a JSON text may have a key twice.

    A member of an object has one colon, and other colons occur only in strings: if no key is
    repeated, the value has as many colons when written again. This costs a tenth of a parser that
    detects repeated keys. An escaped colon could compensate for a lost one.
    """
    if _ESCAPED_COLON in body:
        return True
    try:
        return body.count(b":") != orjson.dumps(value).count(b":")
    except orjson.JSONEncodeError:  # nested more deeply than orjson can write
        return True


class StrictJsonRoute(APIRoute):
    """A route whose body must be JSON as in RFC 8259.

    The framework's parser accepts NaN, infinity and repeated keys, overflows the stack on deep
    nesting, and is several times slower.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the framework's handler, applied to a strict request."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return handle

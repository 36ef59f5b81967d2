"""Limits of request bodies, before anything reads them."""

import asyncio
from typing import Any

from levy_service.body import BodyLimit


async def must_not_run(*_: Any) -> Any:
    raise AssertionError("the body was received")


def test_a_body_that_announces_too_much_is_rejected_before_it_is_received() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/points", "headers": [(b"content-length", b"1001")]}
    asyncio.run(BodyLimit(must_not_run, 1000)(scope, must_not_run, send))
    assert sent[0]["status"] == 413

"""`POST /quotes`."""

from typing import Protocol

import structlog
from fastapi import APIRouter, Request

from levy_schemas.quotes import QuotesRequest, QuotesResult
from levy_service import request_id
from levy_service.body import StrictJsonRoute
from levy_service.documentation import BODY_PROBLEMS, problems
from levy_service.work import Checkpoint, Threads


class Handler(Protocol):
    """Reads and cleans quotes."""

    def __call__(self, request: QuotesRequest, *, checkpoint: Checkpoint) -> QuotesResult:
        """Return the quotes; `checkpoint` raises if the request is cancelled."""


_log = structlog.get_logger()


def router(handler: Handler, threads: Threads) -> APIRouter:
    """Return the route of a handler."""
    routes = APIRouter(route_class=StrictJsonRoute, tags=["quotes"])

    @routes.post("/quotes", responses=problems(*BODY_PROBLEMS, "overloaded", "deadline"))
    async def read_quotes(body: QuotesRequest, request: Request) -> QuotesResult:
        """Read and clean a file of quotes, in any layout that is recognised."""
        result = await threads.run(lambda checkpoint: handler(body, checkpoint=checkpoint), request)
        _log.info("quotes.read", n_read=result.n_read, n_kept=result.n_kept)
        return result.model_copy(update={"request_id": request_id.current()})

    return routes

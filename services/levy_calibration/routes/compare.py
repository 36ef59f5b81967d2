"""`POST /compare`."""

from typing import Protocol

import structlog
from fastapi import APIRouter, Request

from levy_calibration.metrics import CalibrationMetrics
from levy_schemas.comparison import ComparisonRequest, ComparisonResult
from levy_service import request_id
from levy_service.body import StrictJsonRoute
from levy_service.documentation import BODY_PROBLEMS, problems
from levy_service.work import Checkpoint, Threads


class Handler(Protocol):
    """Compares models on one surface."""

    def __call__(self, request: ComparisonRequest, *, checkpoint: Checkpoint) -> ComparisonResult:
        """Return the comparison; `checkpoint` raises if the request is cancelled."""


_PROBLEMS = (*BODY_PROBLEMS, "unknown-model", "arbitrage", "unsupported", "overloaded", "deadline")
_log = structlog.get_logger()


def router(handler: Handler, threads: Threads, metrics: CalibrationMetrics) -> APIRouter:
    """Return the route of a handler."""
    routes = APIRouter(route_class=StrictJsonRoute, tags=["calibration"])

    @routes.post("/compare", responses=problems(*_PROBLEMS))
    async def compare(body: ComparisonRequest, request: Request) -> ComparisonResult:
        """Calibrate several models to one surface of quotes, and rank them."""
        result = await threads.run(lambda checkpoint: handler(body, checkpoint=checkpoint), request)
        metrics.record_comparison(result)
        _log.info(
            "comparison.finished",
            n_models=len(result.results),
            n_not_fitted=len(result.not_fitted),
            best=result.results[0].model_type if result.results else None,
            n_quotes=result.n_quotes,
            n_dropped=len(result.dropped),
            seconds=round(result.comparison_time_ms / 1e3, 6),
        )
        return result.model_copy(update={"request_id": request_id.current()})

    return routes

"""`POST /calibrate`."""

from collections.abc import Callable
from typing import Protocol

import structlog
from anyio import from_thread
from fastapi import APIRouter, Request

from levy_calibration.metrics import CalibrationMetrics
from levy_observability import request_id
from levy_observability.body import StrictJsonRoute
from levy_observability.documentation import OF_A_BODY, problems
from levy_observability.work import Threads
from levy_schemas.calibration import CalibrationRequest, CalibrationResult


class Handler(Protocol):
    """Fits one surface."""

    def __call__(
        self, request: CalibrationRequest, *, checkpoint: Callable[[], None]
    ) -> CalibrationResult:
        """Fit; `checkpoint` raises when nobody waits any more."""


_PROBLEMS = (*OF_A_BODY, "unknown-model", "arbitrage", "unsupported", "deadline")
_log = structlog.get_logger()


def router(handler: Handler, threads: Threads, metrics: CalibrationMetrics) -> APIRouter:
    """Make the route around a handler."""
    routes = APIRouter(route_class=StrictJsonRoute, tags=["calibration"])

    @routes.post("/calibrate", responses=problems(*_PROBLEMS))
    async def calibrate(body: CalibrationRequest, request: Request) -> CalibrationResult:
        """Fit a model to one surface of quotes."""
        result = await threads.run(
            lambda: handler(body, checkpoint=from_thread.check_cancelled), request
        )
        metrics.record(result)
        _log.info(
            "calibration.finished",
            model=result.model_type,
            n_quotes=result.fit_quality.n_quotes,
            n_dropped=len(result.dropped),
            rmse_vol=result.fit_quality.implied_vol_rmse,
            seconds=round(result.calibration_time_ms / 1e3, 6),
            status=result.status,
        )
        return result.model_copy(update={"request_id": request_id.current()})

    return routes

"""`POST /calibrate`: one surface, or a batch of them."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import structlog
from fastapi import APIRouter, Request

from levy_calibration.metrics import CalibrationMetrics
from levy_schemas.calibration import (
    CalibrationBatch,
    CalibrationBatchResult,
    CalibrationBody,
    CalibrationRequest,
    CalibrationResult,
    SurfaceOutcome,
)
from levy_service import request_id
from levy_service.body import StrictJsonRoute
from levy_service.documentation import BODY_PROBLEMS, problems
from levy_service.problems import problem_of
from levy_service.work import Checkpoint, Threads


class Handler(Protocol):
    """Fits one surface."""

    def __call__(self, request: CalibrationRequest, *, checkpoint: Checkpoint) -> CalibrationResult:
        """Fit; `checkpoint` is called before and between what takes long."""


class BatchHandler(Protocol):
    """Prepares the fits of several surfaces."""

    def __call__(
        self, requests: Sequence[CalibrationRequest], *, checkpoint: Checkpoint
    ) -> list[Callable[[Checkpoint], CalibrationResult]]:
        """Return the fit of each, to run in any thread."""


_PROBLEMS = (*BODY_PROBLEMS, "unknown-model", "arbitrage", "unsupported", "deadline")
_PATH = "/calibrate"
_log = structlog.get_logger()


def router(
    handler: Handler, batch_handler: BatchHandler, threads: Threads, metrics: CalibrationMetrics
) -> APIRouter:
    """Make the route around handlers of one surface and of several."""
    routes = APIRouter(route_class=StrictJsonRoute, tags=["calibration"])

    def finished(result: CalibrationResult) -> CalibrationResult:
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

    async def each(batch: CalibrationBatch, request: Request) -> CalibrationBatchResult:
        started = time.perf_counter()

        def prepare(
            checkpoint: Checkpoint,
        ) -> list[Callable[[Checkpoint], CalibrationResult | SurfaceOutcome]]:
            fits = batch_handler(batch.surfaces, checkpoint=checkpoint)
            return [partial(_result_or_problem, fit) for fit in fits]

        found = await threads.run_each(prepare, request)
        results = tuple(
            SurfaceOutcome(result=finished(one)) if isinstance(one, CalibrationResult) else one
            for one in found
        )
        return CalibrationBatchResult(
            results=results,
            calibration_time_ms=1e3 * (time.perf_counter() - started),
            request_id=request_id.current(),
        )

    @routes.post(_PATH, responses=problems(*_PROBLEMS))
    async def calibrate(
        body: CalibrationBody, request: Request
    ) -> CalibrationResult | CalibrationBatchResult:
        """Fit a model to one surface of quotes, or to each of a batch."""
        if isinstance(body, CalibrationBatch):
            return await each(body, request)
        run = threads.run_inline if _is_brief(body) else threads.run
        return finished(await run(lambda checkpoint: handler(body, checkpoint=checkpoint), request))

    return routes


def _is_brief(surface: CalibrationRequest) -> bool:
    """Whether a network's start is to leave but a few evaluations."""
    whole = surface.method != "least_squares" and not surface.per_maturity
    return whole and surface.uncertainty != "psis"


def _result_or_problem(
    fit: Callable[[Checkpoint], CalibrationResult], checkpoint: Checkpoint
) -> CalibrationResult | SurfaceOutcome:
    """Fit one surface of a batch; one that cannot be fitted is a problem in its place."""
    try:
        return fit(checkpoint)
    except Exception as error:
        problem = problem_of(error, _PATH)
        if problem is None:
            raise
        return SurfaceOutcome(problem=problem)

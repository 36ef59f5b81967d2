"""`POST /calibrate`: one surface, or a batch."""

import time
from collections.abc import Callable, Mapping, Sequence
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
from levy_schemas.cost import Lane, cost_of
from levy_service import request_id
from levy_service.body import StrictJsonRoute
from levy_service.documentation import BODY_PROBLEMS, problems
from levy_service.problems import problem_of
from levy_service.work import Checkpoint, Threads


class Handler(Protocol):
    """Fits one surface."""

    def __call__(self, request: CalibrationRequest, *, checkpoint: Checkpoint) -> CalibrationResult:
        """Return the fit; `checkpoint` is called before each long step."""


class BatchHandler(Protocol):
    """Prepares the fits of several surfaces."""

    def __call__(
        self, requests: Sequence[CalibrationRequest], *, checkpoint: Checkpoint
    ) -> list[Callable[[Checkpoint], CalibrationResult]]:
        """Return the fit of each, to run in any thread."""


_PROBLEMS = (*BODY_PROBLEMS, "unknown-model", "arbitrage", "unsupported", "overloaded", "deadline")
_PATH = "/calibrate"
_log = structlog.get_logger()


def router(
    handler: Handler,
    batch_handler: BatchHandler,
    threads: Mapping[Lane, Threads],
    metrics: CalibrationMetrics,
) -> APIRouter:
    """Return the route of the handlers of one surface and of a batch."""
    routes = APIRouter(route_class=StrictJsonRoute, tags=["calibration"])

    def recorded(result: CalibrationResult) -> CalibrationResult:
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

    async def fit_batch(batch: CalibrationBatch, request: Request) -> CalibrationBatchResult:
        started = time.perf_counter()

        def prepare(
            checkpoint: Checkpoint,
        ) -> list[Callable[[Checkpoint], CalibrationResult | SurfaceOutcome]]:
            fits = batch_handler(batch.surfaces, checkpoint=checkpoint)
            return [partial(_result_or_problem, fit) for fit in fits]

        outcomes = tuple(
            SurfaceOutcome(result=recorded(outcome))
            if isinstance(outcome, CalibrationResult)
            else outcome
            for outcome in await threads["long"].run_each(prepare, request)
        )
        return CalibrationBatchResult(
            results=outcomes,
            calibration_time_ms=1e3 * (time.perf_counter() - started),
            request_id=request_id.current(),
        )

    @routes.post(_PATH, responses=problems(*_PROBLEMS))
    async def calibrate(
        body: CalibrationBody, request: Request
    ) -> CalibrationResult | CalibrationBatchResult:
        """Calibrate a model to one surface of quotes, or to each surface of a batch."""
        if isinstance(body, CalibrationBatch):
            return await fit_batch(body, request)
        fit = partial(_fit, handler, body)
        return recorded(await threads[cost_of(body).lane].run(fit, request))

    return routes


def _fit(
    handler: Handler, surface: CalibrationRequest, checkpoint: Checkpoint
) -> CalibrationResult:
    return handler(surface, checkpoint=checkpoint)


def _result_or_problem(
    fit: Callable[[Checkpoint], CalibrationResult], checkpoint: Checkpoint
) -> CalibrationResult | SurfaceOutcome:
    """Return the fit of one surface of a batch, or the problem if it fails."""
    try:
        return fit(checkpoint)
    except Exception as error:
        problem = problem_of(error, _PATH)
        if problem is None:
            raise
        return SurfaceOutcome(problem=problem)

"""`POST /price`."""

import time
from collections.abc import Callable

from fastapi import APIRouter, Request

from levy_pricing.metrics import PricingMetrics
from levy_schemas.pricing import PriceRequest, PriceResult
from levy_service import request_id
from levy_service.body import StrictJsonRoute
from levy_service.documentation import BODY_PROBLEMS, problems
from levy_service.work import Checkpoint, Threads

Handler = Callable[[PriceRequest], PriceResult]

_PROBLEMS = (
    *BODY_PROBLEMS,
    *(
        "unknown-model",
        "invalid-parameter",
        "outside-strip",
        "unsupported",
        "overloaded",
        "deadline",
    ),
)


def router(handler: Handler, threads: Threads, metrics: PricingMetrics) -> APIRouter:
    """Return the route of a handler."""
    routes = APIRouter(route_class=StrictJsonRoute, tags=["pricing"])

    @routes.post("/price", responses=problems(*_PROBLEMS))
    async def price(body: PriceRequest, request: Request) -> PriceResult:
        """Price European, American, Bermudan and barrier options, with optional Greeks."""

        def work(_: Checkpoint) -> PriceResult:
            started = time.perf_counter()
            result = handler(body)
            labels = (result.model_type, result.method)
            metrics.price_seconds.labels(*labels).observe(time.perf_counter() - started)
            metrics.options.labels(*labels).inc(len(body.strikes) * len(body.maturities))
            return result

        result = await threads.run(work, request)
        return result.model_copy(update={"request_id": request_id.current()})

    return routes

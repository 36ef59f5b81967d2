"""`POST /quotes`, `/price`, `/calibrate` and `/compare`: validated here, computed upstream."""

from fastapi import APIRouter, Request, Response

from levy_gateway.clients import Reply
from levy_gateway.documentation import CACHE_CONTROL_PARAMETER, CACHE_STATUS_HEADER
from levy_gateway.handlers.cached_forward import CachedForward
from levy_gateway.handlers.forward import Forward, Forwardable
from levy_gateway.rate_limiter import RateLimiter
from levy_gateway.routes.cache_control import NO_CACHE, cache_policy
from levy_schemas.calibration import (
    CalibrationBatch,
    CalibrationBatchResult,
    CalibrationBody,
    CalibrationRequest,
    CalibrationResult,
)
from levy_schemas.comparison import ComparisonRequest, ComparisonResult
from levy_schemas.cost import Cost, cost_of
from levy_schemas.headers import CACHE_STATUS, RETRY_AFTER
from levy_schemas.pricing import PriceRequest, PriceResult
from levy_schemas.quotes import QuotesRequest, QuotesResult
from levy_service.body import StrictJsonRoute
from levy_service.documentation import BODY_PROBLEMS, problems
from levy_service.work import deadline_of

_Surfaces = CalibrationRequest | CalibrationBatch | ComparisonRequest
_UPSTREAM_PROBLEMS = ("upstream-error", "upstream-unavailable", "overloaded", "deadline")
_PRICE_PROBLEMS = ("unknown-model", "invalid-parameter", "outside-strip", "unsupported")
_CALIBRATE_PROBLEMS = ("unknown-model", "arbitrage", "unsupported")


def router(
    pricing: Forward, calibration: CachedForward, limiter: RateLimiter | None = None
) -> APIRouter:
    """Return the routes; `limiter` counts what requests cost beyond one fit."""
    routes = APIRouter(route_class=StrictJsonRoute)

    async def admitted(path: str, cost: Cost, request: Request, longest: float) -> Forwardable:
        caller = str(request.state.caller)
        if limiter is not None and cost.n_fits > 1:
            # The middleware, which does not read bodies, has counted one.
            await limiter.require(caller, cost.n_fits - 1)
        return Forwardable(path, await request.body(), deadline_of(request, longest), caller, cost)

    async def forwarded(path: str, content: _Surfaces, request: Request) -> Response:
        # Batches are rarely repeated, and would evict results that are.
        is_batch = isinstance(content, CalibrationBatch)
        policy = NO_CACHE if is_batch else cache_policy(request)
        sent = await admitted(path, cost_of(content), request, calibration.deadline_seconds)
        cached = await calibration(sent, content, policy)
        response = _response(cached.reply)
        response.headers[CACHE_STATUS] = cached.cache_status
        return response

    @routes.post(
        "/quotes",
        tags=["quotes"],
        response_model=QuotesResult,
        responses=problems(*BODY_PROBLEMS, *_UPSTREAM_PROBLEMS),
    )
    async def read_quotes(body: QuotesRequest, request: Request) -> Response:
        """Read and clean a file of quotes, in any layout that is recognised."""
        sent = await admitted("/quotes", cost_of(body), request, calibration.deadline_seconds)
        return _response(await calibration.uncached(sent))

    @routes.post(
        "/price",
        tags=["pricing"],
        response_model=PriceResult,
        responses=problems(*BODY_PROBLEMS, *_PRICE_PROBLEMS, *_UPSTREAM_PROBLEMS),
    )
    async def price(body: PriceRequest, request: Request) -> Response:
        """Price European, American, Bermudan and barrier options, with optional Greeks."""
        sent = await admitted("/price", cost_of(body), request, pricing.deadline_seconds)
        return _response(await pricing(sent))

    @routes.post(
        "/calibrate",
        tags=["calibration"],
        response_model=CalibrationResult | CalibrationBatchResult,
        responses=CACHE_STATUS_HEADER
        | problems(*BODY_PROBLEMS, *_CALIBRATE_PROBLEMS, *_UPSTREAM_PROBLEMS),
        openapi_extra={"parameters": [CACHE_CONTROL_PARAMETER]},
    )
    async def calibrate(body: CalibrationBody, request: Request) -> Response:
        """Calibrate a model to one surface of quotes, or to each surface of a batch."""
        return await forwarded("/calibrate", body, request)

    @routes.post(
        "/compare",
        tags=["calibration"],
        response_model=ComparisonResult,
        responses=CACHE_STATUS_HEADER
        | problems(*BODY_PROBLEMS, *_CALIBRATE_PROBLEMS, *_UPSTREAM_PROBLEMS),
        openapi_extra={"parameters": [CACHE_CONTROL_PARAMETER]},
    )
    async def compare(body: ComparisonRequest, request: Request) -> Response:
        """Calibrate several models to one surface of quotes, and rank them."""
        return await forwarded("/compare", body, request)

    return routes


def _response(reply: Reply) -> Response:
    headers = {} if reply.retry_after is None else {RETRY_AFTER: reply.retry_after}
    return Response(reply.body, reply.status, media_type=reply.media_type, headers=headers)

"""`POST /price`, `/calibrate` and `/compare`: validated here, computed by an upstream service."""

from fastapi import APIRouter, Request, Response

from levy_gateway.clients import Reply
from levy_gateway.documentation import CACHE_CONTROL_PARAMETER, CACHE_STATUS_HEADER
from levy_gateway.handlers.cached_forward import CachedForward
from levy_gateway.handlers.forward import Forward
from levy_gateway.routes.cache_control import NO_CACHE, cache_policy
from levy_schemas.calibration import (
    CalibrationBatch,
    CalibrationBatchResult,
    CalibrationBody,
    CalibrationResult,
)
from levy_schemas.comparison import ComparisonRequest, ComparisonResult
from levy_schemas.headers import CACHE_STATUS, RETRY_AFTER
from levy_schemas.pricing import PriceRequest, PriceResult
from levy_schemas.surface import SurfaceRequest
from levy_service.body import StrictJsonRoute
from levy_service.documentation import BODY_PROBLEMS, problems
from levy_service.work import deadline_of

_UPSTREAM_PROBLEMS = ("upstream-error", "upstream-unavailable", "deadline")
_PRICE_PROBLEMS = ("unknown-model", "invalid-parameter", "outside-strip", "unsupported")
_CALIBRATE_PROBLEMS = ("unknown-model", "arbitrage", "unsupported")


def router(pricing: Forward, calibration: CachedForward) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(route_class=StrictJsonRoute)

    async def forwarded(
        path: str, content: SurfaceRequest | CalibrationBatch, request: Request
    ) -> Response:
        seconds = deadline_of(request, calibration.deadline_seconds)
        # Batches are rarely repeated, and would evict results that are.
        is_batch = isinstance(content, CalibrationBatch)
        body, policy = await request.body(), NO_CACHE if is_batch else cache_policy(request)
        cached = await calibration(path, content, body, seconds, policy)
        response = _response(cached.reply)
        response.headers[CACHE_STATUS] = cached.cache_status
        return response

    @routes.post(
        "/price",
        tags=["pricing"],
        response_model=PriceResult,
        responses=problems(*BODY_PROBLEMS, *_PRICE_PROBLEMS, *_UPSTREAM_PROBLEMS),
    )
    async def price(body: PriceRequest, request: Request) -> Response:
        """Price European options, with implied volatilities and optional Greeks."""
        seconds = deadline_of(request, pricing.deadline_seconds)
        return _response(await pricing("/price", await request.body(), seconds))

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

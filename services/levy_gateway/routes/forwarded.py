"""`POST /price`, `/calibrate` and `/compare`: checked here, computed by a neighbour."""

from fastapi import APIRouter, Request, Response

from levy_gateway.clients import Reply
from levy_gateway.documentation import FRESHNESS, KEPT_OR_NOT
from levy_gateway.handlers.cached_forward import Remember
from levy_gateway.handlers.forward import Forward
from levy_gateway.routes.cache_control import ONCE, freshness_of
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
from levy_service.documentation import OF_A_BODY, problems
from levy_service.work import deadline_of

_OF_A_HOP = ("neighbour-failed", "neighbour-unavailable", "deadline")
_OF_PRICE = ("unknown-model", "invalid-parameter", "outside-strip", "unsupported")
_OF_CALIBRATE = ("unknown-model", "arbitrage", "unsupported")


def router(pricing: Forward, calibration: Remember) -> APIRouter:
    """Make the routes around who answers them."""
    routes = APIRouter(route_class=StrictJsonRoute)

    async def fitted(
        path: str, asked: SurfaceRequest | CalibrationBatch, request: Request
    ) -> Response:
        seconds = deadline_of(request, calibration.deadline_seconds)
        # A batch is hardly ever asked twice, and would push out what is.
        once = isinstance(asked, CalibrationBatch)
        body, freshness = await request.body(), ONCE if once else freshness_of(request)
        remembered = await calibration(path, asked, body, seconds, freshness)
        response = _answer(remembered.reply)
        response.headers[CACHE_STATUS] = remembered.cache_status
        return response

    @routes.post(
        "/price",
        tags=["pricing"],
        response_model=PriceResult,
        responses=problems(*OF_A_BODY, *_OF_PRICE, *_OF_A_HOP),
    )
    async def price(body: PriceRequest, request: Request) -> Response:
        """Price European options, with implied volatilities and, if asked, Greeks."""
        seconds = deadline_of(request, pricing.deadline_seconds)
        return _answer(await pricing("/price", await request.body(), seconds))

    @routes.post(
        "/calibrate",
        tags=["calibration"],
        response_model=CalibrationResult | CalibrationBatchResult,
        responses=KEPT_OR_NOT | problems(*OF_A_BODY, *_OF_CALIBRATE, *_OF_A_HOP),
        openapi_extra={"parameters": [FRESHNESS]},
    )
    async def calibrate(body: CalibrationBody, request: Request) -> Response:
        """Fit a model to one surface of quotes, or to each of a batch."""
        return await fitted("/calibrate", body, request)

    @routes.post(
        "/compare",
        tags=["calibration"],
        response_model=ComparisonResult,
        responses=KEPT_OR_NOT | problems(*OF_A_BODY, *_OF_CALIBRATE, *_OF_A_HOP),
        openapi_extra={"parameters": [FRESHNESS]},
    )
    async def compare(body: ComparisonRequest, request: Request) -> Response:
        """Fit several models to one surface of quotes, and rank them."""
        return await fitted("/compare", body, request)

    return routes


def _answer(reply: Reply) -> Response:
    headers = {} if reply.retry_after is None else {RETRY_AFTER: reply.retry_after}
    return Response(reply.body, reply.status, media_type=reply.media_type, headers=headers)

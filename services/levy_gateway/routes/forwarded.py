"""`POST /price`, `/calibrate` and `/compare`: checked here, computed by a neighbour."""

from fastapi import APIRouter, Request, Response

from levy_gateway.clients import Reply
from levy_gateway.handlers.forward import Forward
from levy_observability.body import StrictJsonRoute
from levy_observability.documentation import OF_A_BODY, problems
from levy_schemas.calibration import CalibrationRequest, CalibrationResult
from levy_schemas.comparison import ComparisonRequest, ComparisonResult
from levy_schemas.pricing import PriceRequest, PriceResult

_OF_A_HOP = ("neighbour-failed", "neighbour-unavailable", "deadline")
_OF_PRICE = ("unknown-model", "invalid-parameter", "outside-strip", "unsupported")
_OF_CALIBRATE = ("unknown-model", "arbitrage", "unsupported")


def router(pricing: Forward, calibration: Forward) -> APIRouter:
    """Make the routes around who answers them."""
    routes = APIRouter(route_class=StrictJsonRoute)

    @routes.post(
        "/price",
        tags=["pricing"],
        response_model=PriceResult,
        responses=problems(*OF_A_BODY, *_OF_PRICE, *_OF_A_HOP),
    )
    async def price(body: PriceRequest, request: Request) -> Response:
        """Price European options, with implied volatilities and, if asked, Greeks."""
        return _answer(await pricing("/price", await request.body()))

    @routes.post(
        "/calibrate",
        tags=["calibration"],
        response_model=CalibrationResult,
        responses=problems(*OF_A_BODY, *_OF_CALIBRATE, *_OF_A_HOP),
    )
    async def calibrate(body: CalibrationRequest, request: Request) -> Response:
        """Fit a model to one surface of quotes."""
        return _answer(await calibration("/calibrate", await request.body()))

    @routes.post(
        "/compare",
        tags=["calibration"],
        response_model=ComparisonResult,
        responses=problems(*OF_A_BODY, *_OF_CALIBRATE, *_OF_A_HOP),
    )
    async def compare(body: ComparisonRequest, request: Request) -> Response:
        """Fit several models to one surface of quotes, and rank them."""
        return _answer(await calibration("/compare", await request.body()))

    return routes


def _answer(reply: Reply) -> Response:
    headers = {} if reply.retry_after is None else {"Retry-After": reply.retry_after}
    return Response(reply.body, reply.status, media_type=reply.media_type, headers=headers)

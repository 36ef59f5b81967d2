"""Baseline of the load test: two empty services, connected by the gateway's HTTP client."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response

from levy_gateway.clients import HttpNeighbour
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.settings import GatewaySettings

ANSWER = "LEVY_LOAD_ANSWER"
"""Environment variable with the file that contains the second service's response."""

_JSON = "application/json"


def first() -> FastAPI:
    """Build a service that forwards requests and returns the responses."""
    settings = GatewaySettings.from_environment()
    neighbour = HttpNeighbour(
        "calibration", settings.calibration_url, 30.0, settings, GatewayMetrics()
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await neighbour.close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/calibrate")
    async def forward(request: Request) -> Response:
        reply = await neighbour.ask("POST", "/calibrate", seconds=30.0, body=await request.body())
        return Response(reply.body, reply.status, media_type=reply.media_type)

    return _ready(app)


def second() -> FastAPI:
    """Build a service that returns the same response to every request."""
    answer = Path(os.environ[ANSWER]).read_bytes()
    app = FastAPI()

    @app.post("/calibrate")
    async def calibrate(request: Request) -> Response:
        await request.body()
        return Response(answer, media_type=_JSON)

    return _ready(app)


def _ready(app: FastAPI) -> FastAPI:
    @app.get("/health/ready")
    async def ready() -> None:
        return None

    return app

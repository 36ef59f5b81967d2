"""A slow calibration service that computes nothing."""

import asyncio
import os

from fastapi import FastAPI, Request, Response

SECONDS = "LEVY_TEST_SECONDS"


def app() -> FastAPI:
    """Respond after the delay in the environment variable."""
    made = FastAPI()
    seconds = float(os.environ[SECONDS])

    @made.post("/calibrate")
    async def calibrate(request: Request) -> Response:
        await request.body()
        await asyncio.sleep(seconds)
        return Response(b'{"degraded": false}', media_type="application/json")

    @made.get("/health/ready")
    async def ready() -> None:
        return None

    return made

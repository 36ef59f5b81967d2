"""The application, built and wired."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog
from fastapi import FastAPI

from levy_gateway.clients import Neighbour, connect
from levy_gateway.handlers.forward import Forward
from levy_gateway.handlers.health import health
from levy_gateway.handlers.models import models
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.routes import forwarded, pages, system
from levy_gateway.settings import GatewaySettings
from levy_observability import service

_log = structlog.get_logger()


def create_app(
    settings: GatewaySettings,
    *,
    pricing: Neighbour | None = None,
    calibration: Neighbour | None = None,
) -> FastAPI:
    """Build the gateway.

    Parameters
    ----------
    settings : GatewaySettings
        Made once, at the entry.
    pricing, calibration : Neighbour, optional
        Instead of those at the addresses that the settings name; they stay open at the end.
    """
    metrics = GatewayMetrics()
    opened: list[Neighbour] = []

    def reach(name: str, url: str) -> Neighbour:
        neighbour = connect(name, url, settings, metrics)
        opened.append(neighbour)
        return neighbour

    pricing = pricing or reach("pricing", settings.pricing_url)
    calibration = calibration or reach("calibration", settings.calibration_url)
    neighbours = (pricing, calibration)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        _log.info("service.ready", neighbours=[neighbour.name for neighbour in neighbours])
        yield
        for neighbour in opened:
            await neighbour.close()

    app = service.build(
        title="Lévy calibration engine",
        summary="Fits exponential-Lévy models to option quotes, and prices with them.",
        metrics=metrics,
        # The gateway answers, with documented problems, even when it is alone.
        checks=lambda: {"serving": True},
        max_body_bytes=settings.max_body_bytes,
        lifespan=lifespan,
    )
    seconds = settings.deadline_seconds
    app.include_router(forwarded.router(Forward(pricing, seconds), Forward(calibration, seconds)))
    app.include_router(
        system.router(
            partial(models, pricing, seconds),
            partial(health, neighbours, calibration.name, settings.health_seconds),
        )
    )
    app.include_router(pages.router())
    return app


def from_environment() -> FastAPI:
    """Build the gateway as the environment says."""
    return create_app(GatewaySettings.from_environment())

"""Build the pricing service's application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from anyio import to_thread
from fastapi import FastAPI

from levy_numerics import models
from levy_pricing.handlers.catalogue import catalogue
from levy_pricing.handlers.price import price
from levy_pricing.metrics import PricingMetrics
from levy_pricing.routes import models as models_route
from levy_pricing.routes import price as price_route
from levy_pricing.settings import PricingSettings
from levy_schemas.pricing import PriceRequest
from levy_service import engine_version, server, service
from levy_service.work import Threads

_log = structlog.get_logger()


def create_app(settings: PricingSettings) -> FastAPI:
    """Build the pricing service."""
    metrics = PricingMetrics()
    checks = {"warm": False}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await to_thread.run_sync(warm_up)
        checks["warm"] = True
        _log.info("service.ready", models=len(models.names()), threads=settings.threads)
        yield
        checks["warm"] = False

    app = service.build(
        title="Lévy pricing",
        summary="Prices, Greeks and implied volatilities of options, also with early exercise.",
        metrics=metrics,
        checks=lambda: checks,
        max_body_bytes=settings.max_body_bytes,
        lifespan=lifespan,
    )
    threads = Threads(settings.threads, settings.deadline_seconds, metrics)
    app.include_router(price_route.router(price, threads, metrics))
    app.include_router(models_route.router(catalogue(engine_version())))
    return app


def warm_up() -> None:
    """Price once with every model, so that compiled code is loaded before the first request."""
    for name in models.names():
        example = models.get(name).example()
        price(
            PriceRequest(
                model_type=name,
                parameters=example.as_mapping(),
                spot_price=100.0,
                risk_free_rate=0.02,
                strikes=(90.0, 100.0, 110.0),
                maturities=(0.5, 1.0),
                greeks=True,
            )
        )


def from_environment() -> FastAPI:
    """Build the service from the environment's settings."""
    settings = PricingSettings.from_environment()
    server.prepare_worker("levy_pricing", settings)
    return server.freeze_gc_after_startup(create_app(settings))

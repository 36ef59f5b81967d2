"""Fixtures: the metrics that the services expose."""

import asyncio
import re

import httpx
import pytest
from fastapi import FastAPI

from levy_bayesian.metrics import BayesianMetrics
from levy_calibration.app import create_app as calibration
from levy_calibration.settings import CalibrationSettings
from levy_gateway.app import create_app as gateway
from levy_gateway.settings import GatewaySettings
from levy_pricing.app import create_app as pricing
from levy_pricing.settings import PricingSettings


async def metrics_of(app: FastAPI) -> str:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return (await client.get("/metrics")).text


@pytest.fixture(scope="session")
def exposed() -> set[str]:
    """Return the names of all metrics of the services, as Prometheus stores them."""
    apps: list[FastAPI] = [
        gateway(GatewaySettings()),
        pricing(PricingSettings()),
        calibration(CalibrationSettings()),
    ]
    texts = [asyncio.run(metrics_of(app)) for app in apps]
    text = "\n".join((*texts, BayesianMetrics().exposition().decode()))
    names = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, flags=re.MULTILINE):
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {name + suffix for suffix in suffixes}
    return names

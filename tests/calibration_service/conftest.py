"""Fixtures: the calibration service in process, with the real numerics."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from levy_calibration.app import create_app
from levy_calibration.settings import CalibrationSettings
from levy_numerics import pricing
from levy_numerics.market import Contracts
from levy_numerics.models import VarianceGamma

with warnings.catch_warnings():
    # The test client warns that it prefers httpx's successor; the gateway uses httpx.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """Capture the events logged in a test."""
    with structlog.testing.capture_logs() as events:
        yield events


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(CalibrationSettings())) as made:
        yield made


@pytest.fixture(scope="session")
def truth() -> VarianceGamma:
    return VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15)


@pytest.fixture(scope="session")
def grid_request(truth: VarianceGamma) -> dict[str, Any]:
    """Return a request with a grid of exact calls."""
    strikes, maturities = [80, 90, 95, 100, 105, 110, 120], [0.25, 0.5, 1.0]
    contracts = Contracts.grid(
        spot=100.0, rate=0.05, dividend_yield=0.01, strikes=strikes, maturities=maturities
    )
    prices = pricing.price(truth, contracts).value.reshape(len(maturities), len(strikes))
    return {
        "model_type": "VarianceGamma",
        "spot_price": 100.0,
        "risk_free_rate": 0.05,
        "dividend_yield": 0.01,
        "strikes": strikes,
        "maturities": maturities,
        "prices": prices.tolist(),
    }


@pytest.fixture(scope="session")
def quotes_request(truth: VarianceGamma) -> dict[str, Any]:
    """Return a request with exact two-sided quotes, puts below and calls above the forward."""
    forwards = [(0.25, 101.0, 0.99), (0.7, 103.0, 0.97)]
    quotes = []
    for maturity, forward, discount in forwards:
        for strike in (85.0, 92.0, 99.0, 106.0, 113.0):
            contract = Contracts.of(
                maturity_years=maturity,
                strike=strike,
                forward=forward,
                discount=discount,
                is_call=strike > forward,
            )
            price = float(pricing.price(truth, contract).value[0])
            side = "call" if strike > forward else "put"
            quote = {"strike": strike, "maturity": maturity, "option_type": side}
            quotes.append(quote | {"bid": 0.99 * price, "ask": 1.01 * price})
    return {
        "model_type": "VarianceGamma",
        "forwards": [
            dict(zip(("maturity", "forward", "discount"), f, strict=True)) for f in forwards
        ],
        "quotes": quotes,
    }

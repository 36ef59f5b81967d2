"""The Python client against the real services."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from levy_client import AsyncClient, JobCancelledError, ProblemError, WaitTimeoutError
from levy_schemas.calibration import CalibrationRequest, CalibrationResult

MARKET: dict[str, Any] = {"spot_price": 100.0, "risk_free_rate": 0.05}
GRID: dict[str, Any] = {"strikes": [90.0, 100.0, 110.0], "maturities": [0.5, 1.0]}
TRUTH = {"sigma": 0.2}


async def use(gateway: FastAPI) -> None:
    transport = httpx.ASGITransport(gateway)
    async with AsyncClient("http://gateway", transport=transport) as levy:
        assert (await levy.health()).status == "healthy"
        assert "BlackScholes" in (await levy.models()).models
        priced = await levy.price(model_type="BlackScholes", parameters=TRUTH, **MARKET, **GRID)
        surface = CalibrationRequest(
            model_type="BlackScholes",
            prices=priced.prices,
            method="least_squares",
            **MARKET,
            **GRID,
        )
        fitted = await levy.calibrate(surface)
        assert fitted.parameters == pytest.approx(TRUTH, rel=1e-6)
        first, second = await levy.calibrate_many(
            [surface, surface.model_copy(update={"model_type": "Nonsense"})]
        )
        assert isinstance(first, CalibrationResult)
        assert isinstance(second, ProblemError)
        assert second.code == "unknown-model"
        with pytest.raises(ProblemError, match="unknown-model"):
            await levy.calibrate(surface.model_copy(update={"model_type": "Nonsense"}))
        read = await levy.read_quotes(example="synthetic-index")
        assert len(read.quotes) == read.n_kept
        ranked = await levy.compare(
            models=["BlackScholes"], prices=priced.prices, holdout=False, **MARKET, **GRID
        )
        assert ranked.results[0].model_type == "BlackScholes"
        made = await levy.sample(
            model_type="BlackScholes", prices=priced.prices, engine="laplace-psis", **MARKET, **GRID
        )
        assert (await levy.job(made.job_id)).status == "queued"
        with pytest.raises(WaitTimeoutError):
            await levy.wait(made.job_id, seconds=0.0)
        with pytest.raises(ProblemError, match="no-draws"):
            await levy.draws(made.job_id)
        assert (await levy.cancel(made.job_id)).status == "cancelled"
        with pytest.raises(JobCancelledError):
            await levy.wait(made.job_id)
        with pytest.raises(ProblemError, match="unknown-job"):
            await levy.job("0" * 32)


def test_the_services_accept_the_requests_of_the_client(gateway: FastAPI) -> None:
    asyncio.run(use(gateway))

"""Metrics of fit error, uncertainty and out-of-distribution surfaces."""

import time
from typing import Any

import numpy as np
import pytest

from levy_calibration.app import create_app
from levy_calibration.settings import CalibrationSettings
from levy_numerics.models import BlackScholes, VarianceGamma
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import grid
from tests.calibration_service.conftest import TestClient

MODEL = "VarianceGamma"
SECONDS = 60.0


def grid_of(prices: np.ndarray) -> dict[str, Any]:
    """Return quotes on the standard grid, with a forward of one."""
    contracts = grid.grid_contracts()
    columns = (contracts.strike, contracts.maturity_years, contracts.is_call, prices)
    return {
        "model_type": MODEL,
        "forwards": [
            {"maturity": float(years), "forward": 1.0, "discount": 1.0}
            for years in grid.MATURITY_YEARS
        ],
        "quotes": [
            {
                "strike": float(strike),
                "maturity": float(years),
                "option_type": "call" if is_call else "put",
                "price": float(price),
            }
            for strike, years, is_call, price in zip(*columns, strict=True)
        ],
    }


@pytest.fixture(scope="module")
def exact() -> np.ndarray:
    model = VarianceGamma(sigma=0.25, nu=0.4, theta=-0.15)
    return np.asarray(SinhPricer(grid.grid_contracts(), 1e-10).price(model).value)


def counted(client: TestClient, name: str, *labels: str) -> float:
    """Return one sample of a metric of the model."""
    wanted = (f"levy_calibration_{name}{{", f'model="{MODEL}"', *labels)
    lines = client.get("/metrics").text.splitlines()
    (line,) = [line for line in lines if all(part in line for part in wanted)]
    return float(line.split()[-1])


def wait_until(client: TestClient, line: str) -> None:
    """Wait until `/metrics` has a line: windows are updated every second."""
    give_up = time.monotonic() + SECONDS
    while line not in client.get("/metrics").text:
        assert time.monotonic() < give_up, client.get("/metrics").text
        time.sleep(0.1)


def test_fits_are_counted_by_error_uncertainty_and_distribution(exact: np.ndarray) -> None:
    settings = CalibrationSettings(drift_window=20, drift_fewest=10)
    # No network was trained on a volatility of 300%.
    wild = SinhPricer(grid.grid_contracts(), 1e-10).price(BlackScholes(sigma=3.0)).value
    with TestClient(create_app(settings)) as client:
        for _ in range(10):
            assert client.post("/calibrate", json=grid_of(exact)).status_code == 200
        assert counted(client, "out_of_distribution_total") == 0.0
        assert counted(client, "fit_relative_error_bucket", 'le="0.0001"') == 10.0
        answer = client.post("/calibrate", json=grid_of(exact) | {"uncertainty": "psis"}).json()
        assert counted(client, "pareto_k_count") == 1.0
        assert counted(client, "pareto_k_sum") == pytest.approx(answer["pareto_k"])
        odd = client.post("/calibrate", json=grid_of(wild)).json()
        assert odd["out_of_distribution"] is True
        assert counted(client, "out_of_distribution_total") == 1.0
        assert counted(client, "fit_relative_error_bucket", 'le="0.1"') == 12.0
        wait_until(client, f'parameter_place_count{{model="{MODEL}",parameter="nu"}} 12.0')
        assert counted(client, "drift_window") == 12.0
        assert counted(client, "drift_ks", 'quantity="sigma"') > 0.3
        assert counted(client, "drift_outside", 'quantity="atm_vol"') < 0.2

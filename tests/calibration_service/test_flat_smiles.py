"""`/price` accepts the parameters of every fit, also in limiting cases of the models."""

import numpy as np
import pytest

from levy_calibration.handlers.calibrate import calibrate
from levy_numerics import models, pricing
from levy_numerics.market import Contracts
from levy_numerics.models import BlackScholes
from levy_pricing.handlers.price import price
from levy_schemas.calibration import CalibrationRequest
from levy_schemas.pricing import PriceRequest
from levy_schemas.wire import MAX_PARAMETER

STRIKES = [float(strike) for strike in np.linspace(80.0, 120.0, 9)]
MATURITIES = [0.25, 0.5, 1.0]
MARKET = {"spot_price": 100.0, "risk_free_rate": 0.03, "dividend_yield": 0.01}


@pytest.mark.parametrize("vol", [0.1, 0.2, 0.6])
@pytest.mark.parametrize("name", models.names())
def test_parameters_of_a_flat_smile_reprice_it_over_the_wire(name: str, vol: float) -> None:
    grid = {"strikes": STRIKES, "maturities": MATURITIES}
    contracts = Contracts.grid(
        spot=100.0, rate=0.03, dividend_yield=0.01, strikes=STRIKES, maturities=MATURITIES
    )
    flat = pricing.price(BlackScholes(sigma=vol), contracts).value.reshape(3, 9)
    request = MARKET | grid | {"prices": flat.tolist(), "model_type": name}
    fit = calibrate(CalibrationRequest.model_validate(request), engine_version="test")
    to_price = MARKET | grid | {"parameters": fit.parameters, "model_type": name}
    repriced = price(PriceRequest.model_validate(to_price))
    assert np.allclose(repriced.prices, flat, rtol=0.0, atol=1e-4)


@pytest.mark.parametrize("name", models.names())
def test_the_wire_admits_every_corner_of_the_search_box(name: str) -> None:
    low, high = models.get(name).coordinate_bounds()
    corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(len(low), -1)
    values = models.get(name).from_coordinates(corners).as_mapping().values()
    assert max(float(np.abs(value).max()) for value in values) < MAX_PARAMETER

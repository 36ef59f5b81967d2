"""`POST /price` and `GET /models`."""

import math
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from levy_numerics import models
from levy_pricing.app import create_app
from levy_pricing.settings import PricingSettings
from levy_schemas.catalogue import Catalogue
from levy_schemas.pricing import PriceResult

BLACK_SCHOLES = {"model_type": "BlackScholes", "parameters": {"sigma": 0.2}}


def test_prices_are_those_of_the_literature(
    client: TestClient, price_request: dict[str, Any]
) -> None:
    # Fang and Oosterlee (2008), table 7: Variance Gamma, K = 90.
    answer = client.post("/price", json=price_request).json()
    assert answer["prices"][0][0] == pytest.approx(10.993703187, abs=1e-9)
    assert answer["prices"][1][0] == pytest.approx(19.099354724, abs=1e-9)


@pytest.mark.parametrize("alias", ["VG", "vg", "VARIANCEGAMMA"])
def test_an_alias_is_priced_as_its_model_whose_name_is_reported(
    client: TestClient, price_request: dict[str, Any], alias: str
) -> None:
    answer = client.post("/price", json=price_request | {"model_type": alias}).json()
    assert answer["model_type"] == "VarianceGamma"
    assert answer["prices"] == client.post("/price", json=price_request).json()["prices"]


def test_rows_belong_to_maturities_and_columns_to_strikes(
    client: TestClient, price_request: dict[str, Any]
) -> None:
    answer = client.post("/price", json=price_request | {"greeks": True}).json()
    result = PriceResult.model_validate(answer)
    assert result.greeks is not None
    matrices = [
        result.prices,
        result.implied_vols,
        result.price_errors,
        result.greeks.delta,
        result.greeks.gamma,
        result.greeks.vega,
        result.greeks.theta,
        result.greeks.rho,
        result.greeks.dividend_rho,
        *result.greeks.parameters.values(),
    ]
    assert {(len(m), len(m[0])) for m in matrices} == {(2, 3)}
    assert set(result.greeks.parameters) == {"sigma", "nu", "theta"}


def test_calls_get_cheaper_with_the_strike_and_dearer_with_the_maturity(
    client: TestClient, price_request: dict[str, Any]
) -> None:
    prices = np.array(client.post("/price", json=price_request).json()["prices"])
    assert np.all(np.diff(prices, axis=1) < 0)
    assert np.all(np.diff(prices, axis=0) > 0)


def test_a_put_and_a_call_differ_by_the_forward(
    client: TestClient, price_request: dict[str, Any]
) -> None:
    call = client.post("/price", json=price_request).json()["prices"]
    put = client.post("/price", json=price_request | {"option_type": "put"}).json()["prices"]
    parity = 100.0 - 90.0 * math.exp(-0.1 * 0.1)
    assert call[0][0] - put[0][0] == pytest.approx(parity, abs=1e-9)


def test_black_scholes_implies_its_own_volatility(
    client: TestClient, price_request: dict[str, Any]
) -> None:
    answer = client.post("/price", json=price_request | BLACK_SCHOLES).json()
    np.testing.assert_allclose(answer["implied_vols"], 0.2, rtol=1e-8)
    assert answer["warnings"] == []


def test_an_option_without_time_value_has_no_volatility_and_a_warning(
    client: TestClient, price_request: dict[str, Any]
) -> None:
    far = price_request | BLACK_SCHOLES | {"strikes": [1.0, 100.0], "maturities": [0.01]}
    answer = client.post("/price", json=far).json()
    assert answer["implied_vols"][0][0] is None
    assert answer["implied_vols"][0][1] == pytest.approx(0.2, rel=1e-8)
    assert "1 of 2 options have no implied volatility" in answer["warnings"][0]


@pytest.mark.parametrize("method", ["sinh", "cos", "carr_madan", "lewis"])
@pytest.mark.parametrize("option_type", ["call", "put"])
def test_implied_vols_of_black_scholes_wings_are_its_own_or_null(
    client: TestClient, method: str, option_type: str
) -> None:
    # One day and one week at 20%: K = 50 is 66 and 25 deviations away, and its time value,
    # 1e-960 and 1e-140, is below any price error. At the money the price determines 20%.
    request = BLACK_SCHOLES | {
        "spot_price": 100.0,
        "risk_free_rate": 0.0,
        "strikes": [50.0, 80.0, 97.0, 100.0, 103.0, 120.0, 200.0],
        "maturities": [0.00273, 0.0192],
        "method": method,
        "option_type": option_type,
    }
    answer = client.post("/price", json=request).json()
    for row in answer["implied_vols"]:
        assert [row[0], row[-1]] == [None, None]
        assert [vol for vol in row[2:5] if vol is None] == []
        np.testing.assert_allclose([vol for vol in row if vol is not None], 0.2, rtol=0.01)
    missing = sum(vol is None for row in answer["implied_vols"] for vol in row)
    assert any(f"{missing} of 14 options have no implied vol" in w for w in answer["warnings"])


def test_greeks_are_computed_only_on_request(
    client: TestClient, price_request: dict[str, Any]
) -> None:
    assert client.post("/price", json=price_request).json()["greeks"] is None


def test_delta_is_the_slope_of_the_price(client: TestClient, price_request: dict[str, Any]) -> None:
    step = 1e-3
    bumped = [
        np.array(client.post("/price", json=price_request | {"spot_price": spot}).json()["prices"])
        for spot in (100 - step, 100 + step)
    ]
    answer = client.post("/price", json=price_request | {"greeks": True}).json()
    slope = (bumped[1] - bumped[0]) / (2 * step)
    np.testing.assert_allclose(answer["greeks"]["delta"], slope, atol=1e-6)


def test_the_response_contains_the_request_id(
    client: TestClient, price_request: dict[str, Any]
) -> None:
    answer = client.post("/price", json=price_request, headers={"X-Request-ID": "desk-7"})
    assert answer.json()["request_id"] == "desk-7"


@pytest.mark.parametrize("name", models.names())
def test_every_model_prices_by_its_default_parameters(
    client: TestClient, price_request: dict[str, Any], name: str
) -> None:
    catalogue = Catalogue.model_validate(client.get("/models").json()).catalogue
    (entry,) = (entry for entry in catalogue if entry.name == name)
    parameters = {p.name: p.default for p in entry.parameters}
    body = price_request | {"model_type": name, "parameters": parameters, "greeks": True}
    answer = client.post("/price", json=body)
    assert answer.status_code == 200, answer.text
    assert np.all(np.array(answer.json()["prices"]) > 0)


def test_the_catalogue_contains_what_a_client_needs(client: TestClient) -> None:
    catalogue = Catalogue.model_validate(client.get("/models").json()).catalogue
    assert tuple(entry.name for entry in catalogue) == models.names()
    for entry in catalogue:
        assert not entry.trained
        for parameter in entry.parameters:
            assert parameter.symbol
            assert parameter.domain
            assert parameter.unit
            assert parameter.meaning


def test_prices_are_counted(client: TestClient, price_request: dict[str, Any]) -> None:
    client.post("/price", json=price_request)
    text = client.get("/metrics").text
    labels = '{method="sinh",model="VarianceGamma"}'
    assert f"levy_pricing_options_priced_total{labels}" in text
    assert f"levy_pricing_price_seconds_count{labels}" in text


def test_the_service_is_ready_once_it_is_warm(price_request: dict[str, Any]) -> None:
    app = create_app(PricingSettings())
    client = TestClient(app)
    assert client.get("/health/ready").status_code == 503
    with client:
        assert client.get("/health/ready").json()["checks"] == {"warm": True}


def test_a_parameter_outside_its_domain_is_pointed_at(
    client: TestClient, price_request: dict[str, Any]
) -> None:
    wrong = {"parameters": {"sigma": -1, "nu": 0.2, "theta": 0}}
    problem = client.post("/price", json=price_request | wrong).json()
    assert problem["code"] == "invalid-parameter"
    assert problem["parameter"] == "sigma"
    assert problem["condition"] == "sigma > 0"
    assert problem["errors"][0]["pointer"] == "/parameters/sigma"


def test_parameters_that_leave_no_forward_are_rejected(
    client: TestClient, price_request: dict[str, Any]
) -> None:
    wrong = {"parameters": {"sigma": 0.2, "nu": 2.0, "theta": 0.9}}
    problem = client.post("/price", json=price_request | wrong).json()
    assert problem["status"] == 422
    assert "violates the condition E[S_T] is finite" in problem["detail"]

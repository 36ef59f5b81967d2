"""Term structure and identifiability in responses of `POST /calibrate`."""

import copy
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from levy_numerics import models, pricing
from levy_numerics.market import Contracts
from levy_numerics.models import VarianceGamma
from levy_schemas.calibration import CalibrationResult

STRIKES = [80, 90, 95, 100, 105, 110, 120]
MATURITIES = [0.1, 0.5, 2.0]


def fit(client: TestClient, request: dict[str, Any]) -> CalibrationResult:
    answer = client.post("/calibrate", json=request)
    assert answer.status_code == 200, answer.text
    return CalibrationResult.model_validate(answer.json())


@pytest.fixture(scope="module")
def self_similar_request() -> dict[str, Any]:
    """Return calls of a self-similar process, which a stationary process cannot fit."""
    model = models.from_mapping(
        "VarianceGammaSato", {"sigma": 0.2, "nu": 0.6, "theta": -0.15, "gamma": 0.5}
    )
    contracts = Contracts.grid(
        spot=100.0, rate=0.0, dividend_yield=0.0, strikes=STRIKES, maturities=MATURITIES
    )
    prices = pricing.price(model, contracts).value.reshape(len(MATURITIES), len(STRIKES))
    return {
        "model_type": "VarianceGamma",
        "spot_price": 100.0,
        "risk_free_rate": 0.0,
        "strikes": STRIKES,
        "maturities": MATURITIES,
        "prices": prices.tolist(),
        "weights": "vega",
    }


def test_fit_quality_is_reported_for_each_expiry(
    client: TestClient, self_similar_request: dict[str, Any]
) -> None:
    result = fit(client, self_similar_request)
    assert [one.maturity for one in result.fit_by_maturity] == MATURITIES
    assert sum(one.fit_quality.n_quotes for one in result.fit_by_maturity) == 21
    squares = [7 * one.fit_quality.rmse**2 for one in result.fit_by_maturity]
    assert np.sqrt(sum(squares) / 21) == pytest.approx(result.fit_quality.rmse)


def test_a_stationary_model_that_misses_the_term_structure_names_the_remedies(
    client: TestClient, self_similar_request: dict[str, Any]
) -> None:
    warnings = " ".join(fit(client, self_similar_request).warnings)
    assert "Sato" in warnings
    assert "per maturity" in warnings
    remedied = fit(client, self_similar_request | {"model_type": "VarianceGammaSato"})
    assert "term structure" not in " ".join(remedied.warnings)
    assert remedied.fit_quality.rmse < 1e-5


def test_one_fit_for_each_expiry_follows_any_term_structure(
    client: TestClient, self_similar_request: dict[str, Any]
) -> None:
    result = fit(client, self_similar_request | {"per_maturity": True})
    assert result.per_maturity is not None
    assert [one.maturity for one in result.per_maturity] == MATURITIES
    assert result.parameters is None
    assert result.intervals is None
    assert result.moments is None
    assert result.fit_quality.rmse < 1e-5
    for one in result.per_maturity:
        # The distribution at T is that at one year, scaled: σ√T of the base is σ·T^γ here.
        scaled = 0.2 * one.maturity**0.5
        assert one.parameters["sigma"] * np.sqrt(one.maturity) == pytest.approx(scaled, rel=1e-3)
        assert one.parameters["nu"] == pytest.approx(0.6 * one.maturity, rel=1e-2)


def test_an_expiry_with_too_few_quotes_is_dropped_and_reported(
    client: TestClient, self_similar_request: dict[str, Any]
) -> None:
    thin = copy.deepcopy(self_similar_request)
    thin["prices"][1] = [None] * 5 + thin["prices"][1][5:]
    result = fit(client, thin | {"per_maturity": True})
    assert result.per_maturity is not None
    assert [one.maturity for one in result.per_maturity] == [0.1, 2.0]
    assert {(quote.pointer, quote.reason) for quote in result.dropped} == {
        ("/prices/1/5", "too_few_at_maturity"),
        ("/prices/1/6", "too_few_at_maturity"),
    }


def test_expiries_that_are_all_too_thin_are_rejected(
    client: TestClient, self_similar_request: dict[str, Any]
) -> None:
    thin = copy.deepcopy(self_similar_request)
    thin["prices"] = [row[:2] + [None] * 5 for row in thin["prices"]]
    problem = client.post("/calibrate", json=thin | {"per_maturity": True}).json()
    assert problem["code"] == "invalid-input"
    assert len(problem["dropped"]) == 6


def test_moments_are_reported_with_intervals(
    client: TestClient, grid_request: dict[str, Any], truth: VarianceGamma
) -> None:
    result = fit(client, grid_request)
    assert result.moments is not None
    _, variance, third, fourth = truth.cumulants(1.0)
    expected = {
        "variance": variance,
        "skewness": third / variance**1.5,
        "excess_kurtosis": fourth / variance**2,
    }
    assert set(result.moments) == set(expected)
    for name, moment in result.moments.items():
        assert moment.value == pytest.approx(float(expected[name]), rel=1e-4)
        assert moment.interval is not None
        assert moment.interval[0] <= moment.interval[1]
    for expiry in result.fit_by_maturity:
        moment = expiry.moments["variance"]
        assert moment.value == pytest.approx(variance * expiry.maturity, rel=1e-4)
        assert moment.interval is not None
    bare = fit(client, grid_request | {"uncertainty": "none"})
    assert bare.moments is not None
    assert bare.moments["variance"].interval is None


def test_limits_that_parameters_run_to_are_named(
    client: TestClient, grid_request: dict[str, Any]
) -> None:
    contracts = Contracts.grid(
        spot=100.0, rate=0.05, dividend_yield=0.01, strikes=STRIKES, maturities=[0.25, 0.5, 1.0]
    )
    flat = pricing.price(models.from_mapping("BlackScholes", {"sigma": 0.2}), contracts).value
    normal = grid_request | {"prices": flat.reshape(3, 7).tolist()}
    result = fit(client, normal)
    assert result.status == "at_bound"
    assert any("→" in limit for limit in result.boundary_parameters)
    assert result.moments is not None
    assert result.moments["variance"].value == pytest.approx(0.04, rel=1e-3)

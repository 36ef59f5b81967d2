"""`POST /compare`."""

import copy
from typing import Any

import pytest
from fastapi.testclient import TestClient

from levy_schemas.comparison import ComparisonResult

THREE = ["BlackScholes", "VarianceGamma", "NIG"]


@pytest.fixture
def surface(grid_request: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in copy.deepcopy(grid_request).items() if k != "model_type"}


def compare(client: TestClient, request: dict[str, Any]) -> ComparisonResult:
    answer = client.post("/compare", json=request)
    assert answer.status_code == 200, answer.text
    return ComparisonResult.model_validate(answer.json())


def test_the_model_that_made_the_prices_comes_first(
    client: TestClient, surface: dict[str, Any]
) -> None:
    result = compare(client, surface | {"models": THREE})
    assert result.weights == "vega"
    assert result.n_quotes == 21
    assert [one.model_type for one in result.results] == ["VarianceGamma", "NIG", "BlackScholes"]
    assert result.not_fitted == ()


def test_models_are_judged_on_strikes_they_have_not_seen(
    client: TestClient, surface: dict[str, Any]
) -> None:
    for one in compare(client, surface | {"models": THREE}).results:
        assert one.in_sample is not None
        assert one.out_of_sample is not None
        assert one.in_sample.n_quotes == 12
        assert one.out_of_sample.n_quotes == 9
        assert one.held_out_expiries is not None
        assert one.held_out_expiries.n_quotes == 7
        assert one.fit_quality.n_quotes == 21
        assert len(one.fit_by_maturity) == 3


def test_without_a_holdout_models_are_ranked_in_sample(
    client: TestClient, surface: dict[str, Any]
) -> None:
    result = compare(client, surface | {"models": THREE, "holdout": False})
    assert [one.model_type for one in result.results] == ["VarianceGamma", "NIG", "BlackScholes"]
    assert all(one.in_sample is None and one.out_of_sample is None for one in result.results)


def test_the_fraction_within_the_spread_is_reported_if_quotes_have_one(
    client: TestClient, surface: dict[str, Any], quotes_request: dict[str, Any]
) -> None:
    two_sided = {k: v for k, v in quotes_request.items() if k != "model_type"}
    best, worst = compare(client, two_sided | {"models": ["BlackScholes", "VarianceGamma"]}).results
    assert best.in_spread_share == 1.0
    assert worst.in_spread_share is not None
    assert worst.in_spread_share < 0.5
    (mid_only,) = compare(client, surface | {"models": ["VarianceGamma"]}).results
    assert mid_only.in_spread_share is None


def test_a_model_that_these_quotes_cannot_determine_is_reported_separately(
    client: TestClient, surface: dict[str, Any]
) -> None:
    surface["prices"] = [[None] * 2 + row[2:5] + [None] * 2 for row in surface["prices"][:1]]
    surface["maturities"] = surface["maturities"][:1]
    result = compare(client, surface | {"models": ["BlackScholes", "Kou"]})
    assert [one.model_type for one in result.results] == ["BlackScholes"]
    (left,) = result.not_fitted
    assert (left.model_type, left.code) == ("Kou", "invalid-input")
    assert "5 parameters" in left.detail


def test_a_repeated_model_is_compared_once(client: TestClient, surface: dict[str, Any]) -> None:
    result = compare(client, surface | {"models": ["BlackScholes", "BlackScholes", "bs"]})
    assert len(result.results) == 1


def test_an_unknown_model_is_pointed_at(client: TestClient, surface: dict[str, Any]) -> None:
    answer = client.post("/compare", json=surface | {"models": ["NIG", "Heston"]})
    assert answer.status_code == 404
    assert answer.json()["code"] == "unknown-model"
    assert answer.json()["errors"][0]["pointer"] == "/models/1"


def test_quotes_too_few_for_any_model_are_rejected(
    client: TestClient, surface: dict[str, Any]
) -> None:
    surface["prices"] = [[None] * 7, [None] * 7, [None] * 6 + [0.0]]
    answer = client.post("/compare", json=surface)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid-input"


def test_dropped_quotes_are_reported(client: TestClient, surface: dict[str, Any]) -> None:
    surface["prices"][0][0] = 1.0
    result = compare(client, surface | {"models": ["BlackScholes"]})
    assert [(quote.pointer, quote.reason) for quote in result.dropped] == [
        ("/prices/0/0", "no_time_value")
    ]
    assert "1 quote was left out" in result.warnings[0]


def test_a_finished_comparison_is_logged_once_and_its_fits_are_counted(
    client: TestClient, surface: dict[str, Any], logged: list[Any]
) -> None:
    compare(client, surface | {"models": ["Meixner", "BlackScholes"]})
    (event,) = (event for event in logged if event["event"] == "comparison.finished")
    assert event["n_models"] == 2
    assert event["best"] == "Meixner"
    text = client.get("/metrics").text
    assert 'levy_calibration_fit_rmse_vol_count{model="Meixner"}' in text


def test_a_rate_that_the_quotes_contradict_is_reported(client: TestClient) -> None:
    """Return calls and puts at a rate of zero: F = 100; a rate of 10% would imply 105.1."""
    quotes = [
        {"strike": k, "maturity": 0.5, "option_type": side, "price": time + intrinsic}
        for k, time in ((90.0, 2.2), (95.0, 3.7), (100.0, 5.6), (105.0, 3.9), (110.0, 2.6))
        for side, intrinsic in (("call", max(100.0 - k, 0.0)), ("put", max(k - 100.0, 0.0)))
    ]
    body = {"spot_price": 100.0, "risk_free_rate": 0.1, "quotes": quotes}
    result = compare(client, body | {"models": ["BlackScholes"]})
    assert any("at 0.5 years 100 for 105.127" in warning for warning in result.warnings)

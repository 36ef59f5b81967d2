"""`POST /price` with early exercise and barriers."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

# Fang and Oosterlee (2009), Numerische Mathematik 114, 27-62, Table 5: 0.112152.
AMERICAN = {
    "model_type": "CGMY",
    "parameters": {"C": 1.0, "G": 5.0, "M": 5.0, "Y": 0.5},
    "spot_price": 1.0,
    "risk_free_rate": 0.1,
    "strikes": [0.9, 1.0],
    "maturities": [1.0],
    "option_type": "put",
    "exercise": "american",
}
BERMUDAN = AMERICAN | {"exercise": "bermudan", "exercise_dates": [0.25, 0.5, 0.75]}
BARRIER = AMERICAN | {"exercise": "european"}


def test_an_american_put_is_priced_with_premium_greeks_and_boundary(client: TestClient) -> None:
    answer = client.post("/price", json=AMERICAN | {"greeks": True}).json()
    assert answer["method"] == "conv"
    assert answer["prices"][0][1] == pytest.approx(0.112152, abs=1e-6)
    plain = AMERICAN | {"exercise": "european", "greeks": True}
    european = client.post("/price", json=plain).json()
    premium = answer["prices"][0][1] - european["prices"][0][1]
    assert answer["early_exercise_premiums"][0][1] == pytest.approx(premium, abs=1e-12)
    assert european["early_exercise_premiums"] is None
    assert european["method"] == "sinh"
    assert answer["implied_vols"] == european["implied_vols"]
    assert -1.0 < answer["greeks"]["delta"][0][1] < european["greeks"]["delta"][0][1]
    assert 0.5 < answer["exercise_boundary"]["spot_over_strike"][-1] < 1.0


def test_finite_differences_price_the_same_put(client: TestClient) -> None:
    answer = client.post("/price", json=AMERICAN | {"method": "pide", "greeks": True}).json()
    other = client.post("/price", json=AMERICAN | {"greeks": True}).json()
    assert answer["method"] == "pide"
    assert answer["prices"][0] == pytest.approx(other["prices"][0], abs=1e-5)
    assert answer["greeks"]["delta"][0] == pytest.approx(other["greeks"]["delta"][0], abs=1e-4)


def test_cash_dividends_raise_puts_and_are_priced_by_finite_differences(
    client: TestClient,
) -> None:
    request = AMERICAN | {"dividends": [{"years": 0.5, "amount": 0.05}]}
    answer = client.post("/price", json=request).json()
    without = client.post("/price", json=AMERICAN).json()
    assert answer["method"] == "pide"
    assert answer["prices"][0][1] > without["prices"][0][1] + 0.01
    assert answer["early_exercise_premiums"][0][1] > 0.0
    assert answer["implied_vols"] == [[None, None]]


def test_bermudan_options_lie_between_european_and_american_ones(client: TestClient) -> None:
    low, middle, high = (
        client.post("/price", json=request).json()["prices"][0][1]
        for request in (AMERICAN | {"exercise": "european"}, BERMUDAN, AMERICAN)
    )
    assert low < middle < high


def test_in_and_out_barriers_add_up_to_the_european_option(client: TestClient) -> None:
    barrier = {"level": 0.8, "dates": [0.25, 0.5, 0.75]}
    out, inside = (
        client.post("/price", json=BARRIER | {"barrier": barrier | {"kind": kind}}).json()
        for kind in ("down-and-out", "down-and-in")
    )
    european = client.post("/price", json=BARRIER).json()
    for k in range(2):
        total = out["prices"][0][k] + inside["prices"][0][k]
        assert total == pytest.approx(european["prices"][0][k], abs=1e-9)
    assert out["implied_vols"] == [[None, None]]


@pytest.mark.parametrize(
    ("request_", "pointer", "message"),
    [
        (
            BARRIER | {"barrier": {"kind": "up-and-out", "level": 0.9, "dates": [0.5]}},
            "/barrier/level",
            "above the spot",
        ),
        (
            BARRIER | {"barrier": {"kind": "down-and-out", "level": 0.9, "dates": [0.5, 0.2]}},
            "/barrier/dates",
            "increase",
        ),
        (BERMUDAN | {"exercise_dates": [0.5, 0.5]}, "/exercise_dates", "increase"),
        (AMERICAN | {"dividends": [{"years": 0.5, "amount": 2}]}, "/dividends", "not below"),
        (
            AMERICAN | {"dividends": [{"years": t, "amount": 0.1} for t in (0.5, 0.2)]},
            "/dividends",
            "increase",
        ),
        (
            AMERICAN | {"dividends": [{"years": 0.5, "amount": 0.1}], "strikes": [1.0] * 101},
            "/strikes",
            "at most 100",
        ),
        (BERMUDAN | {"exercise_dates": None}, "/exercise_dates", "require exercise_dates"),
        (AMERICAN | {"exercise_dates": [0.5]}, "/exercise_dates", "belong to Bermudan"),
        (
            AMERICAN | {"barrier": {"kind": "up-and-in", "level": 1.2, "dates": [0.5]}},
            "/exercise",
            "European exercise only",
        ),
    ],
)
def test_inconsistent_terms_are_refused_with_a_pointer(
    client: TestClient, request_: dict[str, Any], pointer: str, message: str
) -> None:
    answer = client.post("/price", json=request_)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert message in error["detail"]


def test_a_model_without_stationary_increments_is_refused_with_the_remedy(
    client: TestClient,
) -> None:
    parameters = {"sigma": 0.2, "nu": 0.4, "theta": -0.15, "gamma": 0.5}
    sato = {"model_type": "VarianceGammaSato", "parameters": parameters}
    answer = client.post("/price", json=AMERICAN | sato)
    assert answer.status_code == 422
    assert "choose a Lévy model" in answer.json()["detail"]


def test_a_european_method_is_refused_for_american_options(client: TestClient) -> None:
    answer = client.post("/price", json=AMERICAN | {"method": "sinh"})
    assert answer.status_code == 422
    assert "choose one of conv" in answer.json()["detail"]

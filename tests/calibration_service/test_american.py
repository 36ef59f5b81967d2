"""`POST /calibrate` of American quotes."""

import copy
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from levy_numerics import pricing
from levy_numerics.market import Contracts
from levy_numerics.models import VarianceGamma
from levy_numerics.pricing.early_exercise import Terms
from levy_schemas.calibration import CalibrationBatchResult, CalibrationResult

SPOT, RATE, DIVIDEND_YIELD = 100.0, 0.05, 0.01
STRIKES, MATURITIES = np.arange(80.0, 121.0, 5.0), [0.25, 0.5, 1.0]
AMERICAN = Terms(exercise="american")


@pytest.fixture(scope="module")
def american_request(truth: VarianceGamma) -> dict[str, Any]:
    """American calls and puts at all strikes, at bid and ask, without a dividend yield."""
    quotes = []
    for side in ("call", "put"):
        contracts = Contracts.grid(
            spot=SPOT,
            rate=RATE,
            dividend_yield=DIVIDEND_YIELD,
            strikes=STRIKES,
            maturities=MATURITIES,
            is_call=side == "call",
        )
        prices = pricing.price(truth, contracts, terms=AMERICAN, spot=SPOT, tolerance=1e-5).value
        columns = (contracts.strike, contracts.maturity_years, prices)
        for strike, maturity, price in zip(*map(np.ndarray.tolist, columns), strict=True):
            quote = {"strike": strike, "maturity": maturity, "option_type": side}
            quotes.append(quote | {"bid": price - 0.01, "ask": price + 0.01})
    return {
        "model_type": "VarianceGamma",
        "spot_price": SPOT,
        "risk_free_rate": RATE,
        "exercise": "american",
        "quotes": quotes,
    }


def parameter_errors(result: CalibrationResult, truth: VarianceGamma) -> dict[str, float]:
    assert result.parameters is not None
    return {
        name: abs(result.parameters[name] / value - 1.0)
        for name, value in truth.as_mapping().items()
    }


@pytest.mark.long
def test_american_quotes_give_back_model_premiums_and_forwards(
    client: TestClient, american_request: dict[str, Any], truth: VarianceGamma
) -> None:
    answer = client.post("/calibrate", json=american_request)
    assert answer.status_code == 200, answer.text
    result = CalibrationResult.model_validate(answer.json())
    european = CalibrationResult.model_validate(
        client.post("/calibrate", json=american_request | {"exercise": "european"}).json()
    )
    unstated = {name: value for name, value in american_request.items() if name != "exercise"}
    assumed = CalibrationResult.model_validate(client.post("/calibrate", json=unstated).json())
    assert any("look American" in warning for warning in assumed.warnings)
    assert not any("look American" in w for w in (*result.warnings, *european.warnings))
    assert max(parameter_errors(result, truth).values()) < 0.01
    assert max(parameter_errors(european, truth).values()) > 0.05
    removed = result.early_exercise
    assert removed is not None
    assert european.early_exercise is None
    assert removed.converged
    assert removed.n_fits <= 8
    for forward in removed.forwards:
        exact = SPOT * np.exp((RATE - DIVIDEND_YIELD) * forward.maturity)
        assert forward.forward == pytest.approx(exact, rel=2e-4)
        assert forward.discount == pytest.approx(np.exp(-RATE * forward.maturity))
        assert forward.source == "put-call parity"
    quotes = [american_request["quotes"][int(p.pointer[8:])] for p in removed.premiums]
    contracts = Contracts.of(
        maturity_years=[q["maturity"] for q in quotes],
        strike=[q["strike"] for q in quotes],
        forward=[SPOT * np.exp((RATE - DIVIDEND_YIELD) * q["maturity"]) for q in quotes],
        discount=[np.exp(-RATE * q["maturity"]) for q in quotes],
        is_call=[q["option_type"] == "call" for q in quotes],
    )
    american = pricing.price(truth, contracts, terms=AMERICAN, spot=SPOT, tolerance=1e-5).value
    exact_premiums = american - pricing.price(truth, contracts).value
    premiums = np.array([p.premium for p in removed.premiums])
    assert np.max(np.abs(premiums - exact_premiums)) < 0.02
    assert removed.largest_premium == premiums.max() > 0.3
    assert removed.largest_premium_vol == max(p.premium_vol or 0.0 for p in removed.premiums)
    assert any("early-exercise premium" in warning for warning in result.warnings)
    exercised = {d.pointer for d in result.dropped if d.reason == "no_time_value"}
    at_intrinsic = {
        f"/quotes/{i}"
        for i, q in enumerate(american_request["quotes"])
        if q["option_type"] == "put" and 0.5 * (q["bid"] + q["ask"]) <= q["strike"] - SPOT
    }
    assert exercised == at_intrinsic


@pytest.mark.long
def test_a_quote_that_states_european_exercise_has_no_premium(
    client: TestClient, american_request: dict[str, Any]
) -> None:
    mixed = copy.deepcopy(american_request) | {"method": "least_squares", "uncertainty": "none"}
    for quote in mixed["quotes"]:
        if quote["option_type"] == "call":
            quote["exercise"] = "european"
    batch = client.post("/calibrate", json={"surfaces": [mixed, mixed | {"exercise": "european"}]})
    american, european = CalibrationBatchResult.model_validate(batch.json()).results
    assert american.result is not None
    assert european.result is not None
    removed = american.result.early_exercise
    assert removed is not None
    by_pointer = {p.pointer: p.premium for p in removed.premiums}
    for i, quote in enumerate(mixed["quotes"]):
        if f"/quotes/{i}" in by_pointer and quote["option_type"] == "call":
            assert by_pointer[f"/quotes/{i}"] == 0.0
    assert max(by_pointer.values()) > 0.3
    assert european.result.early_exercise is None


def test_a_model_without_stationary_increments_does_not_fit_american_quotes(
    client: TestClient, american_request: dict[str, Any]
) -> None:
    answer = client.post("/calibrate", json=american_request | {"model_type": "NIGCIR"})
    assert answer.status_code == 422
    problem = answer.json()
    assert "stationary increments" in problem["detail"]
    assert problem["errors"][0]["pointer"] == "/model_type"

"""`POST /calibrate` by least squares."""

import copy
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from levy_calibration.app import create_app
from levy_calibration.handlers.calibrate import calibrate
from levy_calibration.settings import CalibrationSettings
from levy_numerics import Contracts, implied_vol, models, price
from levy_numerics.models import VarianceGamma
from levy_schemas.calibration import CalibrationRequest, CalibrationResult
from levy_service.work import DeadlineError


def fit(client: TestClient, request: dict[str, Any]) -> CalibrationResult:
    answer = client.post("/calibrate", json=request)
    assert answer.status_code == 200, answer.text
    return CalibrationResult.model_validate(answer.json())


def check_recovered(result: CalibrationResult, truth: VarianceGamma) -> None:
    assert result.parameters is not None
    for name, value in truth.as_mapping().items():
        assert result.parameters[name] == pytest.approx(value, rel=1e-4)


def test_a_grid_of_exact_prices_gives_its_parameters_back(
    client: TestClient, grid_request: dict[str, Any], truth: VarianceGamma
) -> None:
    result = fit(client, grid_request)
    check_recovered(result, truth)
    assert result.status == "converged"
    assert result.fit_quality.n_quotes == 21
    assert result.fit_quality.rmse < 1e-6
    assert result.calibration_time_ms > 0


@pytest.mark.parametrize("alias", ["VG", "varianceGAMMA"])
def test_the_response_has_the_name_of_the_model_that_an_alias_stands_for(
    client: TestClient, grid_request: dict[str, Any], alias: str
) -> None:
    assert fit(client, grid_request | {"model_type": alias}).model_type == "VarianceGamma"
    answer = client.post("/calibrate", json=grid_request | {"model_type": "VarianceGama"})
    assert answer.status_code == 404
    assert "did you mean VarianceGamma?" in answer.json()["detail"]


def test_puts_of_the_same_surface_give_the_same_parameters(
    client: TestClient, grid_request: dict[str, Any], truth: VarianceGamma
) -> None:
    put = copy.deepcopy(grid_request) | {"option_type": "put"}
    for i, maturity in enumerate(put["maturities"]):
        for j, strike in enumerate(put["strikes"]):
            parity = 100 * 2.718281828459045 ** (-0.01 * maturity)
            parity -= strike * 2.718281828459045 ** (-0.05 * maturity)
            put["prices"][i][j] -= parity
    check_recovered(fit(client, put), truth)


def test_an_explained_fit_has_the_influence_of_each_quote(
    client: TestClient, grid_request: dict[str, Any]
) -> None:
    """Change a quote by 0.1 volatility points, and leave one out, and fit again."""
    request = grid_request | {"method": "least_squares", "weights": "vega"}
    prices = np.array(request["prices"]) * (1.0 + 0.002 * np.sin(np.arange(21.0)).reshape(3, 7))
    result = fit(client, request | {"prices": prices.tolist(), "explain": True})
    influence = result.influence
    assert influence is not None
    assert sum(quote.leverage for quote in influence) == pytest.approx(3.0)
    cook = [quote.cook_distance for quote in influence]
    assert cook == sorted(cook, reverse=True)
    most = influence[0]
    i, j = request["maturities"].index(most.maturity), request["strikes"].index(most.strike)
    assert most.option_type == "call"
    without: list[list[float | None]] = prices.tolist()
    without[i][j] = None
    refitted = fit(client, request | {"prices": without})
    assert result.parameters is not None
    assert refitted.parameters is not None
    for name, change in most.without.items():
        actual = refitted.parameters[name] - result.parameters[name]
        assert change == pytest.approx(actual, rel=0.15, abs=1e-4)


def test_the_influence_of_quotes_is_added_only_if_requested(
    client: TestClient, grid_request: dict[str, Any]
) -> None:
    assert fit(client, grid_request).influence is None
    surfaces = [grid_request | {"explain": explain} for explain in (True, False)]
    results = client.post("/calibrate", json={"surfaces": surfaces}).json()["results"]
    assert len(results[0]["result"]["influence"]) == 21
    assert results[1]["result"]["influence"] is None


@pytest.mark.parametrize("option", [{"per_maturity": True}, {"method": "neural"}])
def test_only_one_fit_of_all_expiries_is_explained(
    client: TestClient, grid_request: dict[str, Any], option: dict[str, Any]
) -> None:
    answer = client.post("/calibrate", json=grid_request | {"explain": True} | option)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/explain"
    assert "least-squares fit of all expiries" in answer.json()["detail"]


def test_implied_vols_give_the_parameters_back(
    client: TestClient, grid_request: dict[str, Any], truth: VarianceGamma
) -> None:
    request = {
        k: v for k, v in grid_request.items() if k not in ("strikes", "maturities", "prices")
    }
    contracts = Contracts.grid(
        spot=request["spot_price"],
        rate=request["risk_free_rate"],
        dividend_yield=request["dividend_yield"],
        strikes=grid_request["strikes"],
        maturities=grid_request["maturities"],
    )
    columns = (
        contracts.strike,
        contracts.maturity_years,
        implied_vol(price(truth, contracts).value, contracts),
    )
    request["quotes"] = [
        {"strike": strike, "maturity": maturity, "implied_vol": vol}
        for strike, maturity, vol in zip(*map(np.ndarray.tolist, columns), strict=True)
    ]
    result = fit(client, request)
    check_recovered(result, truth)
    assert result.dropped == ()


def test_duplicate_quotes_are_reported(client: TestClient, quotes_request: dict[str, Any]) -> None:
    twice = copy.deepcopy(quotes_request)
    twice["quotes"].append(twice["quotes"][0])
    result = fit(client, twice)
    assert [(quote.pointer, quote.reason) for quote in result.dropped] == [
        ("/quotes/10", "duplicate")
    ]


@pytest.mark.parametrize("weights", ["price", "vega", "bid_ask"])
def test_a_list_of_two_sided_quotes_is_fitted_at_its_middle(
    client: TestClient, quotes_request: dict[str, Any], truth: VarianceGamma, weights: str
) -> None:
    result = fit(client, quotes_request | {"weights": weights})
    check_recovered(result, truth)
    assert result.fit_quality.n_quotes == 10


def test_missing_quotes_are_left_out(
    client: TestClient, grid_request: dict[str, Any], truth: VarianceGamma
) -> None:
    holed = copy.deepcopy(grid_request)
    holed["prices"][0][0] = holed["prices"][2][6] = None
    result = fit(client, holed)
    check_recovered(result, truth)
    assert result.fit_quality.n_quotes == 19
    assert result.dropped == ()


def test_a_quote_outside_no_arbitrage_bounds_is_dropped_and_reported(
    client: TestClient, grid_request: dict[str, Any], truth: VarianceGamma
) -> None:
    spoilt = copy.deepcopy(grid_request)
    spoilt["prices"][0][0] = 1.0
    spoilt["prices"][1][2] = 500.0
    result = fit(client, spoilt)
    check_recovered(result, truth)
    assert [(quote.pointer, quote.reason) for quote in result.dropped] == [
        ("/prices/0/0", "no_time_value"),
        ("/prices/1/2", "above_maximum"),
    ]
    assert any("2 quotes were left out" in warning for warning in result.warnings)


def test_a_crossed_quote_is_dropped_and_reported(
    client: TestClient, quotes_request: dict[str, Any], truth: VarianceGamma
) -> None:
    crossed = copy.deepcopy(quotes_request)
    quote = crossed["quotes"][3]
    quote["bid"], quote["ask"] = quote["ask"], quote["bid"]
    result = fit(client, crossed)
    check_recovered(result, truth)
    assert [(quote.pointer, quote.reason) for quote in result.dropped] == [("/quotes/3", "crossed")]


def test_the_champion_starts_what_exact_prices_finish(
    client: TestClient, grid_request: dict[str, Any], truth: VarianceGamma
) -> None:
    result = fit(client, grid_request)
    check_recovered(result, truth)
    assert result.method == "hybrid"
    assert not result.degraded
    champion = client.get("/networks").json()["networks"]["VarianceGamma"]["champion"]
    assert result.model_version == champion


def test_a_network_alone_comes_near(
    client: TestClient, grid_request: dict[str, Any], truth: VarianceGamma
) -> None:
    result = fit(client, grid_request | {"method": "neural"})
    assert result.status == "proposed"
    assert result.parameters is not None
    for name, value in truth.as_mapping().items():
        assert result.parameters[name] == pytest.approx(value, rel=0.05)


def test_hybrid_without_a_network_is_reported_as_degraded(
    client: TestClient, grid_request: dict[str, Any]
) -> None:
    result = fit(client, grid_request | {"model_type": "Kou"})
    assert result.method == "least_squares"
    assert result.degraded
    assert "no network is ready for Kou" in result.warnings[0]


def test_requested_least_squares_is_not_degraded(
    client: TestClient, grid_request: dict[str, Any]
) -> None:
    result = fit(client, grid_request | {"method": "least_squares"})
    assert not result.degraded
    assert all(warning.startswith("Extrapolated") for warning in result.warnings)


def test_intervals_hold_the_parameters(client: TestClient, quotes_request: dict[str, Any]) -> None:
    noisy = copy.deepcopy(quotes_request)
    for i, quote in enumerate(noisy["quotes"]):
        quote["price"] = quote["bid"] if i % 2 else quote["ask"]
    result = fit(client, noisy)
    assert result.intervals is not None
    assert result.parameters is not None
    for name, value in result.parameters.items():
        interval = result.intervals[name]
        assert interval is not None
        assert interval[0] < value < interval[1]


def test_intervals_are_returned_only_on_request(
    client: TestClient, grid_request: dict[str, Any]
) -> None:
    assert fit(client, grid_request | {"uncertainty": "none"}).intervals is None


@pytest.mark.parametrize("name", models.names())
def test_every_model_can_be_fitted(
    client: TestClient, grid_request: dict[str, Any], name: str
) -> None:
    result = fit(client, grid_request | {"model_type": name})
    assert result.parameters is not None
    assert set(result.parameters) == {p.name for p in models.get(name).parameters()}


def test_a_surface_without_any_information_is_rejected(
    client: TestClient, grid_request: dict[str, Any]
) -> None:
    empty = copy.deepcopy(grid_request)
    empty["prices"] = [[None] * 7, [None] * 7, [None, None, None, 10.4, 7.9, 0.0, None]]
    problem = client.post("/calibrate", json=empty).json()
    assert problem["code"] == "invalid-input"
    assert problem["errors"][0]["pointer"] == "/prices"
    (dropped,) = problem["dropped"]
    assert dropped == {
        "pointer": "/prices/2/5",
        "reason": "no_time_value",
        "message": "at or below discounted intrinsic value",
        "strike": 110.0,
        "maturity": 1.0,
        "option_type": "call",
    }
    assert "no_time_value: 1" in problem["detail"]
    assert "2 usable quotes" in problem["detail"]


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"method": "neural", "model_type": "Kou"}, "/method"),
        ({"method": "neural", "uncertainty": "psis"}, "/uncertainty"),
        ({"per_maturity": True, "model_type": "NIGSato"}, "/per_maturity"),
    ],
)
def test_an_unsupported_request_is_rejected_with_an_alternative(
    client: TestClient, grid_request: dict[str, Any], options: dict[str, Any], place: str
) -> None:
    answer = client.post("/calibrate", json=grid_request | options)
    assert answer.status_code == 422
    assert answer.json()["code"] == "unsupported"
    assert answer.json()["errors"][0]["pointer"] == place


def test_a_finished_fit_is_logged_once_and_counted(
    client: TestClient, grid_request: dict[str, Any], logged: list[Any]
) -> None:
    fit(client, grid_request)
    (event,) = (event for event in logged if event["event"] == "calibration.finished")
    assert event["n_quotes"] == 21
    assert event["status"] == "converged"
    text = client.get("/metrics").text
    assert 'levy_calibration_fit_seconds_count{method="hybrid",model="VarianceGamma"' in text
    assert 'levy_calibration_fit_rmse_vol_count{model="VarianceGamma"}' in text


def test_the_service_is_ready_once_it_is_warm() -> None:
    client = TestClient(create_app(CalibrationSettings()))
    assert client.get("/health/ready").status_code == 503
    with client:
        assert client.get("/health/ready").status_code == 200


QUOTED: dict[float, list[tuple[float, float]]] = {
    0.25: [(85, 0.466), (90, 0.9823), (95, 1.9602), (100, 3.655), (105, 2.0759), (110, 0.7393)],
    0.5: [(85, 1.3846), (90, 2.1633), (95, 3.3265), (100, 5.0072), (105, 3.8968), (110, 2.0242)],
}


def noisy_request() -> dict[str, Any]:
    """Return puts up to 100 and calls above, spread 0.1, close to VG(0.17, 0.2, −0.3), rate 3%."""
    quotes = [
        {
            "strike": strike,
            "maturity": maturity,
            "option_type": "put" if strike <= 100 else "call",
            "bid": mid - 0.05,
            "ask": mid + 0.05,
        }
        for maturity, row in QUOTED.items()
        for strike, mid in row
    ]
    return {
        "model_type": "VarianceGamma",
        "spot_price": 100.0,
        "risk_free_rate": 0.03,
        "quotes": quotes,
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bid": 12.48, "ask": 15.48}, "not_monotone_in_strike"),
        ({"price": 5.5}, "mid_outside_spread"),
        ({"bid": 0.0, "ask": 0.9}, "zero_bid"),
        ({"bid": 1.1, "ask": 0.0}, "missing_price"),
    ],
)
def test_a_wrong_quote_moves_the_fit_no_more_than_its_absence(
    client: TestClient, change: dict[str, float], reason: str
) -> None:
    body = noisy_request()
    without = copy.deepcopy(body)
    del without["quotes"][0]
    expected = fit(client, without).parameters
    body["quotes"][0] |= change
    result = fit(client, body)
    (dropped,) = result.dropped
    assert (dropped.pointer, dropped.reason) == ("/quotes/0", reason)
    assert result.parameters == pytest.approx(expected, rel=1e-6)
    assert result.parameters is not None
    assert result.parameters["sigma"] == pytest.approx(0.171, abs=0.02)


def test_quotes_sent_twice_do_not_narrow_the_intervals(client: TestClient) -> None:
    """Counted twice, n errors of the same size would narrow each interval by √2."""
    body = noisy_request()
    once = fit(client, body)
    twice = fit(client, body | {"quotes": body["quotes"] * 2})
    assert twice.fit_quality.n_quotes == once.fit_quality.n_quotes == 12
    assert twice.intervals == once.intervals
    assert {quote.reason for quote in twice.dropped} == {"duplicate"}


@pytest.mark.parametrize(("name", "factor"), [("maturity", 1.0 + 2e-6), ("strike", 1.0 + 5e-10)])
def test_quotes_sent_again_with_a_rounded_contract_do_not_narrow_the_intervals(
    client: TestClient, name: str, factor: float
) -> None:
    body = noisy_request()
    once = fit(client, body)
    again = [quote | {name: quote[name] * factor} for quote in body["quotes"]]
    twice = fit(client, body | {"quotes": body["quotes"] + again})
    assert {quote.reason for quote in twice.dropped} == {"duplicate"}
    assert twice.intervals is not None
    assert once.intervals is not None
    for parameter, interval in once.intervals.items():
        assert twice.intervals[parameter] == pytest.approx(interval, rel=1e-3)


@pytest.mark.parametrize("options", [{}, {"per_maturity": True, "model_type": "Merton"}])
def test_a_fit_stops_within_a_few_evaluations_of_its_deadline(
    grid_request: dict[str, Any], options: dict[str, Any]
) -> None:
    """Between starts would be too late: one start of a slow model may take seconds."""
    request = {"model_type": "NIGCIR", "method": "least_squares", **options}
    calls = 0

    def checkpoint() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise DeadlineError(30.0)

    with pytest.raises(DeadlineError):
        calibrate(
            CalibrationRequest.model_validate(grid_request | request),
            engine_version="1",
            n_starts=1,
            checkpoint=checkpoint,
        )
    assert calls == 3


def test_correlations_are_those_of_the_derivatives_of_the_prices(
    client: TestClient, grid_request: dict[str, Any]
) -> None:
    noise = 0.01 * np.random.default_rng(1).standard_normal((3, 7))
    noisy = grid_request | {"prices": (np.array(grid_request["prices"]) + noise).tolist()}
    result = fit(client, noisy | {"weights": "price", "uncertainty": "laplace_iid"})
    assert result.parameters is not None
    assert result.correlations is not None
    at, names, step = result.parameters, ("sigma", "nu", "theta"), 1e-5
    contracts = Contracts.grid(
        spot=100.0,
        rate=grid_request["risk_free_rate"],
        dividend_yield=grid_request["dividend_yield"],
        strikes=grid_request["strikes"],
        maturities=grid_request["maturities"],
    )

    def derivative(name: str) -> np.ndarray:
        up, down = (
            price(VarianceGamma(**(at | {name: at[name] + sign * step})), contracts).value
            for sign in (1.0, -1.0)
        )
        return (up - down) / (2.0 * step)

    jacobian = np.stack([derivative(name) for name in names], axis=1)
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    scale = np.sqrt(np.diag(covariance))
    correlations = np.array([[result.correlations[a][b] for b in names] for a in names])
    assert correlations == pytest.approx(covariance / np.outer(scale, scale), abs=1e-4)


def test_correlations_are_null_with_fewer_degrees_of_freedom_than_parameters(
    client: TestClient, grid_request: dict[str, Any]
) -> None:
    result = fit(client, grid_request)
    assert result.uncertainty == "robust"  # three expiries leave two degrees of freedom
    assert result.correlations is None
    assert fit(client, grid_request | {"uncertainty": "none"}).correlations is None

"""`calibrate` with a network whose guess is refined, used alone, missing, poor or uncertain."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from levy_calibration.handlers.calibrate import calibrate
from levy_numerics import pricing
from levy_numerics.calibration.hybrid import Fit, NetworkAttempt, Proposer
from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models import Merton, VarianceGamma
from levy_schemas.calibration import CalibrationRequest, CalibrationResult
from tests.calibration_service.proposers import Declining, Knowing, beside

Answer = Callable[..., CalibrationResult]


@pytest.fixture
def answered(grid_request: dict[str, Any]) -> Answer:
    def ask(proposer: Proposer | None, **changes: Any) -> CalibrationResult:
        request = CalibrationRequest.model_validate(grid_request | changes)
        return calibrate(
            request,
            engine_version="engine",
            choose=lambda _name: () if proposer is None else (proposer,),
        )

    return ask


def check_recovered(result: CalibrationResult, truth: VarianceGamma) -> None:
    assert result.parameters is not None
    for name, value in truth.as_mapping().items():
        assert result.parameters[name] == pytest.approx(value, rel=1e-4)


def test_a_fit_from_a_networks_start_recovers_the_parameters(
    answered: Answer, truth: VarianceGamma
) -> None:
    result = answered(Knowing(beside(truth), version="2026-1"))
    check_recovered(result, truth)
    assert result.method == "hybrid"
    assert result.model_version == "2026-1"
    assert not result.degraded
    assert not result.out_of_distribution
    assert all(warning.startswith("Extrapolated") for warning in result.warnings)
    assert result.n_evaluations <= 8
    assert result.intervals is not None


def test_the_output_of_a_network_alone_is_returned_unchanged(
    answered: Answer, truth: VarianceGamma
) -> None:
    guess = beside(truth)
    result = answered(Knowing(guess), method="neural")
    assert result.parameters == pytest.approx(guess.as_mapping(), rel=1e-12)
    assert result.method == "neural"
    assert result.status == "proposed"
    assert result.fit_quality.implied_vol_rmse is not None
    assert result.fit_quality.implied_vol_rmse > 1e-4
    assert result.moments is not None
    assert result.moments["variance"].interval is None
    assert result.intervals is not None
    low, high = result.intervals["sigma"] or (0.0, 0.0)
    # σ is exp of half the log variance and further terms: a relative error of about 1%.
    assert 0.005 < (high - low) / (2 * 1.96 * guess.sigma) < 0.02


def test_a_network_without_a_predicted_error_gives_no_intervals(
    answered: Answer, truth: VarianceGamma
) -> None:
    result = answered(Knowing(truth, spread=None), method="neural")
    assert result.intervals is None
    assert "no intervals" in result.warnings[0]


@pytest.mark.parametrize(
    ("proposer", "reason"),
    [(None, "no network is ready for VarianceGamma"), (Declining, "declining reads")],
)
def test_least_squares_replaces_a_rejecting_network_with_a_warning(
    answered: Answer, truth: VarianceGamma, proposer: Any, reason: str
) -> None:
    result = answered(proposer and proposer(truth))
    check_recovered(result, truth)
    assert result.method == "least_squares"
    assert result.degraded
    assert result.model_version == "engine"
    assert reason in result.warnings[0]
    assert "least squares from several starts was used" in result.warnings[0]


@pytest.mark.parametrize("proposer", [None, Declining])
def test_a_network_alone_that_has_no_word_is_a_problem(
    answered: Answer, truth: VarianceGamma, proposer: Any
) -> None:
    with pytest.raises(UnsupportedError, match="request hybrid or least_squares") as refused:
        answered(proposer and proposer(truth), method="neural")
    assert refused.value.details["pointer"] == "/method"


def test_a_poor_initial_guess_is_rejected_and_reported(grid_request: dict[str, Any]) -> None:
    truth = Merton.example()
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.05,
        dividend_yield=0.01,
        strikes=grid_request["strikes"],
        maturities=grid_request["maturities"],
    )
    prices = pricing.price(truth, contracts).value.reshape(3, -1).tolist()
    # Large upward jumps: least squares ends in another local minimum.
    astray = Knowing(replace(truth, mu_j=1.5, sigma_j=0.05, lam=0.05))
    body = grid_request | {"model_type": "Merton", "prices": prices}
    request = CalibrationRequest.model_validate(body)
    result = calibrate(request, engine_version="engine", choose=lambda _name: (astray,))
    assert result.fit_quality.rmse < 1e-6
    assert result.method == "least_squares"
    assert result.degraded
    assert result.model_version == "engine"
    assert "the initial guess of knowing was poor" in result.warnings[0]


def test_quotes_outside_the_training_distribution_are_reported(
    answered: Answer, truth: VarianceGamma
) -> None:
    result = answered(Knowing(truth, score=3.0))
    assert result.out_of_distribution
    assert "score 3" in result.warnings[0]
    assert answered(Knowing(truth, score=float("nan"))).out_of_distribution


def test_the_next_network_is_used_if_one_rejects_the_quotes(
    grid_request: dict[str, Any], truth: VarianceGamma
) -> None:
    declining, knowing = Declining(truth, version="first"), Knowing(beside(truth), version="second")
    fits: list[Fit] = []
    result = calibrate(
        CalibrationRequest.model_validate(grid_request),
        engine_version="engine",
        choose=lambda _name: (declining, knowing),
        observe=lambda _quotes, fit: fits.append(fit),
    )
    assert result.model_version == "second"
    assert not result.degraded
    assert fits[0].attempts == (
        NetworkAttempt("first", "abstained"),
        NetworkAttempt("second", "accepted"),
    )


def test_least_squares_does_not_use_a_network(answered: Answer, truth: VarianceGamma) -> None:
    result = answered(Declining(truth), method="least_squares")
    assert not result.degraded
    assert result.method == "least_squares"


def test_single_expiries_are_fitted_without_the_network(
    answered: Answer, truth: VarianceGamma
) -> None:
    result = answered(Knowing(truth), per_maturity=True)
    assert result.degraded
    assert "whole surfaces" in result.warnings[0]
    with pytest.raises(UnsupportedError, match="whole surfaces"):
        answered(Knowing(truth), per_maturity=True, method="neural")


def test_psis_weighs_the_exact_posterior(
    answered: Answer, truth: VarianceGamma, grid_request: dict[str, Any]
) -> None:
    prices = copy.deepcopy(grid_request["prices"])
    for i, row in enumerate(prices):
        prices[i] = [price + (0.02 if (i + j) % 2 else -0.02) for j, price in enumerate(row)]
    weighed = answered(Knowing(truth), prices=prices, uncertainty="psis")
    plain = answered(Knowing(truth), prices=prices, uncertainty="discrepancy")
    assert plain.pareto_k is None
    assert weighed.pareto_k is not None
    assert weighed.pareto_k < 0.7
    assert weighed.intervals is not None
    assert plain.intervals is not None
    for name, interval in weighed.intervals.items():
        low, high = plain.intervals[name] or (0.0, 0.0)
        assert interval == pytest.approx((low, high), abs=0.4 * (high - low))


def test_psis_per_expiry_reports_the_largest_k(answered: Answer) -> None:
    result = answered(None, method="least_squares", per_maturity=True, uncertainty="psis")
    assert result.pareto_k is not None
    assert result.per_maturity is not None
    assert all(one.intervals for one in result.per_maturity)


def test_psis_without_a_fit_is_rejected(answered: Answer, truth: VarianceGamma) -> None:
    with pytest.raises(UnsupportedError, match="psis requires a fit"):
        answered(Knowing(truth), method="neural", uncertainty="psis")

"""Intervals of a fit: 95%, by Student's t or by the standard errors that a network predicts."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from levy_calibration.handlers import parameter_intervals as handler
from levy_calibration.handlers.parameter_intervals import parameter_intervals
from levy_numerics import pricing
from levy_numerics.calibration import CalibrationResult, calibrate
from levy_numerics.calibration.hybrid import Fit, Proposal
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes


@pytest.fixture(scope="module")
def quotes() -> Quotes:
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
        strikes=[80.0, 90.0, 100.0, 110.0, 120.0],
        maturities=[0.5],
    )
    price = pricing.price(BlackScholes(sigma=0.2), contracts).value
    return Quotes.of(contracts, price + np.array([0.01, -0.02, 0.01, 0.02, -0.01]))


@pytest.fixture(scope="module")
def result(quotes: Quotes) -> CalibrationResult:
    return calibrate(BlackScholes, quotes)


def interval_of_sigma(fit: Fit, quotes: Quotes) -> tuple[float, float]:
    (described,) = parameter_intervals(fit, quotes, uncertainty="robust")
    assert described.intervals is not None
    interval = described.intervals["sigma"]
    assert interval is not None
    return interval


def test_the_interval_of_a_fit_is_that_of_students_t_at_95_percent(
    quotes: Quotes, result: CalibrationResult
) -> None:
    # Five quotes of one expiry are five clusters: four degrees of freedom.
    width = stdtrit(4, 0.975) * result.standard_errors["sigma"]
    sigma = result.parameters["sigma"]
    found = interval_of_sigma(Fit(result, "least_squares"), quotes)
    assert found == pytest.approx((sigma - width, sigma + width), rel=1e-9)


def test_the_response_states_how_intervals_were_computed(
    quotes: Quotes, result: CalibrationResult
) -> None:
    fit = Fit(result, "least_squares")
    used = {
        uncertainty: parameter_intervals(fit, quotes, uncertainty=uncertainty)[0]
        for uncertainty in ("robust", "laplace", "laplace_iid", "discrepancy", "none")
    }
    assert {name: one.uncertainty for name, one in used.items()} == {
        "robust": "robust",
        "laplace": "robust",
        "laplace_iid": "laplace_iid",
        "discrepancy": "discrepancy",
        "none": None,
    }
    assert used["laplace"].intervals == used["robust"].intervals != used["laplace_iid"].intervals
    assert any("rest on 1 expiry" in warning for warning in used["robust"].warnings)


def test_the_interval_of_a_network_is_that_of_its_normal_errors_at_95_percent(
    quotes: Quotes, result: CalibrationResult
) -> None:
    proposal = Proposal(result.model, np.array([0.02]), 0.5)
    # The coordinate is the logarithm of the variance: σ changes by half as much, relatively.
    sigma = result.parameters["sigma"]
    width = ndtri(0.975) * 0.01 * sigma
    found = interval_of_sigma(Fit(result, "neural", proposal=proposal), quotes)
    assert found == pytest.approx((sigma - width, sigma + width), rel=1e-9)


@pytest.mark.parametrize(("k", "n_warnings"), [(0.7, 0), (0.71, 1)])
def test_a_pareto_k_above_0_7_is_a_warning(
    quotes: Quotes,
    result: CalibrationResult,
    monkeypatch: pytest.MonkeyPatch,
    k: float,
    n_warnings: int,
) -> None:
    def sampled(*_: Any) -> Any:
        return SimpleNamespace(pareto_k=k, intervals=lambda level: {"sigma": (0.5 - level, 0.5)})

    monkeypatch.setattr(handler, "importance_sample", sampled)
    fit = Fit(result, "least_squares")
    (described,) = parameter_intervals(fit, quotes, uncertainty="psis")
    assert described.pareto_k == k
    assert len(described.warnings) == n_warnings
    assert described.intervals == {"sigma": (0.5 - 0.95, 0.5)}

"""The response of `/calibrate`, from a fit."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from levy_calibration.handlers.parameter_intervals import ParameterIntervals
from levy_calibration.handlers.responses import build_response
from levy_numerics import pricing
from levy_numerics.calibration import CalibrationResult, TermStructure, calibrate_each_maturity
from levy_numerics.calibration.hybrid import Fit
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes


@pytest.fixture(scope="module")
def fitted() -> TermStructure:
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
        strikes=[90.0, 100.0, 110.0],
        maturities=[0.25, 0.5, 1.0],
    )
    price = pricing.price(BlackScholes(sigma=0.2), contracts).value
    noise = 0.01 * np.random.default_rng(0).standard_normal(price.size)
    return calibrate_each_maturity(BlackScholes, Quotes.of(contracts, price + noise))


def response(result: CalibrationResult | TermStructure, **changes: Any) -> Any:
    n = len(result.results) if isinstance(result, TermStructure) else 1
    options = {"engine_version": "7", "seconds": 0.25} | changes
    return build_response(Fit(result, "least_squares"), (ParameterIntervals(),) * n, **options)


def test_the_time_is_in_milliseconds(fitted: TermStructure) -> None:
    assert response(fitted.results[0], seconds=0.25).calibration_time_ms == 250.0


def test_the_status_of_a_term_structure_is_the_worst_of_its_expiries(
    fitted: TermStructure,
) -> None:
    first, second, third = fitted.results
    statuses = replace(fitted, results=(first, replace(second, status="stalled"), third))
    found = response(statuses)
    assert found.status == "stalled"
    assert found.reason == "1 of 3 expiries: stalled"
    assert response(fitted).status == "converged"


def test_evaluations_of_a_term_structure_are_those_of_all_its_expiries(
    fitted: TermStructure,
) -> None:
    assert response(fitted).n_evaluations == sum(fit.n_evaluations for fit in fitted.results)

"""Intervals count the degrees of freedom that the fit leaves.

With independent errors of unknown size, (estimate − truth)/standard error is Student-t with n − p
degrees of freedom, to first order. A normal interval covers P(|t| < 1.96) = 70% at n = p + 1 and
81% at n = p + 2; a Student-t one 95% at both. 200 repeats of three parameters put the coverage
within ±5 points (three standard errors of one parameter) of its level.
"""

import numpy as np
import pytest
from scipy.stats import t as student_t

from levy_numerics import models
from levy_numerics.calibration import calibrate, calibrate_each_maturity
from levy_numerics.calibration.uncertainty import ErrorModel
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models import BlackScholes
from tests.numerics.calibration.surfaces import exact_quotes

VG = models.get("VarianceGamma")
REPEATS = 200


def listing(n: int) -> Contracts:
    maturity = np.where(np.arange(n) % 2, 1.0, 0.25)
    moneyness = np.linspace(-0.3, 0.3, n) * np.sqrt(maturity / 0.5)
    return Contracts.of(
        maturity_years=maturity,
        strike=100.0 * np.exp(moneyness),
        forward=100.0,
        discount=1.0,
        is_call=moneyness > 0.0,
    )


def noisy(exact: Quotes, rng: np.random.Generator) -> Quotes:
    return Quotes.of(exact.contracts, exact.price + 0.01 * rng.standard_normal(exact.size))


@pytest.mark.parametrize("n", [4, 5, 6, 40])
@pytest.mark.parametrize("error_model", ["robust", "laplace_iid"])
def test_intervals_of_parameters_and_moments_cover_their_truth(
    n: int, error_model: ErrorModel
) -> None:
    truth = VG.example()
    exact = exact_quotes(truth, listing(n))
    moments = calibrate(VG, exact, start=truth.as_mapping()).moments
    rng = np.random.default_rng(n)
    hits: list[list[bool]] = []
    for _ in range(REPEATS):
        # Errors are equal in currency.
        fit = calibrate(VG, noisy(exact, rng), weights="price", start=truth.as_mapping())
        fit = fit.with_uncertainty(error_model)
        assert fit.degrees_of_freedom == n - 3
        pairs = [(ends, truth.as_mapping()[name]) for name, ends in fit.intervals().items()]
        pairs += [(fit.moments[name].interval(), m.value) for name, m in moments.items()]
        hits.append([low <= value <= high for (low, high), value in pairs])
    coverage = np.mean(hits, axis=0)
    assert np.all(coverage > 0.90), coverage
    # Six clusters leave five degrees of freedom, and the jackknife errs on the safe side.
    assert np.all(coverage < (0.995 if error_model == "laplace_iid" or n < 6 else 1.01)), coverage


def test_an_interval_is_student_s() -> None:
    fit = calibrate(VG, noisy(exact_quotes(VG.example(), listing(5)), np.random.default_rng(0)))
    assert fit.uncertainty.error_model == "laplace_iid"
    assert any("5 quotes and 3 free parameters" in w for w in fit.uncertainty.warnings)
    low, high = fit.intervals()["theta"]
    quantile = student_t.ppf(0.975, 5 - 3)
    assert high - low == pytest.approx(2.0 * quantile * fit.standard_errors["theta"])
    low, high = fit.moments["variance"].interval()
    expected = 2.0 * quantile * fit.moments["variance"].standard_error
    assert high - low == pytest.approx(expected)


def test_as_many_quotes_as_parameters_give_no_interval_and_a_warning() -> None:
    fit = calibrate(VG, noisy(exact_quotes(VG.example(), listing(3)), np.random.default_rng(0)))
    assert fit.degrees_of_freedom == 0
    assert all(np.isinf(error) for error in fit.standard_errors.values())
    assert all(np.isinf(m.interval()).all() for m in fit.moments.values())
    assert any("no degrees of freedom" in w and "psis" in w for w in fit.warnings)


def test_an_expiry_of_its_own_has_its_own_degrees_of_freedom() -> None:
    contracts = Contracts.of(
        maturity_years=[0.25] * 3 + [1.0] * 6,
        strike=[90, 100, 110, 80, 90, 100, 110, 120, 130],
        forward=100.0,
        discount=1.0,
    )
    quotes = noisy(exact_quotes(VG.example(), contracts), np.random.default_rng(1))
    short, long = calibrate_each_maturity(VG, quotes).results
    assert (short.degrees_of_freedom, long.degrees_of_freedom) == (0, 3)
    assert any("no degrees of freedom" in warning for warning in short.warnings)


def test_what_a_fit_cannot_use_costs_no_degree_of_freedom() -> None:
    # At a bound, or if prices do not depend on a direction, the residuals keep their variance:
    # E‖r‖² = σ²·(n − rank), so that a flat smile under noise has more than n − p = 5 of them.
    exact = exact_quotes(BlackScholes(sigma=0.2), listing(8))
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(60):
        fit = calibrate(VG, noisy(exact, rng))
        if fit.status == "at_bound":
            assert 5 <= fit.degrees_of_freedom <= 7
            low, high = fit.moments["variance"].interval()
            covered.append(low <= 0.04 <= high)
    assert len(covered) > 10
    assert np.mean(covered) > 0.85


def test_a_variance_that_rests_on_a_tail_that_hardly_decays_is_an_extrapolation() -> None:
    cgmy = models.get("CGMY")
    example = cgmy.example().as_mapping()
    for lowest, is_beyond in ((example["G"], False), (1e-3, True)):
        truth = cgmy(**{**example, "G": lowest})
        fit = calibrate(cgmy, exact_quotes(truth, listing(40)), start=truth.as_mapping())
        assert fit.moments["variance"].is_extrapolated == is_beyond

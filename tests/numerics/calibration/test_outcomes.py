"""Outcomes of calibrations to unusual quotes are values; misuse raises."""

import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.calibration import CalibrationError, calibrate
from levy_numerics.calibration.identifiability import Identifiability
from levy_numerics.errors import (
    ArbitrageError,
    InvalidInputError,
    InvalidParameterError,
    UnsupportedError,
)
from levy_numerics.market import Contracts, Quotes
from tests.numerics.calibration.surfaces import CONTRACTS, exact_quotes

VG = models.get("VarianceGamma")


def one_smile(n: int) -> Contracts:
    return Contracts.of(
        maturity_years=0.5, strike=np.linspace(80.0, 120.0, n), forward=100.0, discount=0.98
    )


def test_fewer_quotes_than_parameters_are_rejected() -> None:
    with pytest.raises(InvalidInputError, match="2 quotes cannot determine the 3 parameters"):
        calibrate(VG, Quotes.of(one_smile(2), [20.0, 1.0]))


def test_unknown_weights_are_rejected() -> None:
    with pytest.raises(UnsupportedError, match="choose one of price, vega, bid_ask"):
        calibrate(VG, exact_quotes(VG.example()), weights="volume")


def test_spread_weights_without_spreads_are_rejected() -> None:
    with pytest.raises(InvalidInputError, match="bid and ask"):
        calibrate(VG, exact_quotes(VG.example()), weights="bid_ask")


def test_a_start_outside_the_domain_is_rejected() -> None:
    with pytest.raises(InvalidParameterError, match="sigma"):
        calibrate(VG, exact_quotes(VG.example()), start={"sigma": -0.2, "nu": 0.2, "theta": 0.0})


@pytest.mark.parametrize("n_starts", [0, -1, 10**6])
def test_a_number_of_starts_out_of_reach_is_rejected(n_starts: int) -> None:
    with pytest.raises(InvalidInputError, match="n_starts"):
        calibrate(VG, exact_quotes(VG.example()), n_starts=n_starts)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_invalid_prices_are_rejected(bad: float) -> None:
    prices = exact_quotes(VG.example()).price.copy()
    prices[3] = bad
    with pytest.raises(InvalidInputError, match=r"price\[3\]"):
        Quotes.of(CONTRACTS, prices)


def test_crossed_quotes_are_rejected() -> None:
    with pytest.raises(ArbitrageError) as caught:
        Quotes.of(one_smile(3), [20.0, 5.0, 1.0], bid=[20.0, 6.0, 1.0], ask=[20.0, 5.0, 1.0])
    assert caught.value.indices == (1,)


def test_prices_outside_their_bounds_are_named() -> None:
    quotes = Quotes.of(one_smile(3), [0.5, 5.0, 1.0])
    with pytest.raises(ArbitrageError) as caught:
        quotes.check_bounds()
    assert caught.value.indices == (0,)


def test_too_few_evaluations_are_an_outcome_and_not_an_error() -> None:
    result = calibrate(
        models.get("CGMY"),
        exact_quotes(models.get("CGMY").example()),
        max_evaluations=2,
        n_starts=1,
    )
    assert result.status == "max_evaluations"
    assert any("did not converge" in warning for warning in result.warnings)
    with pytest.raises(CalibrationError, match="max_evaluations"):
        result.raise_for_status()


def test_gaussian_quotes_leave_the_tails_unidentified_with_a_warning() -> None:
    flat = exact_quotes(models.get("BlackScholes").from_mapping({"sigma": 0.2}))
    result = calibrate(VG, flat)
    assert result.fit.implied_vol_rmse < 1e-4
    low, high = result.intervals()["nu"]
    assert result.warnings or high - low > 0.5 * result.parameters["nu"]


def test_absurd_prices_give_a_large_reported_error() -> None:
    contracts = one_smile(9)
    rng = np.random.default_rng(0)
    result = calibrate(VG, Quotes.of(contracts, rng.uniform(0.0, 90.0, contracts.size)))
    assert result.fit.rmse > 5.0


def test_intervals_stay_inside_the_domain() -> None:
    truth = VG.example()
    noisy = exact_quotes(truth, one_smile(5))
    wobble = Quotes.of(noisy.contracts, noisy.price * [1.0, 1.02, 0.98, 1.02, 0.98])
    for p in VG.parameters():
        low, high = calibrate(VG, wobble).intervals()[p.name]
        assert p.domain.low <= low <= high <= p.domain.high


def test_progress_is_reported_for_each_start() -> None:
    reports: list[tuple[int, int]] = []
    calibrate(
        VG, exact_quotes(VG.example()), n_starts=3, progress=lambda k, n: reports.append((k, n))
    )
    assert reports == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(("name", "looks", "most"), [("VarianceGamma", 0, 8), ("Kou", 2, 3)])
def test_a_calibration_that_is_stopped_returns_the_best_fit_so_far(
    name: str, looks: int, most: int
) -> None:
    """The deadline passes within a start, and no other start is begun.

    Compiled iterations look at the clock every few evaluations, others at each.
    """
    model, calls = models.get(name), 0

    def should_stop() -> bool:
        nonlocal calls
        calls += 1
        return calls > looks

    quotes = exact_quotes(model.example())
    result = calibrate(model, quotes, weights="price", n_starts=8, should_stop=should_stop)
    assert result.status == "max_evaluations"
    assert "stopped on request" in result.reason
    assert 1 <= result.n_evaluations <= most
    assert calls == looks + 2


def test_an_overflowing_interval_is_unbounded_without_a_warning() -> None:
    geometry = Identifiability(np.ones(2), np.eye(2), np.eye(3)[:, :2], np.ones(3), 1)
    gradient = np.array([[1e200, 0], [1, 1]])
    found = geometry.covariance(gradient, np.eye(2), 1e-4)
    np.testing.assert_array_equal(
        geometry.covariance(gradient, np.eye(2), 1e-4, diagonal=True), np.diag(found)
    )
    assert found[0, 0] == np.inf
    assert found[1, 1] == 2.0


def test_former_names_of_a_result_are_deprecated() -> None:
    fit = calibrate(VG, exact_quotes(VG.example()))
    with pytest.warns(DeprecationWarning, match="renamed to moments"):
        assert fit.functionals is fit.moments
    with pytest.warns(DeprecationWarning, match="renamed to boundary_parameters"):
        assert fit.limits == fit.boundary_parameters

"""Every method on every model: methods agree, and prices are free of arbitrage."""

from typing import Final

import numpy as np
import pytest

from levy_numerics import pricing
from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models import Model, VarianceGamma
from tests.numerics.models.members import every_model
from tests.numerics.pricing.domain import members

STRIKES: Final = np.linspace(70.0, 130.0, 25)
MATURITIES: Final = np.array([0.1, 0.25, 0.5, 1.0, 2.0])
# As a fraction of the out-of-the-money value.
CARR_MADAN_PROMISE: Final = 1e-3

every_method = pytest.mark.parametrize("method", pricing.methods())
one_or_many = pytest.mark.parametrize(
    "count", [1, pytest.param(30, marks=pytest.mark.slow)], ids=["example", "many"]
)


def surface(*, is_call: bool = True, carry: float = 0.02) -> Contracts:
    return Contracts.grid(
        spot=100.0,
        rate=0.03,
        dividend_yield=0.03 - carry,
        strikes=STRIKES,
        maturities=MATURITIES,
        is_call=is_call,
    )


def priced(model: Model, contracts: Contracts, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Return values and errors by maturity and strike."""
    actual = pricing.price(model, contracts, method=method)
    shape = (MATURITIES.size, STRIKES.size)
    return actual.value.reshape(shape), actual.error.reshape(shape)


@one_or_many
@every_method
@every_model
def test_a_method_agrees_with_the_referee(cls, method, count):
    contracts = surface()
    for model in members(cls, count, "agreement", MATURITIES[-1]):
        actual = pricing.price(model, contracts, method=method)
        true = pricing.price(model, contracts, method="lewis", tolerance=1e-12)
        assert np.all(np.abs(actual.value - true.value) <= actual.error + true.error)


@every_model
def test_carr_madan_reaches_its_accuracy_on_an_ordinary_surface(cls):
    contracts = surface()
    true = pricing.price(cls.example(), contracts, method="lewis")
    actual = pricing.price(cls.example(), contracts, method="carr_madan")
    tenth = np.abs(contracts.log_moneyness) < 0.2
    settled = tenth & (contracts.maturity_years >= 0.25)
    allowed = CARR_MADAN_PROMISE * (true.value - contracts.lower_bound)
    assert np.all(np.abs(actual.value - true.value)[settled] <= allowed[settled])


@every_method
@every_model
def test_put_call_parity_holds(cls, method):
    calls, puts = surface(is_call=True), surface(is_call=False)
    call = pricing.price(cls.example(), calls, method=method).value
    put = pricing.price(cls.example(), puts, method=method).value
    parity = calls.discount * (calls.forward - calls.strike)
    np.testing.assert_allclose(call - put, parity, atol=1e-11)


@one_or_many
@every_method
@every_model
def test_calls_are_decreasing_and_convex_in_the_strike(cls, method, count):
    for model in members(cls, count, "strikes", MATURITIES[-1]):
        value, error = priced(model, surface(), method)
        slack = error[:, :-1] + error[:, 1:] + 1e-11
        assert np.all(np.diff(value) <= slack)
        assert np.all(np.diff(value) >= -np.diff(STRIKES) - slack)
        assert np.all(np.diff(value, 2) >= -(slack[:, :-1] + slack[:, 1:]))


@one_or_many
@every_method
@every_model
def test_without_carry_calls_increase_with_maturity(cls, method, count):
    """Undiscounted, at the same strike: the forward is a martingale."""
    contracts = surface(carry=0.0)
    for model in members(cls, count, "calendar", MATURITIES[-1]):
        value, error = priced(model, contracts, method)
        grown = contracts.discount.reshape(value.shape)
        slack = (error / grown)[:-1] + (error / grown)[1:] + 1e-11
        assert np.all(np.diff(value / grown, axis=0) >= -slack)


@every_method
@every_model
def test_prices_stay_inside_their_bounds(cls, method):
    for is_call in (True, False):
        contracts = surface(is_call=is_call)
        actual = pricing.price(cls.example(), contracts, method=method)
        assert np.all(actual.value >= contracts.lower_bound)
        assert np.all(actual.value <= contracts.upper_bound)
        assert np.all(np.isfinite(actual.error) & (actual.error > 0.0))


@every_method
def test_a_tighter_tolerance_never_reports_a_larger_error(method):
    stated = [
        pricing.price(VarianceGamma.example(), surface(), method=method, tolerance=each).error.max()
        for each in (1e-4, 1e-7, 1e-10)
    ]
    assert stated == sorted(stated, reverse=True)


def test_an_unknown_method_is_rejected_by_name():
    with pytest.raises(UnsupportedError, match=r"'simpson'.*sinh, cos, carr_madan, lewis"):
        pricing.price(VarianceGamma.example(), surface(), method="simpson")

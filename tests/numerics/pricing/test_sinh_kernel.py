"""The compiled sums: correct on any contour, with or without tables, with bounds of rounding."""

import math

import numpy as np
import pytest

from levy_numerics import pricing
from levy_numerics.black import black_price
from levy_numerics.errors import OutsideStripError
from levy_numerics.market import Contracts
from levy_numerics.models import NIG, BilateralGamma, Meixner, Merton, VarianceGamma
from levy_numerics.pricing.sinh import SinhPricer
from tests.numerics.models.members import every_model
from tests.numerics.pricing.array_sums import ArraySums
from tests.numerics.pricing.domain import members
from tests.numerics.pricing.test_batches import batch, ragged, surface


@every_model
def test_sums_and_derivatives_are_those_of_arrays(cls):
    contracts = surface()
    for model in members(cls, 6, "compiled sums"):
        pricer = SinhPricer(contracts, 1e-10)
        contour = pricer.shared_contour(batch([model]))
        referee = ArraySums.of(model, contracts, contour)
        actual = pricer.price_gradient(model)
        scale = contracts.discount * contracts.strike
        leg = np.where(contracts.is_call, contracts.discount * contracts.forward, scale)
        value = (leg - actual.value) / scale
        wing = referee.nearest(value), np.arange(contracts.size)
        np.testing.assert_allclose(value, referee.value[wing], atol=1e-9)
        slopes = referee.by_parameter[:, *wing]
        size = np.abs(slopes).max(axis=1, keepdims=True)
        np.testing.assert_allclose(actual.gradient / -scale / size, slopes / size, atol=1e-7)


@every_model
def test_tabulated_phase_factors_change_nothing(cls):
    """A pricer's first evaluation is without a table, the second with one."""
    contracts = ragged(60)
    for model in members(cls, 4, "tables", longest_years=2.0):
        pricer = SinhPricer(contracts, 1e-10)
        first, second = pricer.price_gradient(model), pricer.price_gradient(model)
        assert np.all(np.abs(first.value - second.value) <= first.error + second.error)
        size = np.abs(first.gradient).max(axis=1, keepdims=True)
        np.testing.assert_allclose(first.gradient / size, second.gradient / size, atol=1e-7)


# At K/F = 2 the integrand counts up to η = 8/(σ√T·tan) ≈ 10⁴, where exp(ηx) alone overflows.
@pytest.mark.parametrize("vol", [1e-3, 1e-4, 1e-6])
def test_exponents_beyond_the_range_of_a_table_are_combined(vol):
    """λT = 10⁻³ jumps of e^5: most of the mass moves down by ω = −0.147, near these strikes."""
    model = Merton(sigma=vol, lam=1e-3, mu_j=5.0, sigma_j=0.1)
    drift = float(model.drift_correction(1.0))
    contracts = Contracts.of(
        maturity_years=1.0, strike=np.exp(drift + vol * np.array([-1.0, 0.0, 1.0])), forward=1.0
    )
    # Without a jump, the asset is lognormal around exp(ω); with a jump, it is about 148.
    spot = math.exp(drift + 0.5 * vol**2)
    no_jump = black_price(
        forward=spot,
        strike=contracts.strike,
        maturity_years=1.0,
        discount=1.0,
        vol=vol,
        is_call=True,
    )
    some_jump = 1.0 - spot * math.exp(-1e-3) - contracts.strike * -math.expm1(-1e-3)
    right = math.exp(-1e-3) * no_jump + some_jump
    pricer = SinhPricer(contracts, 1e-10)
    for _ in range(2):  # without and with a table
        actual = pricer.price(model)
        assert np.all(np.abs(actual.value - right) <= actual.error + 1e-12)
        assert np.all(actual.error <= 1e-9)


# From another method, `lewis`, and close to Black's formula with the same variance.
@pytest.mark.parametrize(
    ("model", "rate", "years", "strike", "right", "to"),
    [
        (NIG(alpha=1e5, beta=-5e4, delta=649.519), 0.02, 5.0, 2.0, 0.00036984, 1e-8),
        (VarianceGamma(sigma=0.2, nu=1e-6, theta=-300.0), 0.03, 30.0, 2.0, 0.70910, 1e-5),
        (Meixner(a=0.001, b=-1.5, d=385470.0), 0.02, 5.0, 1.0, 0.52261, 1e-5),
    ],
    ids=["NIG", "VarianceGamma", "Meixner"],
)
def test_many_small_jumps_are_priced_as_the_lognormal_they_become(
    model, rate, years, strike, right, to
):
    contracts = Contracts.grid(
        spot=1.0, rate=rate, dividend_yield=0.0, strikes=[strike], maturities=[years]
    )
    actual = pricing.price(model, contracts)
    assert actual.value[0] == pytest.approx(right, abs=to)
    assert actual.error[0] < 1e-9
    vol = math.sqrt(float(model.annual_cumulants()[1]))
    black = black_price(
        forward=contracts.forward,
        strike=strike,
        maturity_years=years,
        discount=contracts.discount,
        vol=vol,
        is_call=True,
    )
    assert actual.value[0] == pytest.approx(float(black[0]), abs=2e-4)


def test_the_reported_error_grows_with_cancellation():
    """Two gamma processes of decay rate λ, with opposite drifts of σ²λ/2."""
    contracts = Contracts.of(maturity_years=1.0, strike=[0.8, 1.0, 1.25], forward=1.0)
    right = black_price(
        forward=1.0,
        strike=contracts.strike,
        maturity_years=1.0,
        discount=1.0,
        vol=0.2,
        is_call=True,
    )
    errors = []
    for decay in (1e4, 1e6, 1e8):
        activity = 0.5 * (0.2 * decay) ** 2
        model = BilateralGamma(activity, decay, activity, decay)
        actual = pricing.price(model, contracts)
        # Its skewness and excess kurtosis are at most 6/decay² of the variance.
        assert np.all(np.abs(actual.value - right) <= actual.error + 10.0 / decay**2)
        errors.append(actual.error.max())
    assert errors[0] < 1e-10 < errors[2]


def test_a_value_moved_to_its_bounds_reports_the_distance():
    pricer = SinhPricer(Contracts.of(maturity_years=1.0, strike=1.0, forward=1.0), 1e-8)
    prices = pricer._present_values(np.array([[1.5]]), np.array([[1e-12]]))
    assert prices.value.tolist() == [0.0]
    assert prices.error.tolist() == [0.5]


def test_a_model_without_a_forward_is_rejected():
    heavy = VarianceGamma(sigma=0.2, nu=2.0, theta=1.0)
    with pytest.raises(OutsideStripError):
        SinhPricer(surface(), 1e-10).price(heavy)

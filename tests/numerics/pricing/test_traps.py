"""Cases in which pricing methods may fail silently."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import gamma

from levy_numerics import models, pricing
from levy_numerics.black import black_price
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts
from levy_numerics.models import (
    CGMY,
    NIG,
    BlackScholes,
    CGMYSato,
    Kou,
    Meixner,
    Merton,
    Model,
    VarianceGamma,
)
from levy_numerics.pricing.reference import cosine
from levy_numerics.pricing.sinh import SinhPricer
from tests.numerics.models.members import every_model
from tests.numerics.pricing.closed_forms import merton, variance_gamma

every_method = pytest.mark.parametrize("method", pricing.methods())
DAY = 1.0 / 365.0
AROUND = Contracts.of(maturity_years=0.5, strike=[0.5, 0.8, 1.0, 1.25, 2.0], forward=1.0)


def at(years: float, strike: list[float]) -> Contracts:
    return Contracts.of(maturity_years=years, strike=strike, forward=1.0)


def check_honest(model: Model, contracts: Contracts, method: str = "sinh") -> None:
    found = pricing.price(model, contracts, method=method)
    true = pricing.price(model, contracts, method="lewis", tolerance=1e-13)
    assert np.all(np.abs(found.value - true.value) <= found.error + true.error)


@pytest.mark.parametrize("middle", [0.0, 1.0])
def test_cgmy_is_continuous_through_its_removable_orders(middle):
    model = CGMY(C=0.6, G=5.0, M=15.0, Y=middle)
    exact = pricing.price(model, AROUND).value
    for distance in (1e-14, 1e-11, 1e-8):
        for side in (-1.0, 1.0)[middle == 0.0 :]:
            beside = dataclasses.replace(model, Y=middle + side * distance)
            found = pricing.price(beside, AROUND).value
            np.testing.assert_allclose(found, exact, atol=2e-11 + distance)


def test_cgmy_at_order_zero_is_variance_gamma():
    c, g, m = 2.0, 8.0, 20.0
    twin = VarianceGamma(sigma=math.sqrt(2.0 * c / (g * m)), nu=1.0 / c, theta=c * (1 / m - 1 / g))
    found = pricing.price(CGMY(C=c, G=g, M=m, Y=0.0), AROUND).value
    np.testing.assert_allclose(found, variance_gamma(twin, AROUND), atol=1e-11)


@pytest.mark.parametrize("order", [1.98, 1.999, 1.99999])
def test_cgmy_towards_order_two_is_black_scholes(order):
    vol = 0.3
    level = 0.5 * vol**2 * (2.0 - order)
    model = CGMY(C=level, G=5.0, M=6.0, Y=order)
    found = pricing.price(model, AROUND)
    same_variance = BlackScholes(sigma=np.sqrt(float(model.annual_cumulants()[1])))
    assert np.all(found.error < 1e-10)
    limit = pricing.price(same_variance, AROUND).value
    np.testing.assert_allclose(found.value, limit, atol=0.05 * (2.0 - order))
    check_honest(model, AROUND)


@every_method
def test_no_method_returns_nonsense_at_order_1_98(method):
    """The cumulant-based interval has width 200; an expansion of the call overflows by exp(100)."""
    check_honest(CGMY(C=1.0, G=5.0, M=5.0, Y=1.98), at(1.0, [0.5, 0.9, 1.0, 1.1, 2.0]), method)


@every_method
@pytest.mark.parametrize("years", [DAY, 0.01, 0.05])
def test_variance_gamma_below_half_its_variance_rate_has_a_sufficient_error(method, years):
    """T < ν/2: the density has a pole, and series converge algebraically."""
    model = VarianceGamma(sigma=0.25, nu=2.0, theta=-0.1)
    contracts = at(years, [0.5, 0.9, 0.99, 1.0, 1.001, 1.01, 1.1, 2.0])
    found = pricing.price(model, contracts, method=method)
    miss = np.abs(found.value - variance_gamma(model, contracts))
    assert np.all(miss <= found.error + 1e-13)


def test_cos_reports_that_it_has_not_converged():
    model = VarianceGamma(sigma=0.25, nu=2.0, theta=-0.1)
    contracts = at(DAY, [0.9, 1.0, 1.1])
    miss = np.abs(cosine.price(model, contracts).value - variance_gamma(model, contracts))
    assert np.max(miss) > 1e-9
    assert np.max(cosine.price(model, contracts).error) > 1e-8


def test_strikes_on_the_pole_of_the_density_are_priced():
    """x + ω_T = 0, where only the payoff decays along the contour."""
    model = VarianceGamma(sigma=0.25, nu=2.0, theta=-0.1)
    drift = float(model.drift_correction(DAY))
    contracts = at(DAY, [math.exp(drift), math.exp(drift + 1e-12), math.exp(drift - 1e-6)])
    found = pricing.price(model, contracts)
    np.testing.assert_allclose(found.value, variance_gamma(model, contracts), atol=1e-10)
    assert np.all(found.error <= 1e-10)


@every_method
@every_model
def test_errors_for_one_day_and_far_strikes_are_bounds(cls, method):
    check_honest(cls.example(), at(DAY, [0.5, 0.97, 1.0, 1.03, 2.0]), method)


@every_model
def test_errors_for_an_hour_and_a_century_are_bounds(cls):
    model = cls.example()
    for years in (DAY / 24.0, 30.0, 100.0):
        if np.all(model.forward_exists(np.array([years]))):
            check_honest(model, at(years, [0.5, 0.99, 1.0, 1.01, 2.0]))


@pytest.mark.parametrize("room", [1e-1, 1e-3, 1e-6, 1e-9])
def test_prices_are_accurate_up_to_the_limit_of_a_finite_forward(room):
    model = CGMY(C=0.6, G=5.0, M=1.0 + room, Y=0.4)
    model.check()
    check_honest(model, AROUND)
    assert np.all(pricing.price(model, AROUND).error < 1e-10)


@pytest.mark.parametrize("deviation", [0.3, 0.03, 0.01, 1e-3])
@pytest.mark.parametrize("years", [DAY, 0.1, 1.0, 5.0])
def test_jumps_of_nearly_one_size_never_pass_silently(deviation, years):
    """Ten jumps a year: |φ| decays and revives; a price was wrong by 4e-4 of the forward."""
    contracts = at(years, [0.5, 0.8, 1.0, 1.2, 2.0])
    for vol in (0.02, 0.1):
        model = Merton(sigma=vol, lam=10.0, mu_j=-0.4, sigma_j=deviation)
        for tolerance in (1e-6, 1e-8, 1e-10):
            found = pricing.price(model, contracts, tolerance=tolerance)
            assert np.all(np.abs(found.value - merton(model, contracts)) <= found.error + 1e-13)


def test_jumps_of_nearly_one_size_beside_diffusion_are_priced_within_their_error():
    """100 members with |μ_J| from 5 to 20 σ_J; too wide a sector was wrong by 1e-6 unnoticed."""
    rng = np.random.default_rng(7)
    contracts = Contracts.of(
        maturity_years=np.repeat([0.02, 0.1, 0.5, 1.0, 2.0], 9),
        strike=np.tile(np.exp(np.linspace(-0.8, 0.8, 9)), 5),
        forward=1.0,
    )
    for _ in range(100):
        mean, lam = rng.uniform(0.01, 0.4) * rng.choice([-1.0, 1.0]), 10.0 ** rng.uniform(-2, 1.7)
        model = Merton(
            sigma=10.0 ** rng.uniform(-2.5, -0.3),
            lam=lam,
            mu_j=mean,
            sigma_j=abs(mean) / rng.uniform(5.0, 20.0),
        )
        found = pricing.price(model, contracts, tolerance=1e-9)
        assert np.all(np.abs(found.value - merton(model, contracts)) <= found.error + 1e-12)


def test_diffusion_that_outweighs_equal_jumps_saves_nodes():
    """34 jumps a year of −2.4% ± 0.1% beside 21% of diffusion took 3,480 nodes."""
    pricer = SinhPricer(AROUND, 1e-9)
    pricer.price(Merton(sigma=0.214, lam=34.0, mu_j=-0.0235, sigma_j=0.00116))
    assert pricer.n_nodes <= 500


@every_method
def test_no_method_steps_over_a_revival(method):
    model = Merton(sigma=0.02, lam=10.0, mu_j=-0.4, sigma_j=0.01)
    contracts = at(5.0, [0.3, 0.5, 0.8, 1.0, 1.2])
    found = pricing.price(model, contracts, method=method)
    assert np.all(np.abs(found.value - merton(model, contracts)) <= found.error + 1e-13)


@pytest.mark.parametrize(
    "model",
    [
        Kou(sigma=0.02, lam=20.0, p=0.5, eta1=100.0, eta2=100.0),
        Kou(sigma=0.02, lam=20.0, p=0.02, eta1=1.2, eta2=1.0),
        Meixner(a=0.03, b=3.1, d=0.01),
        Meixner(a=0.5, b=-3.1, d=0.01),
        models.BilateralGamma(alpha_p=1e-3, lambda_p=1.05, alpha_m=1e-3, lambda_m=0.2),
        models.NIG(alpha=150.0, beta=-149.0, delta=5e-3),
        VarianceGamma(sigma=0.02, nu=5e-3, theta=1.0),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("years", [DAY, 0.25, 5.0])
def test_the_ends_of_the_domain_are_priced_to_the_tolerance(model, years):
    model.check()
    contracts = at(years, [0.5, 0.9, 1.0, 1.1, 2.0])
    check_honest(model, contracts)
    assert np.all(pricing.price(model, contracts).error <= 1e-10)


@every_method
def test_prices_scale_with_the_currency(method):
    in_cents = Contracts.of(maturity_years=0.5, strike=100.0 * AROUND.strike, forward=100.0)
    one = pricing.price(Kou.example(), AROUND, method=method).value
    hundred = pricing.price(Kou.example(), in_cents, method=method).value
    np.testing.assert_allclose(hundred, 100.0 * one, rtol=1e-9, atol=1e-9)


def test_black_scholes_meets_its_formula():
    contracts = at(0.5, [0.5, 0.8, 1.0, 1.25, 2.0])
    exact = black_price(
        forward=contracts.forward,
        strike=contracts.strike,
        maturity_years=contracts.maturity_years,
        discount=contracts.discount,
        vol=0.35,
        is_call=contracts.is_call,
    )
    for method, worst in (("sinh", 1e-11), ("cos", 1e-11), ("carr_madan", 1e-4), ("lewis", 1e-14)):
        found = pricing.price(BlackScholes(sigma=0.35), contracts, method=method).value
        np.testing.assert_allclose(found, exact, atol=worst)


def test_a_tolerance_that_cannot_be_kept_is_rejected():
    for tolerance in (0.0, 1e-14, 0.5, math.nan):
        with pytest.raises(InvalidInputError, match="tolerance"):
            pricing.price(VarianceGamma.example(), AROUND, tolerance=tolerance)


@pytest.mark.parametrize(
    "model",
    [
        BlackScholes(sigma=1e-20),
        BlackScholes(sigma=1e-8),
        Meixner(a=1e-20, b=-1.2, d=1.2),
        NIG(alpha=1e20, beta=-5.0, delta=0.5),
        CGMYSato(C=1e-20, G=5.0, M=1e6, Y=0.7, gamma=0.5),
    ],
)
@pytest.mark.parametrize("years", [DAY, 5.0])
def test_cosines_of_a_law_narrower_than_the_strikes_state_their_error(
    model: Model, years: float
) -> None:
    # The frequencies of a narrow interval are so high that rounding dominates: the put at twice the
    # forward was 0.95 of it where it is one less, with a stated error of 1e-14.
    contracts = at(years, [0.5, 1.0, 2.0])
    true = pricing.price(model, contracts, method="lewis", tolerance=1e-13)
    with np.errstate(all="ignore"):
        found = cosine.price(model, contracts)
    assert np.all(np.abs(found.value - true.value) <= found.error + true.error)


def test_two_coarse_steps_of_the_referee_cannot_agree_on_a_wrong_value() -> None:
    # ω_T = 42: exp(iuω_T) turns faster than steps of 0.4 and 0.2 resolve, and the referee gave
    # E[min(S, K)] = 2e-9 with an error of 5e-11. Given the gamma clock g, S is lognormal.
    model, strike = VarianceGamma(sigma=0.2, nu=0.3, theta=-1e6), 2.0
    drift = float(model.drift_correction(np.asarray(1.0)))

    def density_times_covered_call(log_g: float) -> float:
        g = math.exp(log_g)
        spread = model.sigma * math.sqrt(g)
        log_forward = drift + model.theta * g + 0.5 * spread**2
        d1 = (log_forward - math.log(strike)) / spread + 0.5 * spread
        covered = math.exp(log_forward) * ndtr(-d1) + strike * ndtr(d1 - spread)
        return float(gamma.pdf(g, 1.0 / model.nu, scale=model.nu) * g * covered)

    covered, _ = quad(density_times_covered_call, -16.0, -6.0, epsabs=0.0, epsrel=1e-8)
    assert covered == pytest.approx(3.09e-14, rel=0.02)
    found = pricing.price(model, at(1.0, [strike]), method="lewis", tolerance=1e-10)
    assert found.value[0] == pytest.approx(1.0 - covered, abs=found.error[0])
    assert found.error[0] < 1e-10

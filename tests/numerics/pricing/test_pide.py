"""Finite differences: exact European prices, `conv`, order of convergence and bad input."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from levy_numerics import models, pricing
from levy_numerics.errors import LevyError
from levy_numerics.market import Contracts
from levy_numerics.pricing.early_exercise import Barrier, Terms, pide
from levy_numerics.pricing.early_exercise.conv_grid import Side
from levy_numerics.pricing.early_exercise.market_path import MarketPath
from levy_numerics.pricing.early_exercise.pide_operator import Generator
from levy_numerics.pricing.early_exercise.premium import early_exercise

AMERICAN = Terms(exercise="american")
STRIKES = (80.0, 95.0, 100.0, 105.0, 125.0)
MODELS = {
    "BlackScholes": models.BlackScholes(sigma=0.2),
    "Merton": models.Merton(sigma=0.15, lam=0.5, mu_j=-0.2, sigma_j=0.15),
    "Kou": models.Kou.example(),
    "VarianceGamma": models.VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15),
    "NIG": models.NIG.example(),
    "CGMY, Y = 0.5": models.CGMY(C=0.7, G=5.0, M=10.0, Y=0.5),
    "CGMY, Y = 1.2": models.CGMY(C=0.1, G=5.0, M=10.0, Y=1.2),
    "CGMY, Y = 1.8": models.CGMY(C=0.007, G=5.0, M=10.0, Y=1.8),
    "Meixner": models.Meixner.example(),
    "BilateralGamma": models.BilateralGamma.example(),
}


def both_types(years: Any) -> Contracts:
    """Return puts and calls of each strike, r = 5%, q = 2%."""
    strikes, years = np.repeat(STRIKES, 2), np.atleast_1d(years)
    maturity = np.repeat(years, strikes.size)
    return Contracts.of(
        maturity_years=maturity,
        strike=np.tile(strikes, years.size),
        forward=100.0 * np.exp(0.03 * maturity),
        discount=np.exp(-0.05 * maturity),
        is_call=np.tile([False, True], strikes.size * years.size // 2),
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("years", [0.02, 2.0])
def test_european_prices_are_exact_to_1e5_of_the_spot(years: float, name: str) -> None:
    contracts = both_types([years])
    actual = pricing.price(MODELS[name], contracts, method="pide", spot=100.0)
    exact = pricing.price(MODELS[name], contracts).value
    assert np.max(np.abs(actual.value - exact)) < 1e-5 * 100.0
    assert np.all(np.abs(actual.value - exact) < actual.error)


@pytest.mark.parametrize("name", MODELS)
def test_american_prices_are_those_of_conv(name: str) -> None:
    contracts = both_types([0.5])
    actual = pricing.price(MODELS[name], contracts, method="pide", terms=AMERICAN, spot=100.0)
    other = pricing.price(MODELS[name], contracts, method="conv", terms=AMERICAN, spot=100.0)
    assert np.max(np.abs(actual.value - other.value)) < 1e-5 * 100.0
    assert np.all(np.abs(actual.value - other.value) < actual.error + other.error)


@pytest.mark.parametrize("name", ["Kou", "VarianceGamma", "NIG", "CGMY, Y = 1.2", "CGMY, Y = 1.8"])
def test_errors_of_one_grid_are_of_second_order(name: str) -> None:
    """For finite activity, finite variation and infinite variation."""
    model, contracts = MODELS[name], both_types([0.5])
    path, exact = MarketPath.of(contracts, 100.0), pricing.price(model, contracts).value
    errors = []
    for factor in (4, 2, 1):
        accuracy = replace(pide.Accuracy.of(1e-5).coarser(factor), tail=1e-12)
        values = pide.on_grid(model, contracts, path, 100.0, Terms(), accuracy)
        errors.append(np.max(np.abs(values.european - exact)))
    orders = -np.diff(np.log2(errors))
    assert np.all((orders > 1.75) & (orders < 2.5))


@pytest.mark.parametrize("is_call", [False, True])
@pytest.mark.parametrize("name", ["Merton", "VarianceGamma", "CGMY, Y = 1.8"])
def test_the_generator_of_the_grid_is_that_of_the_model(name: str, is_call: bool) -> None:
    """Its exponent is ψ up to h²u⁴ times the variance, and exactly zero at −i (martingale)."""
    side, h = Side(MODELS[name], is_call), 0.004
    generator = Generator.of(side, h, 6.0)
    j = np.arange(generator.jumps.size) - generator.jumps.size // 2

    def exponent(u: Any) -> complex:
        diffusion = generator.diffusion * (2.0 * np.cos(u * h) - 2.0) / h**2
        jumps = np.sum(generator.jumps * np.expm1(1j * u * j * h))
        return complex(diffusion + jumps + 1j * u * generator.drift)

    assert abs(exponent(-1j)) < 1e-10
    for u in (1.0, 5.0, 10.0):
        exact = complex(side.exponent(np.array([u]))[0])
        assert abs(exponent(u) - exact) < 0.05 * h**2 * (u**4 + u**2)


def test_published_bermudan_puts_are_met() -> None:
    # Fang and Oosterlee (2009), Table 2; Lord, Fang, Bervoets and Oosterlee (2008), Table 4.
    terms = Terms(exercise="bermudan", exercise_dates=tuple(np.arange(1, 10) / 10))
    for model, strike, expected in [
        (models.CGMY(C=1.0, G=5.0, M=5.0, Y=1.5), 80.0, 28.829781989),
        (models.VarianceGamma(sigma=0.12, nu=0.2, theta=-0.14), 110.0, 9.040646119),
    ]:
        contracts = Contracts.grid(
            spot=100.0, rate=0.1, dividend_yield=0.0, strikes=strike, maturities=1.0, is_call=False
        )
        actual = pricing.price(model, contracts, method="pide", terms=terms, spot=100.0)
        assert abs(actual.value[0] - expected) < 1e-5 * 100.0
        assert abs(actual.value[0] - expected) < actual.error[0]


def test_a_put_with_negative_rates_is_exercised_between_two_boundaries() -> None:
    """Where r < 0 and q < r the exercise region of a put is an interval of spots."""
    contracts = Contracts.grid(
        spot=100.0,
        rate=-0.01,
        dividend_yield=-0.05,
        strikes=[100.0, 130.0, 160.0],
        maturities=2.0,
        is_call=False,
    )
    model = models.BlackScholes(sigma=0.1)
    actual = pricing.price(model, contracts, method="pide", terms=AMERICAN, spot=100.0)
    # Binomial tree of 4,000 steps (Cox, Ross and Rubinstein).
    n, dt = 4000, 2.0 / 4000
    up = np.exp(0.1 * np.sqrt(dt))
    p = (np.exp(0.04 * dt) - 1.0 / up) / (up - 1.0 / up)
    strikes = contracts.strike[:, None]
    value = np.maximum(strikes - 100.0 * up ** np.arange(-n, n + 1, 2.0), 0.0)
    for k in range(n - 1, -1, -1):
        held = np.exp(0.01 * dt) * (p * value[:, 1:] + (1.0 - p) * value[:, :-1])
        value = np.maximum(held, strikes - 100.0 * up ** np.arange(-k, k + 1, 2.0))
    assert np.max(np.abs(actual.value - value[:, 0])) < 2e-3


def test_greeks_and_boundary_are_those_of_conv() -> None:
    model, contracts = MODELS["CGMY, Y = 0.5"], both_types([0.25, 0.5])
    actual = early_exercise(model, contracts, AMERICAN, 100.0, method="pide")
    other = early_exercise(model, contracts, AMERICAN, 100.0, method="conv")
    assert np.max(np.abs(actual.premium - other.premium)) < 1e-3
    assert np.max(np.abs(actual.delta - other.delta)) < 1e-4
    assert np.max(np.abs(actual.gamma - other.gamma)) < 1e-3
    assert np.max(np.abs(actual.theta - other.theta)) < 2e-2
    assert abs(actual.boundary[-1] / other.boundary[-1] - 1.0) < 3e-3


def test_rates_may_differ_between_maturities() -> None:
    model, contracts = MODELS["NIG"], both_types([0.25, 0.5])
    discount = contracts.discount * np.where(contracts.maturity_years > 0.3, 0.99, 1.0)
    bent = Contracts.of(
        maturity_years=contracts.maturity_years,
        strike=contracts.strike,
        forward=contracts.forward,
        discount=discount,
        is_call=contracts.is_call,
    )
    actual = pricing.price(model, bent, method="pide", terms=AMERICAN, spot=100.0)
    other = pricing.price(model, bent, method="conv", terms=AMERICAN, spot=100.0)
    assert np.max(np.abs(actual.value - other.value)) < 2e-5 * 100.0


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (Terms(barrier=Barrier("up-and-out", 120.0, (0.4,))), "choose conv"),
        (Terms(exercise="bermudan", exercise_dates=(2.0,)), "after the last maturity"),
    ],
)
def test_terms_that_are_not_supported_are_refused(terms: Terms, message: str) -> None:
    with pytest.raises(LevyError, match=message):
        pricing.price(MODELS["NIG"], both_types([0.5]), method="pide", terms=terms, spot=100.0)

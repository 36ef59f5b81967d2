"""Analytic sensitivities against finite differences of prices, and against Black-Scholes."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from levy_numerics import implied_vol, pricing
from levy_numerics.black import black_price
from levy_numerics.errors import InvalidInputError, OutsideStripError
from levy_numerics.market import Contracts
from levy_numerics.models import BlackScholes, CGMYSato, Model, VarianceGamma
from levy_numerics.pricing.greeks import Greeks, greeks
from tests.numerics.models.members import every_model
from tests.numerics.pricing.domain import members

SPOT, RATE, YIELD = 100.0, 0.04, 0.015
STRIKES = np.array([75.0, 95.0, 105.0, 130.0])
MATURITIES = np.array([0.15, 1.0, 3.0])
IS_CALL = np.array([True, False, True, False])

one_or_many = pytest.mark.parametrize(
    "count", [2, pytest.param(25, marks=pytest.mark.slow)], ids=["few", "many"]
)


def contracts(
    *, spot: float = SPOT, rate: float = RATE, dividend_yield: float = YIELD, later: float = 0.0
) -> Contracts:
    return Contracts.grid(
        spot=spot,
        rate=rate,
        dividend_yield=dividend_yield,
        strikes=STRIKES,
        maturities=MATURITIES + later,
        is_call=np.tile(IS_CALL, (MATURITIES.size, 1)),
    )


def value(model: Model, **shifted: float) -> np.ndarray:
    return pricing.price(model, contracts(**shifted), tolerance=1e-13).value


def slope(of: Callable[[float], np.ndarray], step: float) -> np.ndarray:
    """Central difference of the sixth order."""
    one, two, three = (of(k * step) - of(-k * step) for k in (1, 2, 3))
    return (45.0 * one - 9.0 * two + three) / (60.0 * step)


def curvature(of: Callable[[float], np.ndarray], step: float) -> np.ndarray:
    """Central second difference of the sixth order."""
    one, two, three = (of(k * step) + of(-k * step) for k in (1, 2, 3))
    return (270.0 * one - 27.0 * two + 2.0 * three - 490.0 * of(0.0)) / (180.0 * step**2)


def smooth_members(cls: type[Model], count: int) -> list[Model]:
    """Parameter sets for which finite differences are accurate at the shortest maturity."""
    drawn = members(cls, 12 * count, "greeks", MATURITIES[-1])
    return [m for m in drawn if _falls_fast(m)][:count]


def _falls_fast(model: Model) -> bool:
    spread = float(np.sqrt(model.cumulants(MATURITIES[0])[1]))
    level = np.real(model.log_cf(np.array([30.0 / spread + 0j]), MATURITIES[:1]))
    return bool(level[0] < -12.0 and spread > 0.02)


def check(found: np.ndarray, difference: np.ndarray, relative: float) -> None:
    scale = np.max(np.abs(difference)) + 1e-6
    np.testing.assert_allclose(found, difference, rtol=0.0, atol=relative * scale)


@one_or_many
@every_model
def test_sensitivities_to_the_market_are_those_of_the_prices(cls, count):
    for model in [cls.example(), *smooth_members(cls, count)]:
        _check_market(model)


def _check_market(model: Model) -> None:
    found = greeks(model, contracts(), spot=SPOT)
    spread = SPOT * float(np.sqrt(model.cumulants(MATURITIES[0])[1]))

    def by(name: str, start: float) -> Callable[[float], np.ndarray]:
        return lambda h: value(model, **{name: start + h})

    check(found.delta, slope(by("spot", SPOT), 0.01 * spread), 1e-7)
    check(found.gamma, curvature(by("spot", SPOT), 0.03 * spread), 1e-5)
    check(found.rho, slope(by("rate", RATE), 1e-3), 1e-7)
    check(found.dividend_rho, slope(by("dividend_yield", YIELD), 1e-3), 1e-7)
    check(found.theta, -slope(by("later", 0.0), 1e-3), 1e-7)


@one_or_many
@every_model
def test_sensitivities_to_parameters_are_those_of_the_prices(cls, count):
    for model in [cls.example(), *smooth_members(cls, count)]:
        found = greeks(model, contracts(), spot=SPOT).parameters
        assert list(found) == [p.name for p in cls.parameters()]
        gradient = pricing.price_gradient(model, contracts()).gradient
        np.testing.assert_allclose(list(found.values()), gradient, rtol=1e-8, atol=1e-6)
        for name, analytic in found.items():
            check(analytic, _by_parameter(model, name), 1e-6)


def _by_parameter(model: Model, name: str) -> np.ndarray:
    at = float(getattr(model, name))
    step = 1e-3 * max(abs(at), 1e-2)
    return slope(lambda h: value(dataclasses.replace(model, **{name: at + h})), step)


def black_scholes(vol: float) -> dict[str, np.ndarray]:
    """Return the textbook formulas."""
    c = contracts()
    sign = np.where(c.is_call, 1.0, -1.0)
    deviation = vol * np.sqrt(c.maturity_years)
    d1 = c.log_moneyness / deviation + 0.5 * deviation
    d2 = d1 - deviation
    carried = np.exp(-YIELD * c.maturity_years)
    asset, cash = SPOT * carried * norm.cdf(sign * d1), c.strike * c.discount * norm.cdf(sign * d2)
    vega = SPOT * carried * norm.pdf(d1) * np.sqrt(c.maturity_years)
    decay = -0.5 * vega * vol / c.maturity_years
    return {
        "delta": sign * carried * norm.cdf(sign * d1),
        "gamma": vega / (SPOT**2 * deviation * np.sqrt(c.maturity_years)),
        "theta": decay + sign * (YIELD * asset - RATE * cash),
        "rho": sign * c.maturity_years * cash,
        "dividend_rho": -sign * c.maturity_years * asset,
        "vega": vega,
    }


@pytest.mark.parametrize("vol", [0.05, 0.2, 0.9])
def test_greeks_of_black_scholes_agree_with_closed_forms(vol):
    found = greeks(BlackScholes(sigma=vol), contracts(), spot=SPOT)
    textbook = black_scholes(vol)
    vega = textbook.pop("vega")
    np.testing.assert_allclose(found.parameters["sigma"], vega, atol=1e-7)
    check(np.nan_to_num(found.vega), vega, 1e-8)
    for name, exact in textbook.items():
        check(getattr(found, name), exact, 1e-10)


def test_vega_is_the_change_of_the_price_by_the_volatility_that_it_implies():
    model, c = VarianceGamma.example(), contracts()
    found = greeks(model, c, spot=SPOT)
    vols = implied_vol(pricing.price(model, c).value, c)

    def by_vol(h: float) -> np.ndarray:
        return black_price(
            forward=c.forward,
            strike=c.strike,
            maturity_years=c.maturity_years,
            discount=c.discount,
            vol=vols + h,
            is_call=c.is_call,
        )

    check(found.vega, slope(by_vol, 1e-4), 1e-7)
    calls = dataclasses.replace(c, is_call=np.full(c.size, True))
    np.testing.assert_allclose(found.vega, greeks(model, calls, spot=SPOT).vega, rtol=1e-8)


def test_vega_is_not_a_number_where_the_price_implies_no_volatility():
    far = Contracts.of(maturity_years=1 / 365, strike=[50.0, 100.0], forward=100.0)
    assert np.isnan(greeks(BlackScholes(sigma=0.1), far, spot=100.0).vega).tolist() == [True, False]


@every_model
def test_the_price_of_time_carry_and_curvature_is_consistent(cls):
    """A call and a put of the same strike differ by a forward contract."""
    c = contracts()
    both = [
        greeks(cls.example(), dataclasses.replace(c, is_call=np.full(c.size, side)), spot=SPOT)
        for side in (True, False)
    ]
    carried = np.exp(-YIELD * c.maturity_years)
    t = c.maturity_years
    forward = {
        "delta": carried,
        "gamma": np.zeros(c.size),
        "rho": t * c.strike * c.discount,
        "dividend_rho": -t * SPOT * carried,
        "theta": YIELD * SPOT * carried - RATE * c.strike * c.discount,
    }
    for name, exact in forward.items():
        difference = getattr(both[0], name) - getattr(both[1], name)
        np.testing.assert_allclose(difference, exact, rtol=1e-11, atol=1e-10)


def test_gamma_is_the_density_where_it_is_sharp():
    """Half a day of Variance Gamma, where the density is steep."""
    model = VarianceGamma(sigma=0.2, nu=0.001, theta=-0.1)
    one = Contracts.of(maturity_years=0.5 / 365, strike=[0.995, 1.0, 1.005], forward=1.0)

    def of(h: float) -> np.ndarray:
        return pricing.price(model, dataclasses.replace(one, forward=one.forward + h)).value

    found = greeks(model, one, spot=1.0).gamma
    np.testing.assert_allclose(found, curvature(of, 5e-5), rtol=1e-3)


def shapes(found: Greeks) -> set[tuple[int, ...]]:
    fields: dict[str, Any] = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
    parameters = fields.pop("parameters")
    del fields["contracts"]
    return {np.shape(v) for v in (*fields.values(), *parameters.values())}


def test_there_is_one_number_for_each_contract_and_sensitivity():
    assert shapes(greeks(VarianceGamma.example(), contracts(), spot=SPOT)) == {(12,)}


def test_each_contract_may_have_its_own_spot():
    c = contracts()
    apart = greeks(VarianceGamma.example(), c, spot=np.full(c.size, SPOT))
    np.testing.assert_array_equal(apart.delta, greeks(VarianceGamma.example(), c, spot=SPOT).delta)


def test_a_spot_that_is_not_positive_and_finite_or_has_another_shape_is_rejected():
    for spot in (0.0, -1.0, np.nan, np.inf, [100.0, 100.0]):
        with pytest.raises(InvalidInputError, match="spot"):
            greeks(VarianceGamma.example(), contracts(), spot=spot)


def test_a_batch_is_rejected():
    batch = VarianceGamma(sigma=np.array([0.1, 0.2]), nu=0.3, theta=-0.1)
    with pytest.raises(InvalidInputError, match="one parameter set"):
        greeks(batch, contracts(), spot=SPOT)


def test_a_maturity_without_a_forward_is_rejected():
    with pytest.raises(OutsideStripError, match=r"infinite .* at T = 3"):
        greeks(CGMYSato(C=0.5, G=5.0, M=2.0, Y=0.5, gamma=1.0), contracts(), spot=SPOT)

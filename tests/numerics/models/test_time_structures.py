"""Sato, additive and clocked models against mpmath, a differential equation, and their limits."""

import math
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from levy_numerics import models
from levy_numerics.market import Contracts
from levy_numerics.models import Model
from levy_numerics.models.time_change.additive import Additive
from levy_numerics.models.time_change.cir_clock import CIRClock, clock_log_mgf
from levy_numerics.models.time_change.sato import Sato
from levy_numerics.pricing import price
from levy_numerics.pricing.sinh import SinhPricer
from tests.numerics.models.members import typical_members

SATO = [models.get(n) for n in models.names() if issubclass(models.get(n), Sato)]
ADDITIVE = [models.get(n) for n in models.names() if issubclass(models.get(n), Additive)]
CLOCKED = [models.get(n) for n in models.names() if issubclass(models.get(n), CIRClock)]
DAY = 1.0 / 365.0
MATURITIES = (DAY, 0.1, 1.0, 5.0)
EVERY_OPTION = list(product(MATURITIES, (0.5, 1.0, 2.0)))
"""Maturity and moneyness."""

by_name = {"ids": lambda cls: cls.name}


def textbook_exponent(name: str, p: dict[str, Any], u: Any) -> Any:
    """Return ψ(u) by the published formula, in mpmath."""
    i = mpmath.mpc(0, 1)
    if name == "VarianceGamma":
        inner = 1 - i * u * p["theta"] * p["nu"] + p["sigma"] ** 2 * p["nu"] * u**2 / 2
        return -mpmath.log(inner) / p["nu"]
    if name == "CGMY":
        c, g, m, y = (mpmath.mpf(p[k]) for k in "CGMY")
        power = (m - i * u) ** y - m**y + (g + i * u) ** y - g**y
        return c * mpmath.gamma(-y) * power
    if name == "NIG":
        a, b, d = (mpmath.mpf(p[k]) for k in ("alpha", "beta", "delta"))
        low, high = mpmath.sqrt(a - b - i * u), mpmath.sqrt(a + b + i * u)
        return d * (mpmath.sqrt(a**2 - b**2) - low * high)
    a, b, d = (mpmath.mpf(p[k]) for k in ("a", "b", "d"))
    z = (a * u - i * b) / 2
    # In this form log cosh z is continuous on the right half-plane.
    log_cosh = z + mpmath.log((1 + mpmath.exp(-2 * z)) / 2)
    return 2 * d * (mpmath.log(mpmath.cos(b / 2)) - log_cosh)


def textbook_log_cf(model: Any, u: Any, years: Any) -> Any:
    """log φ_T(u); the clock by Carr, Geman, Madan and Yor (2003), with exp(gT) taken out."""
    p = model.as_mapping()
    name = model.base_type.name
    if isinstance(model, Sato):
        return textbook_exponent(name, p, u * years ** mpmath.mpf(p["gamma"]))
    if isinstance(model, Additive):
        second = {key: p.get(f"{key}_2", p[key]) for key in model.base.as_mapping()}
        first = textbook_exponent(name, p, u * years ** mpmath.mpf(p["gamma"]))
        return first + years ** mpmath.mpf(p["rho"]) * textbook_exponent(name, second, u)
    s = textbook_exponent(name, p, u)
    kappa, eta, lam, y0 = (mpmath.mpf(v) for v in model.clock)
    g = mpmath.sqrt(kappa**2 - 2 * lam**2 * s)
    decay = mpmath.exp(-g * years)
    cosh = (1 + decay) / 2
    sinh = (1 - decay) / 2
    log_power = g * years / 2 + mpmath.log(cosh + kappa / g * sinh)
    b = 2 * s / (kappa + g * cosh / sinh)
    return kappa**2 * eta * years / lam**2 - 2 * kappa * eta / lam**2 * log_power + b * y0


def referee(model: Any, x: float, years: float) -> float:
    """E[min(S, K)]/K at 25 digits, along a ray into the quadrant where exp(iξx′) decays."""
    with mpmath.workdps(25):
        i, t = mpmath.mpc(0, 1), mpmath.mpf(years)
        drift = -mpmath.re(textbook_log_cf(model, -i, t))
        shifted = mpmath.mpf(x) + drift
        ray = mpmath.expjpi(mpmath.mpf(1 if shifted >= 0 else -1) / 8)

        def integrand(y: Any) -> Any:
            r = mpmath.exp(y)
            xi = -i / 2 + ray * r
            value = mpmath.exp(i * xi * shifted + textbook_log_cf(model, xi, t))
            return mpmath.re(ray * r * value / (xi * (xi + i)))

        ends = [-60, -20, -6, -2, 0, 2, 4, 6, 9, 14, 30, 70]
        return float(mpmath.quad(integrand, ends, maxdegree=7) / mpmath.pi)


@pytest.mark.parametrize("cls", [*SATO, *ADDITIVE, *CLOCKED], **by_name)
@pytest.mark.parametrize(
    ("count", "options"),
    [
        (1, list(zip(MATURITIES, (1.0, 0.5, 2.0, 1.0), strict=True))),
        pytest.param(1, EVERY_OPTION, marks=pytest.mark.long),
        pytest.param(8, EVERY_OPTION, marks=pytest.mark.slow),
    ],
    ids=["one", "one, every option", "some"],
)
def test_prices_are_those_of_the_papers_formulas_at_25_digits(
    cls: type[Model], count: int, options: list[tuple[float, float]]
) -> None:
    for model in typical_members(cls, count, "mpmath")[-count:]:
        for years, moneyness in options:
            if not np.all(model.forward_exists(np.array([years]))):
                continue
            option = Contracts.of(
                maturity_years=years, strike=100.0 * moneyness, forward=100.0, is_call=False
            )
            true = 100.0 * moneyness * (1.0 - referee(model, -math.log(moneyness), years))
            actual = price(model, option)
            assert abs(actual.value[0] - true) <= 1e-10 * 100.0, (model, years, moneyness)
            assert abs(actual.value[0] - true) <= actual.error[0] + 1e-13


@pytest.mark.parametrize("cls", SATO, **by_name)
def test_a_self_similar_law_at_one_year_is_its_base(cls: type[Sato]) -> None:
    for model in typical_members(cls, 5, "one year"):
        u = np.array([0.3 - 0.4j, 5.0 + 1.0j, 40.0 - 3.0j])
        assert model.log_cf(u, 1.0) == pytest.approx(model.base.log_cf(u, 1.0), rel=1e-14)  # type: ignore[attr-defined]


@pytest.mark.parametrize("cls", SATO, **by_name)
def test_skewness_and_kurtosis_of_a_self_similar_law_do_not_fade(cls: type[Sato]) -> None:
    _, k2, k3, k4 = cls.example().cumulants(np.array([0.1, 1.0, 5.0]))
    assert k3 / k2**1.5 == pytest.approx((k3 / k2**1.5)[0])
    assert k4 / k2**2 == pytest.approx((k4 / k2**2)[0])


def members_of_the_box(cls: type[Additive], count: int) -> Additive:
    """Return random members within the search box, with a volatility of 5% to 80%, as a batch."""
    low, high = (np.array(end)[:, None] for end in cls.coordinate_bounds())
    rng = np.random.default_rng(3)
    z = low + (high - low) * rng.random((low.size, count))
    z[0] = 2.0 * np.log(rng.uniform(0.05, 0.8, count))
    return cls.from_coordinates(z)


@pytest.mark.parametrize("cls", ADDITIVE, **by_name)
def test_the_levy_density_of_an_additive_process_does_not_decrease_with_maturity(
    cls: type[Additive],
) -> None:
    """Then increments have a Lévy measure of their own, and the process exists."""
    model = members_of_the_box(cls, 1000).expanded(2)
    years = np.geomspace(1e-3, 10.0, 25)[:, None]
    size = np.geomspace(1e-4, 3.0, 30)
    for x in (size, -size):
        scale = years**model.gamma
        first = model.base.density(x / scale) / scale
        second = years**model.rho * model.second.density(x)
        density = first + second
        # Rounding, where the density does not depend on maturity.
        assert np.all(np.diff(density, axis=1) >= -1e-13 * density[:, 1:])


@pytest.mark.parametrize("cls", ADDITIVE, **by_name)
@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.long)])
def test_prices_of_an_additive_process_have_no_calendar_arbitrage(
    cls: type[Additive], count: int
) -> None:
    """Prices per forward at constant K/F do not fall with maturity."""
    batch = members_of_the_box(cls, count)
    moneyness, years = np.array([0.6, 0.9, 1.0, 1.1, 1.6]), np.geomspace(0.02, 5.0, 8)
    options = Contracts.of(
        maturity_years=np.repeat(years, moneyness.size),
        strike=np.tile(moneyness, years.size),
        forward=1.0,
    )
    prices = SinhPricer(options).price(batch)
    shape = (-1, years.size, moneyness.size)
    value, error = prices.value.reshape(shape), prices.error.reshape(shape)
    with_forward = np.isfinite(value[:, 1:])
    assert with_forward.mean() > 0.5
    rise = np.diff(value, axis=1)
    allowed = error[:, 1:] + error[:, :-1]
    assert np.all((rise >= -allowed)[with_forward])
    assert np.median(rise[with_forward]) > 1e-6


@pytest.mark.parametrize("cls", CLOCKED, **by_name)
@pytest.mark.parametrize("lam", [1e-4, 1e-8])
def test_a_deterministic_time_change_is_the_base_at_the_mean_rate(
    cls: type[CIRClock], lam: float
) -> None:
    model = cls.from_mapping(cls.example().as_mapping() | {"lam_clock": lam})
    u = np.array([0.3 - 0.4j, 5.0 + 0.2j, 20.0 - 1.0j])
    for years in MATURITIES:
        gone = (1.0 - math.exp(-model.kappa * years)) / model.kappa
        mean = model.eta * years + (model.y0 - model.eta) * gone
        expected = mean * model.base.exponent(u)
        assert model.log_cf(u, years) == pytest.approx(expected, rel=10.0 * lam)


@pytest.mark.parametrize("cls", CLOCKED, **by_name)
def test_the_clock_solves_its_differential_equation_on_the_right_branch(
    cls: type[CIRClock],
) -> None:
    """Solve the affine equations b′ = s − κb + λ²b²/2, a′ = κηb numerically."""
    model = cls.example()
    kappa, eta, lam, y0 = model.clock
    for u in (3.0 - 0.4j, 60.0 + 4.0j, 400.0 - 90.0j):
        s = complex(model.base.exponent(np.array(u)))

        def slope(_: float, state: np.ndarray, s: complex = s) -> list[complex]:
            b = state[1]
            return [kappa * eta * b, s - kappa * b + 0.5 * lam**2 * b**2]

        solved = solve_ivp(
            slope, (0.0, 5.0), [0j, 0j], t_eval=MATURITIES, method="DOP853",
            rtol=1e-10, atol=1e-12,
        )  # fmt: skip
        expected = solved.y[0] + y0 * solved.y[1]
        actual = clock_log_mgf(s, np.array(MATURITIES), kappa, eta, lam, y0)
        assert actual == pytest.approx(expected, rel=2e-8)


@pytest.mark.parametrize("cls", [*SATO, *ADDITIVE, *CLOCKED], **by_name)
def test_the_forward_is_a_martingale_at_every_maturity(cls: type[Model]) -> None:
    model = cls.example()
    for years in MATURITIES:
        drift = model.drift_correction(years)
        total = np.exp(model.log_cf(np.array(-1j), years) + drift)
        assert complex(total) == pytest.approx(1.0, abs=1e-14)

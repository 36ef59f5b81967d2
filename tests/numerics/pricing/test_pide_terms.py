"""Finite differences with continuously monitored barriers and cash dividends."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from levy_numerics import models, pricing
from levy_numerics.black import black_price
from levy_numerics.errors import LevyError
from levy_numerics.market import Contracts
from levy_numerics.pricing.early_exercise import Barrier, Dividend, Terms
from levy_numerics.pricing.early_exercise.premium import early_exercise

RATE, YIELD, VOL = 0.05, 0.02, 0.25
BLACK_SCHOLES = models.BlackScholes(sigma=VOL)
AMERICAN = Terms(exercise="american")


def options(strikes: Any, years: float, is_call: bool, dividend_yield: float = YIELD) -> Contracts:
    return Contracts.grid(
        spot=100.0,
        rate=RATE,
        dividend_yield=dividend_yield,
        strikes=strikes,
        maturities=years,
        is_call=is_call,
    )


def killed(level: float, strike: float, years: float, is_call: bool) -> float:
    """Return an out option under Black and Scholes: the density by the reflection principle."""
    mu, root, b = RATE - YIELD - 0.5 * VOL**2, VOL * np.sqrt(years), np.log(level / 100.0)

    def integrand(x: float) -> float:
        image = np.exp(2.0 * mu * b / VOL**2) * norm.pdf(x, 2.0 * b + mu * years, root)
        sign = 1.0 if is_call else -1.0
        payoff = max(sign * (100.0 * np.exp(x) - strike), 0.0)
        return float(payoff * (norm.pdf(x, mu * years, root) - image))

    low, high = (b, 3.0) if level < 100.0 else (-3.0, b)
    kink = np.log(strike / 100.0)
    parts = [low, *([kink] if low < kink < high else []), high]
    total = sum(quad(integrand, a, z, epsabs=1e-11, limit=200)[0] for a, z in pairwise(parts))
    return float(np.exp(-RATE * years) * total)


@pytest.mark.parametrize("is_call", [False, True])
@pytest.mark.parametrize(
    ("kind", "level"), [("down-and-out", 88.0), ("up-and-out", 117.0), ("up-and-out", 100.5)]
)
def test_barriers_of_black_scholes_are_exact(kind: Any, level: float, is_call: bool) -> None:
    strikes, years = [95.0, 107.0], 0.5
    contracts = options(strikes, years, is_call)
    terms = Terms(barrier=Barrier(kind, level))
    actual = pricing.price(BLACK_SCHOLES, contracts, terms=terms, spot=100.0)
    exact = [killed(level, strike, years, is_call) for strike in strikes]
    assert np.max(np.abs(actual.value - exact)) < 1e-5 * 100.0
    assert np.all(np.abs(actual.value - exact) <= actual.error)


def test_in_and_out_barriers_are_the_european_option() -> None:
    contracts = options([95.0, 107.0], 0.5, is_call=True)
    total = sum(
        pricing.price(
            BLACK_SCHOLES, contracts, terms=Terms(barrier=Barrier(kind, 117.0)), spot=100.0
        ).value
        for kind in ("up-and-in", "up-and-out")
    )
    european = pricing.price(BLACK_SCHOLES, contracts).value
    assert np.max(np.abs(total - european)) < 1e-9


@pytest.mark.parametrize(
    ("model", "tolerance"),
    [
        (models.Kou.example(), 2e-4),
        (models.Merton(sigma=0.15, lam=0.5, mu_j=-0.2, sigma_j=0.15), 2e-4),
        (models.CGMY(C=0.007, G=5.0, M=10.0, Y=1.8), 1e-3),
    ],
)
def test_barriers_are_the_limit_of_frequent_monitoring(model: Any, tolerance: float) -> None:
    """Discrete monitoring errs by the square root of the interval (Broadie et al. 1997)."""
    contracts = options([95.0, 105.0], 0.25, is_call=False)
    actual = pricing.price(
        model, contracts, terms=Terms(barrier=Barrier("down-and-out", 85.0)), spot=100.0
    )
    prices = [
        pricing.price(
            model,
            contracts,
            terms=Terms(
                barrier=Barrier("down-and-out", 85.0, tuple(0.25 * np.arange(1, m + 1) / m))
            ),
            spot=100.0,
            tolerance=1e-5,
        ).value
        for m in (64, 256)
    ]
    assert np.max(np.abs(2.0 * prices[1] - prices[0] - actual.value)) < tolerance * 100.0


def test_american_options_with_a_barrier_lie_between_bounds() -> None:
    contracts = options([105.0], 0.5, is_call=False)
    barrier = Barrier("up-and-out", 112.0)
    model = models.Kou.example()
    european, american, free = (
        pricing.price(model, contracts, method="pide", terms=terms, spot=100.0).value[0]
        for terms in (
            Terms(barrier=barrier),
            Terms(exercise="american", barrier=barrier),
            AMERICAN,
        )
    )
    assert european + 0.01 < american < free


def test_barriers_of_models_without_diffusion_are_refused_with_the_remedy() -> None:
    terms = Terms(barrier=Barrier("up-and-out", 120.0))
    with pytest.raises(LevyError, match="choose conv"):
        pricing.price(
            models.VarianceGamma.example(),
            options(100.0, 0.5, is_call=True),
            terms=terms,
            spot=100.0,
        )
    dated = Terms(barrier=Barrier("up-and-out", 120.0, (0.5,)))
    with pytest.raises(LevyError, match="choose conv"):
        pricing.price(
            BLACK_SCHOLES, options(100.0, 0.5, is_call=True), method="pide", terms=dated, spot=100.0
        )
    inside = Terms(barrier=Barrier("up-and-in", 120.0), dividends=(Dividend(0.2, 1.0),))
    with pytest.raises(LevyError, match="whose difference"):
        pricing.price(BLACK_SCHOLES, options(100.0, 0.5, is_call=True), terms=inside, spot=100.0)


def after_one_dividend(
    strike: float, years: float, paid: float, amount: float, is_call: bool, early: bool
) -> float:
    """Return an option on a stock with one dividend, by quadrature over the price before it.

    Early exercise of a call without yield is optimal just before the dividend only.
    """
    points, weights = np.polynomial.legendre.leggauss(8)
    edges = np.linspace(-8.0, 8.0, 2001)
    z = (edges[:-1, None] + 0.5 * np.diff(edges)[:, None] * (points + 1.0)).ravel()
    density = norm.pdf(z) * np.tile(0.5 * (edges[1] - edges[0]) * weights, edges.size - 1)
    stock = 100.0 * np.exp((RATE - 0.5 * VOL**2) * paid + VOL * np.sqrt(paid) * z)
    discount = np.exp(-RATE * (years - paid))
    held = black_price(
        forward=np.maximum(stock - amount, 1e-9) / discount,
        strike=strike,
        maturity_years=years - paid,
        discount=discount,
        vol=VOL,
        is_call=is_call,
    )
    held = np.maximum(held, stock - strike) if early else held
    return float(np.exp(-RATE * paid) * np.sum(held * density))


@pytest.mark.parametrize(("is_call", "early"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize(("paid", "amount"), [(0.5, 4.0), (0.9, 10.0)])
def test_one_cash_dividend_is_that_of_quadrature(
    paid: float, amount: float, is_call: bool, early: bool
) -> None:
    strikes, contracts = [90.0, 110.0], options([90.0, 110.0], 1.0, is_call, dividend_yield=0.0)
    terms = Terms(exercise="american" if early else "european", dividends=(Dividend(paid, amount),))
    actual = pricing.price(BLACK_SCHOLES, contracts, terms=terms, spot=100.0)
    exact = [after_one_dividend(k, 1.0, paid, amount, is_call, early) for k in strikes]
    assert np.max(np.abs(actual.value - exact)) < 1e-5 * 100.0
    assert np.all(np.abs(actual.value - exact) <= actual.error)


def trinomial_put(strike: float, dividends: dict[int, float], n: int) -> float:
    """Return an American put of one year by a trinomial tree; the spot falls after given steps."""
    dt = 1.0 / n
    dx, drift = VOL * np.sqrt(3.0 * dt), RATE - 0.5 * VOL**2
    spread = (VOL**2 * dt + drift**2 * dt**2) / dx**2
    up, down = 0.5 * (spread + drift * dt / dx), 0.5 * (spread - drift * dt / dx)
    stock = 100.0 * np.exp(dx * np.arange(-n - 1, n + 2))
    value = np.maximum(strike - stock, 0.0)
    for step in range(n - 1, -1, -1):
        held = up * value[2:] + (1.0 - up - down) * value[1:-1] + down * value[:-2]
        value[1:-1] = np.exp(-RATE * dt) * held
        value = np.maximum(value, strike - stock)
        if step in dividends:
            value = np.interp(np.maximum(stock - dividends[step], 0.0), stock, value)
            value = np.maximum(value, strike - stock)
    return float(value[n + 1])


def test_an_american_put_with_two_cash_dividends_is_that_of_a_tree() -> None:
    terms = Terms(exercise="american", dividends=(Dividend(0.25, 2.0), Dividend(0.75, 3.0)))
    contracts = options([95.0, 110.0], 1.0, is_call=False, dividend_yield=0.0)
    actual = pricing.price(BLACK_SCHOLES, contracts, terms=terms, spot=100.0)
    tree = [trinomial_put(k, {500: 2.0, 1500: 3.0}, 2000) for k in (95.0, 110.0)]
    assert np.max(np.abs(actual.value - tree)) < 5e-3
    details = early_exercise(BLACK_SCHOLES, contracts, terms, 100.0, method="pide")
    european = pricing.price(
        BLACK_SCHOLES, contracts, terms=Terms(dividends=terms.dividends), spot=100.0
    )
    assert np.max(np.abs(details.premium - (actual.value - european.value))) < 1e-3


def test_cash_dividends_of_a_jump_model_agree_with_simulation() -> None:
    model, rng, size = models.VarianceGamma.example(), np.random.default_rng(2), 400_000
    strikes, terms = [90.0, 105.0], Terms(dividends=(Dividend(0.2, 3.0), Dividend(0.4, 3.0)))
    stock = np.full(size, 100.0)
    for years, amount in ((0.2, 3.0), (0.2, 3.0), (0.1, 0.0)):
        drift = float(model.drift_correction(years)) + (RATE - YIELD) * years
        stock = stock * np.exp(model.sample(rng, years, size) + drift) - amount
    assert stock.min() > 0.0
    for is_call in (False, True):
        contracts = options(strikes, 0.5, is_call)
        actual = pricing.price(model, contracts, terms=terms, spot=100.0).value
        sign = 1.0 if is_call else -1.0
        for strike, value in zip(strikes, actual, strict=True):
            payoff = np.exp(-RATE * 0.5) * np.maximum(sign * (stock - strike), 0.0)
            assert abs(payoff.mean() - value) < 4.5 * payoff.std() / np.sqrt(size)


def test_dividends_that_cannot_be_paid_are_refused() -> None:
    contracts = options(100.0, 1.0, is_call=True)
    for dividends, message in [
        ((Dividend(0.2, 60.0), Dividend(0.4, 50.0)), "not below the spot"),
        ((Dividend(0.2, 100.0),), "not below the spot"),
    ]:
        with pytest.raises(LevyError, match=message):
            pricing.price(BLACK_SCHOLES, contracts, terms=Terms(dividends=dividends), spot=100.0)
    with pytest.raises(LevyError, match="in order of time"):
        Terms(dividends=(Dividend(0.2, 1.0), Dividend(0.2, 1.0)))

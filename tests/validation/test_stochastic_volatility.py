"""The surfaces of benchmarks: prices against published values, quotes with ticks and spreads."""

import numpy as np
import pytest

from levy_numerics import models, pricing
from levy_numerics.market import Contracts
from levy_validation.stochastic_volatility import KINDS, TICK, Bates, price, surfaces


@pytest.mark.parametrize(("years", "expected"), [(1.0, 5.785155450), (10.0, 22.318945791)])
def test_prices_of_heston_are_those_published(years: float, expected: float) -> None:
    # Fang and Oosterlee (2008), SIAM J. Sci. Comput. 31(2), tables 5 and 6.
    model = Bates(v0=0.0175, theta=0.0398, kappa=1.5768, xi=0.5751, rho=-0.5711)
    at_the_money = Contracts.of(maturity_years=years, strike=100.0, forward=100.0)
    assert price(model, at_the_money)[0] == pytest.approx(expected, abs=1e-6)


def test_jumps_without_volatility_of_variance_are_those_of_merton() -> None:
    contracts = Contracts.of(maturity_years=0.5, strike=[80.0, 100.0, 120.0], forward=100.0)
    bates = Bates(0.04, 0.04, 1.0, 1e-4, 0.0, intensity=0.5, jump_mean=-0.1, jump_std=0.1)
    merton = models.Merton(sigma=0.2, lam=0.5, mu_j=-0.1, sigma_j=0.1)
    np.testing.assert_allclose(
        price(bates, contracts), pricing.price(merton, contracts).value, atol=1e-6
    )


@pytest.mark.parametrize("kind", KINDS)
def test_bids_and_asks_are_ticks_around_the_prices(kind: str) -> None:
    for quotes in surfaces(kind, 2, seed=3):
        assert quotes.bid is not None
        assert quotes.ask is not None
        assert (quotes.bid > 0.0).all()
        assert (quotes.bid < quotes.ask).all()
        ticks = quotes.bid / TICK
        np.testing.assert_allclose(ticks, np.round(ticks), atol=1e-6)

"""The coverage benchmark: its markets have known prices, and its page states what was counted."""

import numpy as np
import pytest

from levy_numerics import pricing
from levy_numerics.market import Contracts
from levy_numerics.models import Merton
from tests.benchmarks.coverage import page
from tests.benchmarks.heston import Bates


def test_heston_prices_are_the_published_ones() -> None:
    """Fang and Oosterlee (2008), SIAM Journal on Scientific Computing 31(2), tables 4 and 5."""
    model = Bates(v0=0.0175, theta=0.0398, kappa=1.5768, xi=0.5751, rho=-0.5711)
    contracts = Contracts.of(maturity_years=[1.0, 10.0], strike=100.0, forward=100.0)
    assert model.price(contracts) == pytest.approx([5.785155450, 22.318945791], abs=1e-7)


def test_bates_with_constant_variance_is_the_model_of_merton() -> None:
    jumps = {"mean_jump": -0.1, "jump_deviation": 0.15}
    model = Bates(v0=0.04, theta=0.04, kappa=1.0, xi=1e-4, rho=0.0, intensity=0.8, **jumps)
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.02,
        dividend_yield=0.0,
        strikes=[80.0, 100.0, 120.0],
        maturities=[0.25, 1.0],
        is_call=np.array([[False, True, True]]),
    )
    merton = Merton(sigma=0.2, lam=0.8, mu_j=-0.1, sigma_j=0.15)
    exact = pricing.price(merton, contracts).value
    assert model.price(contracts) == pytest.approx(exact, abs=1e-6)


def test_the_page_shows_shares_and_the_number_of_surfaces() -> None:
    cell = {
        "surfaces": [50, 0],
        "robust/parameters": [141, 150],
        "laplace_iid/parameters": [90, 150],
        "robust/variance": [48, 50],
    }
    lines = list(page({"tick/NIG/vega": cell, "tick/NIG/price": cell}))
    (row,) = (line for line in lines if line.startswith("| tick"))
    assert [part.strip() for part in row.strip("|").split("|")] == [
        *("tick", "NIG", "94%", "94%", "94%", "60%", "96%", "50"),
    ]

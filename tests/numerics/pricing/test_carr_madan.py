"""Carr and Madan's 0.1% of the out-of-the-money value, or a larger error and a note."""

import re

import numpy as np
import pytest

from levy_numerics import pricing
from levy_numerics.market import Contracts
from levy_numerics.models import CGMY, Kou, Merton, Model, VarianceGamma
from levy_numerics.pricing.reference import carr_madan
from tests.numerics.models.members import every_model, generator
from tests.numerics.pricing.closed_forms import merton
from tests.numerics.pricing.domain import members


def at(years: float, strike: list[float]) -> Contracts:
    return Contracts.of(maturity_years=years, strike=strike, forward=1.0)


@every_model
def test_random_options_reach_the_accuracy_or_report_that_they_do_not(cls: type[Model]) -> None:
    # T from a day to five years, K/F from a half to two: what is worth a millionth of the forward
    # is right to 0.1% unless its stated error says otherwise, which bounds the true one always.
    rng = generator(cls, "carr_madan")
    for model in members(cls, 12, "carr_madan", longest_years=5.0):
        years = float(np.exp(rng.uniform(np.log(1 / 365), np.log(5.0))))
        contracts = at(years, np.exp(rng.uniform(-np.log(2.0), np.log(2.0), 4)).tolist())
        true = pricing.price(model, contracts, method="lewis", tolerance=1e-12)
        actual = carr_madan.price(model, contracts)
        miss = np.abs(actual.value - true.value)
        assert np.all(miss <= actual.error + true.error), (model, contracts)
        worth = true.value - contracts.lower_bound
        promised = actual.error <= 1e-3 * worth
        assert np.all(promised | bool(actual.notes) | (actual.error <= 1e-10)), (model, contracts)
        assert np.all(miss[promised] <= 1e-3 * worth[promised])


def test_carr_and_madans_grid_reaches_the_farthest_strike():
    contracts = at(0.5, [1e-4, 1.0, 1e6])
    true = pricing.price(VarianceGamma.example(), contracts, method="lewis").value
    actual = carr_madan.price(VarianceGamma.example(), contracts)
    assert np.all(np.abs(actual.value - true) <= actual.error)


def test_carr_and_madan_price_rare_large_jumps_within_a_thousandth():
    # Merton (σ .15, λ .1, μ_J −.9, σ_J .45), S = K = 100, r = 5%, T = 1/4. By Merton's series,
    # Σ Poisson(n; λT)·Black(σ²T + nσ_J²): 4.39124569; α = 1.5 and η = 0.25 give 4.3912455.
    model = Merton(sigma=0.15, lam=0.1, mu_j=-0.9, sigma_j=0.45)
    contracts = Contracts.grid(
        spot=100.0, rate=0.05, dividend_yield=0.0, strikes=[100.0], maturities=[0.25]
    )
    assert merton(model, contracts)[0] == pytest.approx(4.39124569, abs=1e-8)
    actual = pricing.price(model, contracts, method="carr_madan")
    assert actual.value[0] == pytest.approx(4.39124569, abs=1e-6)
    assert actual.error[0] < 1e-3 * actual.value[0]
    assert actual.notes == ()


def test_carr_madan_notes_more_points_and_a_missed_accuracy():
    # At T = ν/60 the transform of Variance Gamma decays like v^(−2 − 1/15): too slowly for 2048.
    model = VarianceGamma(sigma=0.2, nu=0.6, theta=-0.1)
    actual = pricing.price(model, at(0.01, [0.7, 1.0, 1.4]), method="carr_madan")
    assert any(re.fullmatch(r"carr_madan used \d+ points, as 2048 .*", n) for n in actual.notes)
    thin = CGMY(C=0.0015, G=0.085, M=4.41, Y=0.646)
    missed = pricing.price(thin, at(0.0072, [1.0205]), method="carr_madan")
    assert missed.error[0] > 1e-3 * missed.value[0]
    assert any("does not reach 0.1%" in note for note in missed.notes)


@pytest.mark.parametrize("n_points", [512, 4096])
def test_carr_and_madans_error_follows_the_number_of_points(n_points):
    contracts = at(0.25, [0.9, 1.0, 1.1])
    true = pricing.price(Kou.example(), contracts, method="lewis").value
    actual = carr_madan.price(Kou.example(), contracts, n_points=n_points)
    assert np.all(np.abs(actual.value - true) <= actual.error)

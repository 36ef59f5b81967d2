from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from levy_numerics import models, pricing
from levy_numerics.calibration import Influence, calibrate
from levy_numerics.calibration.hybrid import Proposal
from levy_numerics.market import Contracts, Quotes
from levy_validation import DatedQuotes, Setting, get
from levy_validation.analyses.explainability import compare_attributions, refitted
from levy_validation.attribution import integrated_gradients, with_vols
from levy_validation.setting import ignore
from levy_validation.simulation import simulated

TRUTH = models.from_mapping("VarianceGamma", {"sigma": 0.2, "nu": 0.4, "theta": -0.15})


def test_a_planted_informative_quote_ranks_first() -> None:
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.0,
        dividend_yield=0.0,
        strikes=[80.0, 95.0, 98.0, 100.0, 102.0, 105.0],
        maturities=[0.5, 1.0],
    )
    exact = pricing.price(TRUTH, contracts).value
    half = np.full(exact.size, 0.5)
    half[6] = 0.005  # 80 at one year: the only wing quoted tightly
    quotes = Quotes.of(contracts, exact, bid=exact - np.minimum(half, exact), ask=exact + half)
    influence = Influence.of(calibrate(type(TRUTH), quotes, start=dict(TRUTH.as_mapping())), quotes)
    assert int(np.argmax(influence.leverage)) == 6


def test_integrated_gradients_of_a_linear_map_are_its_terms() -> None:
    quotes = simulated("VarianceGamma", "independent", 1).quotes
    from levy_numerics.calibration.fit_quality import vols_of_quotes

    weights = np.random.default_rng(0).standard_normal((2, quotes.size))

    def linear(surfaces: Sequence[Quotes]) -> np.ndarray:
        return np.array([weights @ vols_of_quotes(q) for q in surfaces])

    found = integrated_gradients(linear, quotes, n_steps=2)
    expected = weights * (vols_of_quotes(quotes) - found.baseline)
    np.testing.assert_allclose(found.contribution, expected, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(found.difference, expected.sum(axis=1), rtol=1e-6, atol=1e-9)
    assert found.completeness_error.max() < 1e-5


def test_quotes_at_other_volatilities_keep_their_spread() -> None:
    quotes = simulated("VarianceGamma", "independent", 1).quotes
    moved = with_vols(quotes, np.full(quotes.size, 0.3))
    assert quotes.bid is not None
    assert quotes.ask is not None
    assert moved.bid is not None
    assert moved.ask is not None
    kept = quotes.bid + moved.price - quotes.price > 0.0
    np.testing.assert_allclose((moved.ask - moved.bid)[kept], (quotes.ask - quotes.bid)[kept])


class Fitted:
    """A network that returns the least-squares fit, or constant parameters."""

    model_type, network, version = "VarianceGamma", "toy", "toy-1"

    def __init__(self, *, is_sound: bool) -> None:
        self.is_sound = is_sound

    def propose(self, quotes: Quotes) -> Proposal:
        if self.is_sound:
            fit = calibrate(type(TRUTH), quotes, start=dict(TRUTH.as_mapping()))
            return Proposal(fit.model, None, 0.5)
        # Rests on one quote in three, whatever their information.
        level = float(np.mean(quotes.price[::3] / quotes.contracts.strike[::3]))
        return Proposal(replace(TRUTH, sigma=0.2 + level, nu=0.3 + level), None, 0.5)

    def propose_many(self, surfaces: Sequence[Quotes]) -> list[Proposal]:
        return [self.propose(quotes) for quotes in surfaces]


@pytest.mark.long
def test_a_network_that_fits_has_the_attribution_of_the_fit(setting: Setting) -> None:
    known = simulated("VarianceGamma", "spread", 2)
    surface = DatedQuotes("known", known.quotes)
    fit = calibrate(setting.model, known.quotes, start=known.parameters)
    sound, unsound = (
        compare_attributions(replace(setting, network=Fitted(is_sound=s)), surface, fit)
        for s in (True, False)
    )
    assert sound.correlation.min() > 0.8
    assert np.nanmean(unsound.correlation) < 0.5
    assert np.isnan(unsound.correlation[2])  # theta does not depend on the quotes


def test_refits_agree_with_the_one_step_formula(setting: Setting) -> None:
    quotes = setting.surfaces[0].quotes
    fit = calibrate(setting.model, quotes)
    refits = refitted(setting, fit, Influence.of(fit, quotes), quotes)
    assert refits.quotes.size == setting.effort.n_refits
    assert refits.largest_difference < 0.05


def test_the_section_maps_each_parameter(setting: Setting) -> None:
    section = get("explainability").run(setting, ignore)
    assert [plot.title.split()[2] for plot in section.plots] == ["sigma", "nu", "theta"]
    assert section.findings == (
        "No network was applied to the surfaces: an attribution is not compared.",
    )

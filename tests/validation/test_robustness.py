from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.calibration import calibrate
from levy_numerics.calibration.hybrid import Proposal
from levy_numerics.market import Quotes
from levy_validation import Setting, get
from levy_validation.analyses.robustness import (
    adversarial,
    detected,
    in_corners,
    thinned,
    under_noise,
)
from levy_validation.setting import ignore
from levy_validation.simulation import simulated


def test_outliers_move_the_fit_more_than_noise_of_the_spread(setting: Setting) -> None:
    effort = replace(setting.effort, n_surfaces=36)
    errors = {e.name: e for e in under_noise(replace(setting, effort=effort))}
    assert errors["outliers"].median > 1.5 * errors["spread"].median
    assert errors["spread"].n_converged == errors["spread"].n


def test_exact_prices_are_fitted_in_every_corner(setting: Setting) -> None:
    corners = list(in_corners(setting))
    assert len(corners) >= 6
    assert max(e.median for e in corners) < 1.0  # basis points


def test_thinning_keeps_quotes_and_exact_prices_together() -> None:
    surface = simulated("VarianceGamma", "spread", 0)
    half = thinned(surface, 0.5, np.random.default_rng(0))
    assert half.quotes.size == round(0.5 * surface.quotes.size)
    position = {p: k for k, p in enumerate(surface.quotes.price)}
    kept = [position[p] for p in half.quotes.price]
    np.testing.assert_array_equal(half.exact, surface.exact[kept])


def test_no_random_quotes_between_bid_and_ask_move_a_parameter_as_far(setting: Setting) -> None:
    quotes = setting.surfaces[0].quotes
    attacks = {(a.parameter, a.direction): a for a in adversarial(setting, quotes)}
    assert len(attacks) == 6
    fit = calibrate(setting.model, quotes)
    rng = np.random.default_rng(0)
    assert quotes.bid is not None
    assert quotes.ask is not None
    for _ in range(5):
        price = quotes.bid + rng.uniform(size=quotes.size) * (quotes.ask - quotes.bid)
        again = calibrate(setting.model, replace(quotes, price=price), start=fit.parameters)
        for name, error in fit.standard_errors.items():
            moved = (again.parameters[name] - fit.parameters[name]) / error
            assert attacks[name, "down"].refit < moved < attacks[name, "up"].refit
    for attack in attacks.values():
        assert attack.refit == pytest.approx(attack.linear, rel=0.6)


class Distant:
    """A network whose score is the misfit of the guess in half-spreads."""

    model_type, network, version = "VarianceGamma", "toy", "toy-1"

    def propose(self, quotes: Quotes) -> Proposal:
        fit = calibrate(models.get("VarianceGamma"), quotes, weights="bid_ask")
        return Proposal(fit.model, None, float(np.sqrt(fit.cost / quotes.size)))

    def propose_many(self, surfaces: Sequence[Quotes]) -> list[Proposal]:
        return [self.propose(quotes) for quotes in surfaces]


@pytest.mark.long
def test_planted_surfaces_are_detected(setting: Setting) -> None:
    separations = detected(replace(setting, network=Distant()))
    assert {name for name, _ in separations} == {"network", "misfit"}
    for (_, kind), separation in separations.items():
        assert separation.auc >= 0.95, kind


@pytest.mark.long
def test_a_score_without_information_is_reported_as_weak(setting: Setting) -> None:
    class Blind(Distant):
        def propose(self, quotes: Quotes) -> Proposal:
            return replace(super().propose(quotes), score=1.0)

    section = get("robustness").run(replace(setting, network=Blind()), ignore)
    assert section.figures["AUC of network: Heston"] == 0.5
    assert any("Heston by network (AUC 0.50)" in text for text in section.findings)

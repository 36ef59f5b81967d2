import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.calibration.hybrid import Proposal
from levy_numerics.market import Quotes
from levy_validation import DatedQuotes, Setting, get
from levy_validation.error_statistics import (
    Accuracy,
    Normality,
    normal_quantiles,
    quantities,
)
from levy_validation.setting import ignore
from levy_validation.simulation import simulated


def test_accuracy_is_that_of_the_textbook() -> None:
    accuracy = Accuracy.of(np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 3.0, 3.0, 0.0]))
    assert vars(accuracy) == pytest.approx(
        {"n": 3, "r2": 0.5, "mae": 1 / 3, "rmse": np.sqrt(1 / 3), "bias": 1 / 3}
    )


@pytest.mark.long
def test_normal_errors_are_rejected_at_the_level_of_the_test() -> None:
    rng = np.random.default_rng(0)
    tests = [Normality.of(rng.standard_normal(60)) for _ in range(1000)]
    for name in ("shapiro", "dagostino"):
        rejected = np.mean([getattr(test, name) < 0.05 for test in tests])
        assert abs(rejected - 0.05) < 0.02, name  # three standard errors
    assert Normality.of(rng.exponential(size=60)).shapiro < 1e-3


def test_quantiles_of_normal_errors_lie_on_the_diagonal() -> None:
    expected, ordered = normal_quantiles(np.random.default_rng(1).standard_normal(20_000))
    inside = np.abs(expected) < 2.0
    np.testing.assert_allclose(ordered[inside], expected[inside], atol=0.1)


def test_exact_quotes_of_the_model_are_predicted_exactly(setting: Setting) -> None:
    known = simulated("VarianceGamma", "spread", 7)
    exact = DatedQuotes("exact", Quotes.of(known.quotes.contracts, known.exact))
    section = get("out_of_sample").run(
        Setting(setting.model, (exact,), effort=setting.effort), ignore
    )
    for held_out in ("quotes", "expiries"):
        assert section.figures[f"calibration: median error on {held_out} held out, bp"] < 0.1


def test_quotes_of_another_model_have_errors_out_of_sample(setting: Setting) -> None:
    other = DatedQuotes("Merton", simulated("Merton", "spread", 3).quotes)
    section = get("out_of_sample").run(
        Setting(setting.model, (other,), effort=setting.effort), ignore
    )
    assert section.figures["calibration: median error on expiries held out, bp"] > 20.0


class Guess:
    """A network that proposes the same model for every surface."""

    model_type, network, version = "VarianceGamma", "constant", "constant-0"

    def propose(self, quotes: Quotes) -> Proposal:
        return Proposal(models.get("VarianceGamma").example(), None, 0.5)

    def propose_many(self, surfaces: list[Quotes]) -> list[Proposal]:
        return [self.propose(quotes) for quotes in surfaces]


def test_a_network_that_has_learnt_nothing_is_shown_as_such(setting: Setting) -> None:
    judged = Setting(setting.model, setting.surfaces[:1], Guess(), setting.effort)
    section = get("out_of_sample").run(judged, ignore)
    figures = section.figures
    assert figures["network: R² of variance"] < 0.0 < 0.9 < figures["calibration: R² of variance"]
    network, calibration = (
        figures[f"{method}: median error against exact prices, bp"]
        for method in ("network", "calibration")
    )
    assert network > 10 * calibration
    assert any("the network alone is off by" in text for text in section.findings)


def test_quantities_are_parameters_and_moments() -> None:
    model = models.from_mapping("VarianceGamma", {"sigma": 0.2, "nu": 0.3, "theta": -0.1})
    values = quantities(model)
    assert values["theta"] == -0.1
    assert values["variance"] == pytest.approx(0.2**2 + 0.3 * 0.1**2)  # Madan et al. (1998)

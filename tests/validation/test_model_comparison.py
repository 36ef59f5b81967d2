import math
from dataclasses import replace

import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.calibration import compare_one
from levy_validation import DatedQuotes, Setting, get
from levy_validation.analyses.model_comparison import information_criteria
from levy_validation.rivals import contest, market_surfaces, rivals
from levy_validation.setting import ignore
from levy_validation.simulation import simulated


@pytest.mark.long
def test_the_model_that_made_the_quotes_is_the_best(setting: Setting) -> None:
    quotes = simulated("Merton", "spread", 3).quotes
    section = get("model_comparison").run(
        replace(setting, surfaces=(DatedQuotes("Merton", quotes),)), ignore
    )
    assert section.figures["best model out of sample"] == "Merton"
    assert any(text.startswith("Merton has the smallest error") for text in section.findings)
    scores = {row["model"]: row for row in section.tables[1].as_document()["rows"]}
    assert max(scores, key=lambda name: scores[name]["log score"]) == "Merton"
    assert min(scores, key=lambda name: scores[name]["CRPS"]) == "Merton"
    assert sum(row["stacking weight"] for row in scores.values()) == pytest.approx(1.0)
    assert scores["Merton"]["stacking weight"] > 0.9
    assert scores["Merton"]["coverage 95%"] > 0.8


def test_criteria_are_those_of_normal_errors() -> None:
    quotes = simulated("VarianceGamma", "spread", 0).quotes
    fit = compare_one(models.get("VarianceGamma"), quotes)
    aic, bic = information_criteria(fit)
    r = fit.result.identifiability.residuals
    n = r.size
    # −2 log-likelihood at the maximum, up to n(1 + ln 2π).
    sigma = math.sqrt(r @ r / n)
    deviance = -2.0 * float(np.sum(-0.5 * (r / sigma) ** 2 - math.log(sigma))) - n
    assert aic == pytest.approx(deviance + 6.0)
    assert bic == pytest.approx(deviance + 3.0 * math.log(n))


def test_a_model_that_cannot_be_fitted_is_left_out_with_its_reason(setting: Setting) -> None:
    quotes = simulated("VarianceGamma", "spread", 0).quotes
    few = (DatedQuotes("few", quotes.select(slice(0, 3))),)
    selected = (models.get("VarianceGamma"), models.get("CGMY"))
    compared = contest(few, selected, ignore)
    assert list(compared.fits) == ["VarianceGamma"]
    assert compared.not_fitted == (
        "CGMY on few: 3 quotes cannot determine the 4 parameters of CGMY",
    )


def test_rivals_begin_with_the_model_itself_and_occur_once() -> None:
    names = [model.name for model in rivals(models.get("NIG"))]
    assert names[0] == "NIG"
    assert len(set(names)) == len(names)


def test_simulated_surfaces_replace_few_quoted_ones(setting: Setting) -> None:
    surfaces, are_quoted = market_surfaces(setting, 4)
    assert not are_quoted
    assert len(surfaces) == 4
    assert market_surfaces(setting, 3) == (setting.surfaces, True)

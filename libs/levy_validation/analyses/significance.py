"""Significance: whether differences between models, and calibrators, are more than chance."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_validation.catalogue import analysis
from levy_validation.error_statistics import repricing_errors, root_mean_square
from levy_validation.hypothesis_tests import (
    CORRECTIONS,
    DieboldMariano,
    model_confidence_set,
    paired_tests,
)
from levy_validation.rivals import contest, market_surfaces, rivals
from levy_validation.section import Cell, Plot, Section, Table
from levy_validation.setting import NETWORK, DatedQuotes, Progress, Setting, of_methods

LEVEL: Final = 0.05
_SIZE: Final = 0.1
"""Of the model confidence set."""
_FEWEST: Final = 8
"""Surfaces: with fewer no test rejects."""


@analysis(
    "significance",
    title="Significance of differences",
    question="Are differences in accuracy between models and calibrators more than chance?",
    principle="benchmarking",
)
def significance(setting: Setting, progress: Progress) -> Section:
    """Test differences of out-of-sample errors over several surfaces."""
    surfaces, are_quoted = market_surfaces(setting, _FEWEST)
    surfaces = surfaces[-max(_FEWEST, setting.effort.n_compared) :]
    competitors = rivals(setting.model)[: setting.effort.n_rivals]
    compared = contest(surfaces, competitors, progress)
    losses = compared.losses()
    own = setting.model.name
    if own not in losses or len(losses) < 2:
        raise InvalidInputError(
            f"{own} cannot be compared: {'; '.join(compared.not_fitted) or 'no other model'}"
        )
    losses |= _calibrators(setting, surfaces)
    others = {name: loss for name, loss in losses.items() if name != own}
    tests = paired_tests(losses[own], others)
    p_values, included = model_confidence_set(
        losses, size=_SIZE, n_resamples=setting.effort.n_resamples, seed=setting.seed
    )
    dm = {name: DieboldMariano.of(loss, losses[own]) for name, loss in others.items()}
    figures: dict[str, Cell] = {
        "surfaces": len(surfaces),
        f"model confidence set of {1 - _SIZE:.0%}": ", ".join(included),
        f"p of {own} in the model confidence set": p_values[own],
    }
    head = ("model", "mean difference, bp", "p, t", "p, Wilcoxon", *CORRECTIONS)
    return Section(
        figures=figures,
        findings=tuple(_findings(own, included, are_quoted)),
        tables=(
            Table.of(
                f"Out-of-sample errors against {own}: paired tests",
                head,
                [
                    (t.name, t.mean_difference, t.t, t.wilcoxon, *t.corrected.values())
                    for t in tests
                ],
            ),
            Table.of(
                f"Diebold-Mariano against {own} (positive: larger losses), and confidence set",
                ("model", "statistic", "p", "p of the confidence set", "in the set"),
                [
                    (own, None, None, p_values[own], own in included),
                    *(
                        (name, t.statistic, t.p_value, p_values[name], name in included)
                        for name, t in dm.items()
                    ),
                ],
            ),
        ),
        plots=(
            Plot(
                "Out-of-sample errors by surface",
                "surface",
                "RMS error of volatility, bp",
                {name: ([s.name for s in surfaces], list(loss)) for name, loss in losses.items()},
                style="lines",
            ),
        ),
    )


def _calibrators(setting: Setting, surfaces: tuple[DatedQuotes, ...]) -> dict[str, np.ndarray]:
    """Return the errors of the network alone, where it reads every surface."""
    if setting.network is None:
        return {}
    errors = []
    for surface in surfaces:
        methods = dict(of_methods(setting.fit(surface.quotes)))
        if NETWORK not in methods:
            return {}
        errors.append(root_mean_square(repricing_errors(surface.quotes, methods[NETWORK])))
    return {f"{NETWORK} alone, all quotes": np.array(errors)}


def _findings(own: str, included: tuple[str, ...], are_quoted: bool) -> Iterator[str]:
    if not are_quoted:
        yield (
            f"Fewer than {_FEWEST} surfaces were given: differences are tested on simulated "
            "surfaces of the Bates model."
        )
    if own not in included:
        yield f"{own} is not in the model confidence set, which contains {', '.join(included)}."

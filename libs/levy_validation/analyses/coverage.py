"""Coverage: how often intervals contain the truth, under each noise and under misspecification."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from levy_numerics.errors import LevyError
from levy_validation.catalogue import analysis
from levy_validation.intervals import (
    ERROR_MODELS,
    Counts,
    add,
    agreement,
    fit_to_truth,
    fits_to_listings,
    hits,
)
from levy_validation.section import Plot, Section, Table
from levy_validation.setting import Progress, Setting
from levy_validation.simulation import MARKETS, NOISES, simulated

LEVELS: Final = (0.5, 0.8, 0.9, 0.95)
_LEVEL: Final = 0.95
_SURFACES: Final = 3
"""Divisor of the effort's surfaces: fits of each are judged by three error models."""
_QUANTITIES: Final = ("parameters", "variance")
_DEVIATIONS: Final = 2.0

ByLevel = dict[float, Counts]


@analysis(
    "coverage",
    title="Coverage of intervals",
    question="Do intervals contain the truth as often as they state?",
    principle="outcomes analysis",
)
def coverage(setting: Setting, progress: Progress) -> Section:
    """Count intervals that contain the truth, or agree between two listings of one market."""
    n = max(setting.effort.n_surfaces // _SURFACES, 4)
    cases = [*NOISES, *MARKETS]
    counted: dict[str, ByLevel] = {}
    for i, case in enumerate(cases):
        measure = misspecified if case in MARKETS else under_noise
        counted[case] = measured(measure, setting, case, n)
        progress(i + 1, len(cases))
    rows = [
        (case, error_model, quantity, level, share, standard_error(level, trials), trials)
        for case, by_level in counted.items()
        for level, counts in by_level.items()
        for error_model in ERROR_MODELS
        for quantity in _QUANTITIES
        for share, trials in [_share(counts, f"{error_model}/{quantity}")]
    ]
    figures = {
        f"{error_model}: coverage of 95% intervals, {name}": _pooled(counted, error_model, of)
        for error_model in ERROR_MODELS
        for name, of in (("right model", NOISES), ("misspecified", MARKETS))
    }
    return Section(
        figures=figures,
        findings=tuple(_findings(counted)),
        tables=(
            Table.of(
                "Intervals that contain the truth; for Heston and Bates, that agree between two "
                "listings",
                (
                    *("case", "error model", "quantity", "nominal", "coverage"),
                    *("standard error", "intervals"),
                ),
                rows,
            ),
        ),
        plots=(
            Plot(
                "Coverage of parameters, all noises of the right model",
                "nominal level",
                "coverage",
                {
                    error_model: (
                        list(LEVELS),
                        [_pooled(counted, error_model, NOISES, level) for level in LEVELS],
                    )
                    for error_model in ERROR_MODELS
                },
                style="lines",
                diagonal=True,
            ),
        ),
    )


def under_noise(setting: Setting, noise: str, seed: int) -> Iterator[tuple[float, Counts]]:
    """Yield the counts of one simulated surface of the model at each level."""
    truth = simulated(setting.model.name, noise, seed)
    fit = fit_to_truth(truth)
    for error_model in ERROR_MODELS:
        of_model = fit.with_uncertainty(error_model)
        for level in LEVELS:
            yield level, hits(of_model, truth, level, (error_model,))


def misspecified(setting: Setting, market: str, seed: int) -> Iterator[tuple[float, Counts]]:
    """Yield the counts of two listings of one market of stochastic variance at each level."""
    fits = fits_to_listings(setting.model.name, market, seed)
    for error_model in ERROR_MODELS:
        first, second = (fit.with_uncertainty(error_model) for fit in fits)
        for level in LEVELS:
            yield level, agreement(first, second, level, (error_model,))


Measure = Callable[[Setting, str, int], Iterator[tuple[float, Counts]]]


def measured(measure: Measure, setting: Setting, case: str, n: int) -> ByLevel:
    """Return the counts of n surfaces by level; surfaces without a fit are left out."""
    total: ByLevel = {level: {} for level in LEVELS}
    for k in range(n):
        try:
            for level, counts in measure(setting, case, 1000 * setting.seed + k):
                add(total[level], counts)
        except LevyError:
            continue
    return total


def standard_error(level: float, trials: int) -> float:
    """Return the binomial standard error of a coverage, for independent intervals."""
    return math.sqrt(level * (1.0 - level) / trials) if trials else math.nan


def _share(counts: Mapping[str, Sequence[int]], key: str) -> tuple[float, int]:
    n_hits, n_trials = counts.get(key, (0, 0))
    return (n_hits / n_trials if n_trials else math.nan), n_trials


def _pooled(
    counted: Mapping[str, ByLevel],
    error_model: str,
    cases: Sequence[str],
    level: float = _LEVEL,
) -> float:
    total: Counts = {}
    for case in cases:
        add(total, counted[case][level])
    return _share(total, f"{error_model}/parameters")[0]


def _findings(counted: Mapping[str, ByLevel]) -> Iterator[str]:
    for error_model in ERROR_MODELS:
        low = []
        for case, by_level in counted.items():
            share, trials = _share(by_level[_LEVEL], f"{error_model}/parameters")
            # Parameters of one surface err together: the surfaces count, not the parameters.
            surfaces = _share(by_level[_LEVEL], f"{error_model}/variance")[1]
            if trials and share < _LEVEL - _DEVIATIONS * standard_error(_LEVEL, surfaces):
                low.append(f"{case} ({share:.0%})")
        if low:
            yield f"95% intervals of {error_model} are too narrow under: {', '.join(low)}."

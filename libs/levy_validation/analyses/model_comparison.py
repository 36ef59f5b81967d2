"""Model comparison: every model on every surface, in and out of sample."""

import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Final

import numpy as np
from scipy.special import ndtri

from levy_numerics.calibration import Comparison, FitQuality
from levy_validation.catalogue import analysis
from levy_validation.held_out import held_out
from levy_validation.rivals import Contest, contest, rivals
from levy_validation.scores import (
    interval_score,
    normal_crps,
    normal_log_density,
    stacking_weights,
)
from levy_validation.section import Plot, Section, Table
from levy_validation.setting import DatedQuotes, Progress, Setting

_LEVEL: Final = 0.95
_NEGLIGIBLE: Final = 0.01
"""Stacking weight below which a model adds nothing."""
_ALLOWED_SHORTFALL: Final = 0.1
_LEAST_DEVIATION: Final = 1e-3
"""Basis points: exact fits of simulated prices would have an infinite density."""


@analysis(
    "model_comparison",
    title="Model comparison",
    question="Is there a model that fits these surfaces better, in and out of sample?",
    principle="benchmarking",
)
def model_comparison(setting: Setting, progress: Progress) -> Section:
    """Fit the model and its rivals to the surfaces."""
    most = setting.effort.n_compared
    chosen = np.unique(np.linspace(0, len(setting.surfaces) - 1, most).round().astype(int))
    surfaces = tuple(setting.surfaces[k] for k in chosen)
    compared = contest(surfaces, rivals(setting.model)[: setting.effort.n_rivals], progress)
    median = {name: float(np.median(losses)) for name, losses in compared.losses().items()}
    best = min(median, key=lambda name: median[name])
    own = setting.model.name
    scored = _scored(compared, surfaces)
    figures: dict[str, float | str] = {"best model out of sample": best}
    figures |= {f"{name}: median error out of sample, bp": value for name, value in median.items()}
    figures |= {f"{score.model}: stacking weight": score.weight for score in scored}
    return Section(
        figures=figures,
        findings=(*_findings(own, best, median, compared), *_stacking_findings(own, scored)),
        tables=(
            Table.of(
                "Errors of implied volatility, basis points",
                (
                    *("surface", "model", "all quotes", "in sample", "strikes held out"),
                    *("expiries held out", "AIC", "BIC", "status"),
                ),
                list(_rows(compared)),
            ),
            Table.of(
                "Predictions of the quotes held out, basis points of volatility",
                (
                    *("model", "quotes", "log score", "CRPS", f"interval score {_LEVEL:.0%}"),
                    *(f"coverage {_LEVEL:.0%}", "stacking weight"),
                ),
                [astuple(score) for score in scored],
            ),
        ),
        plots=(
            Plot(
                "Median error out of sample",
                "model",
                "RMS error of volatility, bp",
                {"out of sample": (list(median), list(median.values()))},
                style="bars",
            ),
        ),
    )


@dataclass(frozen=True)
class _Score:
    """Mean scores of one model's predictions of the quotes held out, on all surfaces."""

    model: str
    n_quotes: int
    log_score: float
    crps: float
    interval_score: float
    coverage: float
    weight: float


def _scored(compared: Contest, surfaces: tuple[DatedQuotes, ...]) -> tuple[_Score, ...]:
    """Return the scores of every model on the quotes that all of them predict."""
    names = tuple(compared.fits)
    if not names:
        return ()
    errors: list[list[np.ndarray]] = [[] for _ in names]
    deviations: list[list[np.ndarray]] = [[] for _ in names]
    for k, surface in enumerate(surfaces):
        for i, name in enumerate(names):
            predicted = held_out(compared.fits[name][k].result, surface.quotes)
            errors[i].append(predicted.error)
            deviations[i].append(np.full(predicted.error.size, predicted.deviation))
    error = np.array([np.concatenate(of_model) for of_model in errors])
    deviation = np.array([np.concatenate(of_model) for of_model in deviations])
    exists = np.isfinite(error).all(axis=0)
    if not exists.any():
        return ()
    error, deviation = error[:, exists], np.maximum(deviation[:, exists], _LEAST_DEVIATION)
    log_density = normal_log_density(error, deviation)
    half = ndtri(0.5 + 0.5 * _LEVEL) * deviation
    crps = normal_crps(error, deviation)
    intervals = interval_score(error - half, error + half, np.zeros_like(error), _LEVEL)
    weights = stacking_weights(log_density)
    return tuple(
        _Score(
            name,
            error.shape[1],
            float(log_density[i].mean()),
            float(crps[i].mean()),
            float(intervals[i].mean()),
            float((np.abs(error[i]) <= half[i]).mean()),
            float(weights[i]),
        )
        for i, name in enumerate(names)
    )


def _stacking_findings(own: str, scored: tuple[_Score, ...]) -> Iterator[str]:
    by_model = {score.model: score for score in scored}
    if own in by_model and by_model[own].weight < _NEGLIGIBLE:
        most = max(scored, key=lambda score: score.weight)
        yield (
            f"{own} adds nothing to the other models' predictions of quotes held out: its stacking "
            f"weight is {by_model[own].weight:.0%}, that of {most.model} {most.weight:.0%}."
        )
    for score in scored:
        if score.model == own and score.coverage < _LEVEL - _ALLOWED_SHORTFALL:
            yield (
                f"Predictions of {own} are too certain: the errors of the quotes that it was "
                f"fitted to, as normal intervals of {_LEVEL:.0%}, contain {score.coverage:.0%} of "
                "the quotes held out."
            )


def _rows(compared: Contest) -> Iterator[tuple[str | float | None, ...]]:
    for k, surface in enumerate(compared.surfaces):
        for name, fits in compared.fits.items():
            fit = fits[k]
            errors = (fit.result.fit, fit.in_sample, fit.out_of_sample, fit.held_out_expiries)
            criteria = information_criteria(fit)
            yield (surface, name, *map(_basis_points, errors), *criteria, fit.result.status)


def information_criteria(fit: Comparison) -> tuple[float, float]:
    """Return AIC and BIC of a fit, n·ln(Σr²/n) + k·p with k = 2 and ln n.

    For independent normal errors of the weights' unit: errors of one smile are correlated, so that
    differences between models are overstated. Held-out expiries do not have this defect.
    """
    result = fit.result
    n, p = result.fit.n_quotes, len(result.parameters)
    deviance = n * math.log(max(2.0 * result.cost, math.ulp(1.0)) / n)
    return deviance + 2.0 * p, deviance + math.log(n) * p


def _basis_points(quality: FitQuality | None) -> float | None:
    return None if quality is None else 1e4 * quality.implied_vol_rmse


def _findings(own: str, best: str, median: dict[str, float], compared: Contest) -> Iterator[str]:
    if own in median and best != own:
        yield (
            f"{best} has the smallest error out of sample, {median[best]:.0f} basis points of "
            f"volatility; {own} has {median[own]:.0f}."
        )
    yield from compared.not_fitted

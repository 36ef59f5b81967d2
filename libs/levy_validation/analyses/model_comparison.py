"""Model comparison: every model on every surface, in and out of sample."""

import math
from collections.abc import Iterator

import numpy as np

from levy_numerics.calibration import Comparison, FitQuality
from levy_validation.catalogue import analysis
from levy_validation.rivals import Contest, contest, rivals
from levy_validation.section import Plot, Section, Table
from levy_validation.setting import Progress, Setting


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
    figures: dict[str, float | str] = {"best model out of sample": best}
    figures |= {f"{name}: median error out of sample, bp": value for name, value in median.items()}
    return Section(
        figures=figures,
        findings=tuple(_findings(own, best, median, compared)),
        tables=(
            Table.of(
                "Errors of implied volatility, basis points",
                (
                    *("surface", "model", "all quotes", "in sample", "strikes held out"),
                    *("expiries held out", "AIC", "BIC", "status"),
                ),
                list(_rows(compared)),
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

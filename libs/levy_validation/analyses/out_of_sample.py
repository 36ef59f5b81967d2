"""Out of sample: quotes and expiries held out, and parameters of surfaces with known truth."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.calibration.hybrid import Fit
from levy_numerics.calibration.moments import MOMENTS
from levy_numerics.market import Quotes
from levy_validation.catalogue import analysis
from levy_validation.error_statistics import (
    Accuracy,
    Normality,
    normal_quantiles,
    quantities,
    repricing_errors,
    root_mean_square,
)
from levy_validation.section import Plot, Section, Table
from levy_validation.setting import (
    CALIBRATION,
    NETWORK,
    DatedQuotes,
    Progress,
    Setting,
    of_methods,
)
from levy_validation.simulation import Simulated

HELD_OUT: Final = 0.2
_MIN_EXPIRIES: Final = 3
_EXACT: Final = "median error against exact prices, bp"
_REJECTED: Final = 0.01


@dataclass(frozen=True)
class Recovered:
    """A known surface, and what calibration and network make of it.

    Attributes
    ----------
    truth : Simulated
    fit : Fit
    """

    truth: Simulated
    fit: Fit


@analysis(
    "out_of_sample",
    title="Out of sample",
    question="How well does a calibration price quotes that it has not seen, and does it recover "
    "the parameters of surfaces whose truth is known?",
    principle="outcomes analysis",
)
def out_of_sample(setting: Setting, progress: Progress) -> Section:
    """Hold out quotes and expiries of the surfaces, and fit simulated ones."""
    n_steps = len(setting.surfaces) + setting.effort.n_surfaces
    rows: list[HeldOut] = []
    for k, surface in enumerate(setting.surfaces):
        rows += list(_held_out(setting, surface, k))
        progress(k + 1, n_steps)
    recovered = []
    for k in range(setting.effort.n_surfaces):
        truth = setting.simulated(k)
        recovered.append(Recovered(truth, setting.fit(truth.quotes)))
        progress(len(setting.surfaces) + k + 1, n_steps)
    return _section(rows, recovered)


@dataclass(frozen=True)
class HeldOut:
    """RMS errors of implied volatility of one fit, in basis points."""

    surface: str
    held_out: str
    method: str
    n_quotes: int
    in_sample: float
    out_of_sample: float


def _held_out(setting: Setting, surface: DatedQuotes, number: int) -> Iterator[HeldOut]:
    """Yield the errors of fits to a random part of the quotes, and of the expiries."""
    rng, quotes = setting.rng(2, number), surface.quotes
    yield from _compared(setting, surface, "quotes", rng.uniform(size=quotes.size) < HELD_OUT)
    maturities, expiry = quotes.contracts.by_maturity.maturity_groups
    if maturities.size >= _MIN_EXPIRIES:
        # The first and the last are kept: beyond them there is nothing to interpolate to.
        n_out = max(1, round(HELD_OUT * maturities.size))
        chosen = 1 + rng.permutation(maturities.size - 2)[:n_out]
        yield from _compared(setting, surface, "expiries", np.isin(expiry, chosen))


def _compared(
    setting: Setting, surface: DatedQuotes, held_out: str, out: np.ndarray
) -> Iterator[HeldOut]:
    if not out.any() or np.count_nonzero(~out) < len(setting.model.parameters()):
        return
    seen, unseen = surface.quotes.select(~out), surface.quotes.select(out)
    fit = setting.fit(seen)
    for method, model in of_methods(fit):
        inside, outside = (root_mean_square(repricing_errors(q, model)) for q in (seen, unseen))
        yield HeldOut(surface.name, held_out, method, unseen.size, inside, outside)


def _section(rows: list[HeldOut], recovered: list[Recovered]) -> Section:
    predicted: dict[str, dict[str, list[float]]] = {}
    actual: dict[str, dict[str, list[float]]] = {}
    repricing: dict[str, list[float]] = {}
    for surface in recovered:
        truth = quantities(surface.truth.truth)
        exact = Quotes.of(surface.truth.quotes.contracts, surface.truth.exact)
        for method, model in of_methods(surface.fit):
            for name, value in quantities(model).items():
                predicted.setdefault(method, {}).setdefault(name, []).append(value)
                actual.setdefault(method, {}).setdefault(name, []).append(truth[name])
            repricing.setdefault(method, []).append(
                root_mean_square(repricing_errors(exact, model))
            )
    scores = _standardised(recovered)
    accuracy = {
        (method, name): Accuracy.of(np.array(actual[method][name]), np.array(values))
        for method, by_name in predicted.items()
        for name, values in by_name.items()
    }
    normality = {name: Normality.of(z) for name, z in scores.items()}
    figures = _figures(rows, repricing, accuracy)
    return Section(
        figures=figures,
        findings=tuple(_findings(figures, normality)),
        tables=(
            Table.of(
                "Quotes and expiries held out: RMS error of implied volatility, basis points",
                ("surface", "held out", "method", "quotes held out", "in sample", "out of sample"),
                [vars(row).values() for row in rows],
            ),
            Table.of(
                "Simulated surfaces: predicted against actual",
                ("method", "quantity", "n", "R²", "MAE", "RMSE", "bias"),
                [(*key, *vars(value).values()) for key, value in accuracy.items()],
            ),
            Table.of(
                "Simulated surfaces: RMS error against exact prices, basis points of volatility",
                ("method", "surfaces", "median", "95% quantile", "largest"),
                [
                    (method, len(errors), *np.nanquantile(errors, (0.5, 0.95, 1.0)))
                    for method, errors in repricing.items()
                ],
            ),
            Table.of(
                "Errors of the calibration over their standard errors: tests of normality",
                (
                    *("quantity", "n", "skewness", "excess kurtosis"),
                    *("p, Shapiro-Wilk", "p, Jarque-Bera", "p, D'Agostino"),
                ),
                [(name, *vars(tests).values()) for name, tests in normality.items()],
            ),
        ),
        plots=tuple(_plots(actual, predicted, scores)),
    )


def _standardised(recovered: list[Recovered]) -> dict[str, np.ndarray]:
    """Return errors of the finished calibration over their standard errors, by quantity."""
    scores: dict[str, list[float]] = {}
    for surface in recovered:
        result, truth = surface.fit.results[0], quantities(surface.truth.truth)
        errors = dict(result.standard_errors)
        errors |= {name: moment.standard_error for name, moment in result.moments.items()}
        for name, value in quantities(result.model).items():
            with np.errstate(divide="ignore", invalid="ignore"):
                scores.setdefault(name, []).append((value - truth[name]) / np.float64(errors[name]))
    return {name: np.array(values) for name, values in scores.items()}


def _figures(
    rows: list[HeldOut],
    repricing: dict[str, list[float]],
    accuracy: dict[tuple[str, str], Accuracy],
) -> dict[str, float]:
    figures: dict[str, float] = {}
    for method, of_method in repricing.items():
        for kind in ("quotes", "expiries"):
            errors = [
                row.out_of_sample for row in rows if (row.held_out, row.method) == (kind, method)
            ]
            if errors:
                name = f"{method}: median error on {kind} held out, bp"
                figures[name] = float(np.nanmedian(errors))
        figures[f"{method}: {_EXACT}"] = float(np.nanmedian(of_method))
    for (method, name), value in accuracy.items():
        if name in MOMENTS:
            figures[f"{method}: R² of {name.replace('_', ' ')}"] = value.r2
    return figures


def _findings(figures: dict[str, float], normality: dict[str, Normality]) -> Iterator[str]:
    network, calibration = (figures.get(f"{m}: {_EXACT}") for m in (NETWORK, CALIBRATION))
    if network is None:
        yield "No network proposed initial guesses: only the finished calibration is judged."
    else:
        yield (
            f"On simulated surfaces the network alone is off by {network:.1f} basis points of "
            f"volatility, the finished calibration by {calibration:.1f}."
        )
    rejected = [name for name, tests in normality.items() if tests.shapiro < _REJECTED]
    if rejected:
        yield (f"Standardised errors are not normal (Shapiro-Wilk, 1%): {', '.join(rejected)}.")


def _plots(
    actual: dict[str, dict[str, list[float]]],
    predicted: dict[str, dict[str, list[float]]],
    scores: dict[str, np.ndarray],
) -> Iterator[Plot]:
    for name in predicted.get(CALIBRATION, {}):
        series = {m: (actual[m][name], predicted[m][name]) for m in reversed(predicted)}
        title = f"{name.replace('_', ' ')}: actual and predicted"
        yield Plot(title, "actual", "predicted", series, diagonal=True)
    pairs = {name: normal_quantiles(z) for name, z in scores.items()}
    yield Plot(
        "Q-Q plot of errors over their standard errors",
        "normal quantile",
        "error over standard error",
        {name: (list(x), list(y)) for name, (x, y) in pairs.items() if x.size},
        diagonal=True,
    )
    yield Plot(
        "Errors over their standard errors, by surface",
        "surface",
        "error over standard error",
        {name: (list(range(z.size)), list(z)) for name, z in scores.items()},
        level=0.0,
    )

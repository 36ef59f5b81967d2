"""Forward walking: calibrate a day, price later days without fitting again, and detect drift."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from statsmodels.stats.multitest import multipletests

from levy_numerics.calibration import CalibrationResult
from levy_numerics.errors import InvalidInputError, LevyError
from levy_numerics.models.base import Model
from levy_validation.catalogue import analysis
from levy_validation.change_point import ChangePoint
from levy_validation.error_statistics import quantities, repricing_errors, root_mean_square
from levy_validation.hypothesis_tests import DieboldMariano
from levy_validation.intervals import agreement
from levy_validation.section import Cell, Plot, Section, Table
from levy_validation.setting import DatedQuotes, Progress, Setting
from levy_validation.simulation import surface_of, truths

HORIZONS: Final = (1, 5)
FALSE_ALARMS: Final = 0.05
_FEWEST_DAYS: Final = 8
_ROLLING: Final = 5
_LAST: Final = "last day"
# Of the simulated regimes: part of the days before the change, factor of all coordinates' first
# (the logarithm of variance) and daily noise of coordinates.
_CHANGE_AT: Final = 0.6
_CHANGE: Final = 0.25
_DAILY: Final = 0.04
_LEAST_SIMULATED: Final = 16


@analysis(
    "forward_walking",
    title="Forward walking",
    question="How fast does a calibration age, how stable are its parameters, and is a change of "
    "regime detected?",
    principle="ongoing monitoring",
)
def forward_walking(setting: Setting, progress: Progress) -> Section:
    """Walk through daily surfaces, or through simulated regimes with a planted change."""
    is_quoted = len(setting.surfaces) >= _FEWEST_DAYS
    days, change = (setting.surfaces, None) if is_quoted else simulated_regimes(setting)
    walk = walked(setting, days, progress)
    drift = detected_drift(setting, walk)
    figures: dict[str, Cell] = {
        "days": len(walk.names),
        "error on the day of the fit, bp": walk.same_day,
    }
    for horizon in HORIZONS:
        for name, errors in walk.errors[horizon].items():
            figures[f"median error after {horizon} days, {name}, bp"] = _median(errors)
    figures |= {
        "drift alarm": drift.is_alarm,
        "rate of false alarms": FALSE_ALARMS,
    }
    if change is not None:
        figures["planted change at day"] = change
    return Section(
        figures=figures,
        findings=tuple(_findings(walk, drift, change)),
        tables=(
            Table.of(
                "Errors without fitting again, basis points of volatility",
                (
                    "days ahead",
                    "parameters of",
                    "median",
                    "95% quantile",
                    "DM against last day",
                    "p",
                ),
                list(_ageing(walk)),
            ),
            Table.of(
                "Stability of parameters from day to day",
                (
                    "parameter",
                    "mean",
                    "standard deviation",
                    "median change, %",
                    "largest change, %",
                ),
                list(_stability(walk)),
            ),
            Table.of(
                f"Drift: changes of level, false alarms {FALSE_ALARMS:.0%} over all series",
                ("series", "day of change", "before", "after", "p", "p (Holm)", "alarm"),
                drift.rows(walk.names),
            ),
        ),
        plots=(
            Plot(
                "Errors through time",
                "day",
                "RMS error of volatility, bp",
                {
                    f"{horizon} days ahead": (
                        list(walk.names[horizon:]),
                        list(walk.errors[horizon][_LAST]),
                    )
                    for horizon in HORIZONS
                    if horizon in walk.errors
                },
                style="lines",
            ),
            *(
                Plot(
                    f"{name} through time",
                    "day",
                    name,
                    {name: (list(walk.names), list(values))},
                    style="lines",
                )
                for name, values in walk.parameters.items()
            ),
        ),
    )


@dataclass(frozen=True)
class Walk:
    """Calibrations of successive days, and their errors on later days.

    Attributes
    ----------
    names : tuple of str
        Of n days.
    parameters : mapping of str to ndarray, shape (n,)
        And moments at one year.
    errors : mapping of int to mapping of str to ndarray, shape (n − horizon,)
        RMS errors of volatility in basis points, by horizon and forecast.
    same_day : float
        Median RMS error on the day of the fit.
    agreeing : float
        Share of parameters whose change from day to day lies within the combined 95% interval.
    left_out : tuple of str
        Days that could not be fitted.
    """

    names: tuple[str, ...]
    parameters: dict[str, np.ndarray]
    errors: dict[int, dict[str, np.ndarray]]
    same_day: float
    agreeing: float
    left_out: tuple[str, ...]


def simulated_regimes(setting: Setting) -> tuple[tuple[DatedQuotes, ...], int]:
    """Return daily surfaces of the model whose variance changes, and the day of the change."""
    n_days = max(setting.effort.n_days, _LEAST_SIMULATED)
    change = round(_CHANGE_AT * n_days)
    base = np.asarray(truths(setting.model.name, setting.seed).to_coordinates(), dtype=float)
    low, high = (np.array(end) for end in setting.model.coordinate_bounds())
    days = []
    for k in range(n_days):
        rng = setting.rng(7, k)
        z = base + _DAILY * rng.standard_normal(base.size)
        z[0] += _CHANGE if k >= change else 0.0
        truth = setting.model.from_coordinates(np.clip(z, low + 0.01, high - 0.01))
        days.append(DatedQuotes(str(k), surface_of(truth, "spread", rng).quotes))
    return tuple(days), change


def walked(setting: Setting, days: tuple[DatedQuotes, ...], progress: Progress) -> Walk:
    """Calibrate each day, and price later days with the parameters of earlier ones.

    Raises
    ------
    InvalidInputError
        Fewer than eight days can be fitted.
    """
    fits: list[CalibrationResult] = []
    kept: list[DatedQuotes] = []
    left_out = []
    for k, day in enumerate(days):
        try:
            fits.append(setting.fit(day.quotes).results[0])
            kept.append(day)
        except LevyError as error:
            left_out.append(f"{day.name}: {error.message}")
        progress(k + 1, len(days))
    if len(kept) < _FEWEST_DAYS:
        raise InvalidInputError(f"{len(kept)} days can be fitted; {_FEWEST_DAYS} are required")
    values = [quantities(fit.model) for fit in fits]
    errors = {
        horizon: {
            name: np.array(
                [
                    root_mean_square(
                        repricing_errors(kept[k + horizon].quotes, forecast(fits[: k + 1]))
                    )
                    for k in range(len(kept) - horizon)
                ]
            )
            for name, forecast in FORECASTS.items()
        }
        for horizon in HORIZONS
    }
    same = [
        root_mean_square(repricing_errors(d.quotes, f.model))
        for d, f in zip(kept, fits, strict=True)
    ]
    counts = [
        agreement(a, b, 0.95, ("robust",))["robust/parameters"] for a, b in itertools.pairwise(fits)
    ]
    n_hits, n_trials = np.sum(counts, axis=0)
    return Walk(
        tuple(day.name for day in kept),
        {name: np.array([v[name] for v in values]) for name in values[0]},
        errors,
        _median(np.array(same)),
        float(n_hits / n_trials) if n_trials else np.nan,
        tuple(left_out),
    )


def _mean_of_last(n_days: int) -> Callable[[list[CalibrationResult]], Model]:
    def forecast(fits: list[CalibrationResult]) -> Model:
        window = fits[-n_days:]
        points = [np.asarray(fit.model.to_coordinates(), dtype=float) for fit in window]
        return type(window[0].model).from_coordinates(np.mean(points, axis=0))

    return forecast


FORECASTS: Final[dict[str, Callable[[list[CalibrationResult]], Model]]] = {
    _LAST: lambda fits: fits[-1].model,
    f"mean of {_ROLLING} days": _mean_of_last(_ROLLING),
    "mean of all days": _mean_of_last(10**6),
}
"""Parameters that price later days: of the last day, a rolling and an expanding window."""


@dataclass(frozen=True)
class Drift:
    """Tests of a change of level of several series.

    Attributes
    ----------
    changes : mapping of str to ChangePoint
    corrected : ndarray, shape (n_series,)
        p-values by Holm, so that the rate of false alarms is that of all series together.
    """

    changes: dict[str, ChangePoint]
    corrected: np.ndarray

    @property
    def is_alarm(self) -> bool:
        """Whether a series has changed at the stated rate of false alarms."""
        return bool(np.any(self.corrected <= FALSE_ALARMS))

    def rows(self, days: tuple[str, ...]) -> list[tuple[Cell, ...]]:
        """Return the rows of the table."""
        return [
            (
                name,
                days[c.position],
                c.before,
                c.after,
                c.p_value,
                float(p),
                bool(p <= FALSE_ALARMS),
            )
            for (name, c), p in zip(self.changes.items(), self.corrected, strict=True)
        ]


def detected_drift(setting: Setting, walk: Walk) -> Drift:
    """Test the parameters' series for a change of level."""
    series = {
        name: np.log(values) if np.all(values > 0.0) else values
        for name, values in walk.parameters.items()
        if name in ("variance", "skewness", "excess_kurtosis")
    }
    changes = {
        name: ChangePoint.of(values, setting.rng(8, k), n_permutations=setting.effort.n_resamples)
        for k, (name, values) in enumerate(series.items())
    }
    p_values = [change.p_value for change in changes.values()]
    return Drift(changes, multipletests(p_values, method="holm")[1])


def _ageing(walk: Walk) -> Iterator[tuple[Cell, ...]]:
    for horizon, by_forecast in walk.errors.items():
        for name, errors in by_forecast.items():
            dm = DieboldMariano.of(errors, by_forecast[_LAST], horizon)
            is_last = name == _LAST
            high = float(np.nanquantile(errors, 0.95))
            yield (
                *(horizon, name, _median(errors), high),
                *((None, None) if is_last else (dm.statistic, dm.p_value)),
            )


def _stability(walk: Walk) -> Iterator[tuple[Cell, ...]]:
    for name, values in walk.parameters.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            change = 100.0 * np.abs(np.diff(values) / values[:-1])
        yield (
            name,
            *map(float, (values.mean(), values.std(ddof=1), np.median(change), change.max())),
        )


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values))


def _findings(walk: Walk, drift: Drift, change: int | None) -> Iterator[str]:
    if change is not None:
        yield (
            f"Fewer than {_FEWEST_DAYS} days were given: the walk is through simulated regimes, "
            f"whose variance changes at day {change}."
        )
    aged = _median(walk.errors[1][_LAST])
    yield (
        f"Errors grow from {walk.same_day:.0f} basis points on the day of the fit to {aged:.0f} a "
        "day later without a new fit."
    )
    yield (
        f"{walk.agreeing:.0%} of the changes of parameters from day to day lie within their "
        "combined 95% intervals."
    )
    for (name, drift_of), p in zip(drift.changes.items(), drift.corrected, strict=True):
        if p <= FALSE_ALARMS:
            day = walk.names[drift_of.position]
            yield f"The level of {name.replace('_', ' ')} changed at {day}."
    yield from (f"Left out: {reason}" for reason in walk.left_out)

"""Comparison of models on one surface, in sample and out of sample."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from levy_numerics.calibration.fit_quality import FitQuality
from levy_numerics.calibration.least_squares import calibrate
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.display import Displayed
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing import price

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Comparison(Displayed):
    """The fit of one of several models that are compared on the same quotes.

    Attributes
    ----------
    name : str
    result : CalibrationResult
        Fit to all quotes.
    in_sample, out_of_sample : FitQuality or None
        Quality of the fit to every other strike, on these and on the remaining strikes. None
        without a holdout.
    """

    name: str
    result: CalibrationResult
    in_sample: FitQuality | None
    out_of_sample: FitQuality | None

    @property
    def score(self) -> float:
        """Error of implied volatility by which models are ranked: out of sample if there is one."""
        judged = self.out_of_sample or self.result.fit
        return judged.implied_vol_rmse if np.isfinite(judged.implied_vol_rmse) else np.inf

    def _title(self) -> str:
        return f"{self.name}: comparison"

    def _facts(self) -> Mapping[str, Any]:
        return {"Status": self.result.status, "Score": self.score}

    def _columns(self) -> Mapping[str, Any]:
        fits = {
            "all quotes": self.result.fit,
            "in sample": self.in_sample,
            "out of sample": self.out_of_sample,
        }
        present = {label: fit for label, fit in fits.items() if fit is not None}
        names = ("n_quotes", "rmse", "arpe", "implied_vol_rmse")
        columns = {name: [getattr(fit, name) for fit in present.values()] for name in names}
        return {"quotes": list(present), **columns}

    def _notes(self) -> tuple[str, ...]:
        return self.result.warnings


def compare_one(
    model: type[Model],
    quotes: Quotes,
    *,
    weights: str | None = None,
    holdout: bool = True,
    n_starts: int | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Comparison:
    """Fit one model to every other strike, evaluate it on the rest, then fit it to all quotes.

    Parameters
    ----------
    holdout : bool
        Whether to evaluate out of sample, where there are enough strikes.
    n_starts, should_stop
        As in `calibrate`; the fit to all quotes starts from the fit to every other strike.
    """
    kept = alternate_strikes(quotes.contracts)
    if not holdout or kept.sum() < len(model.parameters()) or kept.all():
        whole = calibrate(
            model, quotes, weights=weights, n_starts=n_starts, should_stop=should_stop
        )
        return Comparison(model.name, whole, None, None)
    seen, unseen = quotes.select(kept), quotes.select(~kept)
    half = calibrate(model, seen, weights=weights, n_starts=n_starts, should_stop=should_stop)
    predicted = price(half.model, unseen.contracts, tolerance=_TOLERANCE).value
    whole = calibrate(
        model, quotes, weights=weights, start=half.parameters, should_stop=should_stop
    )
    return Comparison(model.name, whole, half.fit, FitQuality.of(unseen, predicted))


def ranked(comparisons: Iterable[Comparison]) -> tuple[Comparison, ...]:
    """Return comparisons in order of score, best first."""
    return tuple(sorted(comparisons, key=lambda comparison: comparison.score))


def alternate_strikes(contracts: Contracts) -> np.ndarray:
    """Return a mask of every other strike of each expiry, from the lowest, shape (n,)."""
    order = np.lexsort((contracts.strike, contracts.maturity_years))
    years = contracts.maturity_years[order]
    first = np.r_[True, years[1:] != years[:-1]]
    position = np.arange(years.size)
    rank = position - np.maximum.accumulate(np.where(first, position, 0))
    kept = np.empty(contracts.size, dtype=bool)
    kept[order] = rank % 2 == 0
    return kept

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
_MIN_EXPIRIES = 3


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
    held_out_expiries : FitQuality or None
        Quality, on the remaining expiries, of the fit to every other expiry. Adjacent strikes share
        the misfit of their smile, so that only whole expiries show overfitting. None without a
        holdout, and with fewer than three expiries.
    """

    name: str
    result: CalibrationResult
    in_sample: FitQuality | None
    out_of_sample: FitQuality | None
    held_out_expiries: FitQuality | None = None

    @property
    def score(self) -> float:
        """Error of implied volatility by which models are ranked.

        On expiries held out if there are some, else on strikes held out, else on all quotes.
        """
        judged = self.held_out_expiries or self.out_of_sample or self.result.fit
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
            "expiries held out": self.held_out_expiries,
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
    """Fit one model to half of the quotes, evaluate it on the rest, then fit it to all quotes.

    Halves are every other strike and, with three expiries or more, every other expiry.

    Parameters
    ----------
    holdout : bool
        Whether to evaluate out of sample, where there are enough strikes.
    n_starts, should_stop
        As in `calibrate`; the other fits start from the fit to every other strike.
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
    out_of_sample = FitQuality.of(unseen, predicted)
    early = alternate_expiries(quotes.contracts)
    if early.all() or early.sum() < len(model.parameters()):
        return Comparison(model.name, whole, half.fit, out_of_sample)
    seen, unseen = quotes.select(early), quotes.select(~early)
    fit = calibrate(model, seen, weights=weights, start=half.parameters, should_stop=should_stop)
    predicted = price(fit.model, unseen.contracts, tolerance=_TOLERANCE).value
    held_out = FitQuality.of(unseen, predicted)
    return Comparison(model.name, whole, half.fit, out_of_sample, held_out)


def ranked(comparisons: Iterable[Comparison]) -> tuple[Comparison, ...]:
    """Return comparisons in order of score, best first."""
    return tuple(sorted(comparisons, key=lambda comparison: comparison.score))


def alternate_expiries(contracts: Contracts) -> np.ndarray:
    """Return a mask of every other expiry from the shortest, shape (n,); all of fewer than three.

    The longest is kept too: beyond it there is nothing to interpolate to.
    """
    maturities, expiry = contracts.by_maturity.maturity_groups
    if maturities.size < _MIN_EXPIRIES:
        return np.ones(contracts.size, dtype=bool)
    return np.asarray((expiry % 2 == 0) | (expiry == maturities.size - 1))


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

"""Calibration of each expiry separately: the term structure of a model's parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from levy_numerics.calibration.fit_quality import FitQuality
from levy_numerics.calibration.least_squares import calibrate
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.display import Displayed, graph_objects
from levy_numerics.errors import InvalidInputError, UnsupportedError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model


@dataclass(frozen=True)
class TermStructure(Displayed):
    """A model fitted expiry by expiry.

    Attributes
    ----------
    maturities : ndarray, shape (m,)
        Years, increasing.
    results : tuple of CalibrationResult
        One for each maturity.
    model_prices : ndarray, shape (n,)
        In the order of the quotes.
    fit : FitQuality
        Over all quotes.
    """

    maturities: np.ndarray
    results: tuple[CalibrationResult, ...]
    model_prices: np.ndarray
    fit: FitQuality

    def plot(self) -> Any:
        """Return a Plotly figure of each parameter against maturity."""
        figure = graph_objects().Figure()
        for name in self.results[0].parameters:
            values = [result.parameters[name] for result in self.results]
            figure.add_scatter(x=self.maturities, y=values, name=name, mode="lines+markers")
        return figure.update_layout(title=self._title(), xaxis_title="years")

    def _title(self) -> str:
        return f"{self.results[0].model.name}: one fit per maturity"

    def _facts(self) -> Mapping[str, Any]:
        return {
            "No. Maturities": self.maturities.size,
            "No. Quotes": self.fit.n_quotes,
            "RMSE": self.fit.rmse,
            "RMSE implied vol": self.fit.implied_vol_rmse,
        }

    def _columns(self) -> Mapping[str, Any]:
        names = self.results[0].parameters
        by_name = {name: [one.parameters[name] for one in self.results] for name in names}
        return {
            "maturity_years": self.maturities,
            **by_name,
            "implied_vol_rmse": [one.fit.implied_vol_rmse for one in self.results],
            "status": [one.status for one in self.results],
        }


def calibrate_each_maturity(
    model: type[Model],
    quotes: Quotes,
    *,
    weights: str | None = None,
    n_starts: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TermStructure:
    """Fit a Lévy model to each expiry separately.

    The expiry with most quotes is fitted by multistart. The others start from the parameters of
    the adjacent expiry, and use multistart where that does not converge.

    Parameters
    ----------
    model : type of Model
        With stationary increments: one with a time structure needs several expiries.
    quotes : Quotes
    weights, n_starts, seed
        As in `calibrate`.
    progress : callable, optional
        Called with the number of expiries done and the total.
    should_stop : callable, optional
        As in `calibrate`, for the fit of each expiry.

    Raises
    ------
    UnsupportedError
        `model` has a time structure.
    InvalidInputError
        An expiry has fewer quotes than the model has parameters; the message names it.
    """
    if not model.has_stationary_increments:
        raise UnsupportedError(
            f"{model.name} has a term structure of its own; fit it to the whole surface, or fit a "
            "Lévy model per maturity"
        )
    years = quotes.contracts.maturity_years
    maturities, counts = np.unique(years, return_counts=True)
    _require_enough(model, maturities, counts)
    results: dict[int, CalibrationResult] = {}
    for k, adjacent in _outwards(int(counts.argmax()), maturities.size):
        quotes_here = quotes.select(years == maturities[k])
        result = None
        if adjacent is not None:
            start = results[adjacent].parameters
            result = calibrate(
                model, quotes_here, weights=weights, start=start, should_stop=should_stop
            )
        if result is None or result.status != "converged":
            multistart = calibrate(
                model,
                quotes_here,
                weights=weights,
                n_starts=n_starts,
                seed=seed,
                should_stop=should_stop,
            )
            result = multistart if result is None or multistart.cost < result.cost else result
        results[k] = result
        if progress is not None:
            progress(len(results), maturities.size)
    prices = np.empty(quotes.size)
    for k, result in results.items():
        prices[years == maturities[k]] = result.model_prices
    ordered = tuple(results[k] for k in range(maturities.size))
    return TermStructure(maturities, ordered, prices, FitQuality.of(quotes, prices))


def _require_enough(model: type[Model], maturities: np.ndarray, counts: np.ndarray) -> None:
    needed = len(model.parameters())
    short = maturities[counts < needed]
    if short.size:
        shown = ", ".join(f"T = {t:.4g}" for t in short)
        raise InvalidInputError(
            f"{model.name} needs {needed} quotes at every expiry; there are fewer at {shown}",
            maturity_years=short.tolist(),
        )


def _outwards(first: int, size: int) -> list[tuple[int, int | None]]:
    """Return indices from `first` to both ends, each with the adjacent index fitted before it."""
    later = [(k, k - 1) for k in range(first + 1, size)]
    earlier = [(k, k + 1) for k in range(first - 1, -1, -1)]
    return [(first, None), *later, *earlier]

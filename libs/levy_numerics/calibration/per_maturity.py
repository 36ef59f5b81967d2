"""One fit for each expiry: the term structure of a model's parameters."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from levy_numerics.calibration.fit_quality import FitQuality
from levy_numerics.calibration.least_squares import calibrate
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.errors import InvalidInputError, UnsupportedError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model


@dataclass(frozen=True)
class TermStructure:
    """A model fitted expiry by expiry.

    Attributes
    ----------
    maturities : ndarray, shape (m,)
        Years, increasing.
    results : tuple of CalibrationResult
        One for each.
    model_prices : ndarray, shape (n,)
        In the order of the quotes.
    fit : FitQuality
        Over all quotes.
    """

    maturities: np.ndarray
    results: tuple[CalibrationResult, ...]
    model_prices: np.ndarray
    fit: FitQuality


def calibrate_each_maturity(
    model: type[Model],
    quotes: Quotes,
    *,
    weights: str = "price",
    n_starts: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> TermStructure:
    """Fit a Lévy model to every expiry on its own.

    The expiry with most quotes is fitted from screened starts; the others, going outwards from
    it, from their neighbour's parameters, and from screened starts where that does not converge.

    Parameters
    ----------
    model : type of Model
        With stationary increments: one with a time structure needs several expiries.
    quotes : Quotes
    weights, n_starts, seed
        As in `calibrate`.
    progress : callable, optional
        Told (expiries done, expiries in all).

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
    for k, neighbour in _outwards(int(counts.argmax()), maturities.size):
        here = quotes.select(years == maturities[k])
        found = None
        if neighbour is not None:
            start = results[neighbour].parameters
            found = calibrate(model, here, weights=weights, start=start)
        if found is None or found.status != "converged":
            screened = calibrate(model, here, weights=weights, n_starts=n_starts, seed=seed)
            found = screened if found is None or screened.cost < found.cost else found
        results[k] = found
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
    """Indices from `first` out to both ends, each with the neighbour fitted before it."""
    later = [(k, k - 1) for k in range(first + 1, size)]
    earlier = [(k, k + 1) for k in range(first - 1, -1, -1)]
    return [(first, None), *later, *earlier]

"""Predictive distributions of quotes that a fit has not seen."""

from dataclasses import dataclass

import numpy as np

from levy_numerics.calibration import CalibrationResult, calibrate
from levy_numerics.calibration.comparison import alternate_expiries, alternate_strikes
from levy_numerics.calibration.fit_quality import vols_of_quotes
from levy_numerics.implied_volatility import vols_of_prices
from levy_numerics.market import Quotes
from levy_numerics.pricing import price


@dataclass(frozen=True)
class HeldOut:
    """Normal predictions of the implied volatilities of quotes held out.

    Attributes
    ----------
    error : ndarray, shape (n,)
        Model less market, basis points of volatility; NaN where a price determines none.
    deviation : float
        Of a prediction, basis points: the error of the quotes that were fitted, with a degree of
        freedom less for each parameter.
    """

    error: np.ndarray
    deviation: float


def held_out(fit: CalibrationResult, quotes: Quotes) -> HeldOut:
    """Fit a model to half of the quotes, from its fit to all, and predict the others.

    The halves are every other expiry, or every other strike of fewer than three expiries.
    """
    kept = alternate_expiries(quotes.contracts)
    if kept.all() or kept.sum() <= len(fit.parameters):
        kept = alternate_strikes(quotes.contracts)
    seen, unseen = quotes.select(kept), quotes.select(~kept)
    half = calibrate(type(fit.model), seen, weights=fit.weights, start=fit.parameters)
    fitted = _vol_errors(seen, half.model_prices)
    fitted = fitted[np.isfinite(fitted)]
    degrees = max(fitted.size - len(fit.parameters), 1)
    predicted = price(half.model, unseen.contracts).value
    return HeldOut(_vol_errors(unseen, predicted), float(np.sqrt(np.sum(fitted**2) / degrees)))


def _vol_errors(quotes: Quotes, prices: np.ndarray) -> np.ndarray:
    """Return errors of volatility in basis points."""
    return np.asarray(1e4 * (vols_of_prices(prices, quotes.contracts) - vols_of_quotes(quotes)))

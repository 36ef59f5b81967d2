"""How far fitted prices are from the market's."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from levy_numerics.calibration.weights import vols_of
from levy_numerics.jit import compiled
from levy_numerics.market import Quotes


@dataclass(frozen=True)
class PricingErrors:
    """Fitted prices less the market's, quote by quote.

    Attributes
    ----------
    market_price, price : ndarray, shape (n,)
        What is asked, and the error in it; currency.
    vol : ndarray, shape (n,)
        Error of implied volatility; NaN where market or model has none.
    """

    market_price: np.ndarray
    price: np.ndarray
    vol: np.ndarray

    @classmethod
    def of(cls, quotes: Quotes, model_prices: np.ndarray) -> Self:
        """Compare `model_prices`, shape (n,), with the quotes."""
        vols, exist = vols_of(np.stack([quotes.price, model_prices]), quotes)
        vol = np.where(exist.all(axis=0), vols[1] - vols[0], np.nan)
        return cls(quotes.price, model_prices - quotes.price, vol)


@dataclass(frozen=True)
class FitQuality:
    """Errors of the fitted prices, in the terms of Schoutens (2003), section 1.4.

    Attributes
    ----------
    rmse, aae : float
        Root-mean-square and mean absolute error, currency.
    ape : float
        `aae` over the mean price.
    arpe : float
        Mean of |error|/price, over the quotes with a price.
    implied_vol_rmse : float
        Root-mean-square error of implied volatility, where market and model have one; NaN where
        none do.
    n_quotes : int
    """

    rmse: float
    aae: float
    ape: float
    arpe: float
    implied_vol_rmse: float
    n_quotes: int

    @property
    def relative_error(self) -> float:
        """The name of `arpe` on the wire."""
        return self.arpe

    @classmethod
    def of(cls, quotes: Quotes, model_prices: np.ndarray) -> Self:
        """Compare `model_prices`, shape (n,), with the quotes."""
        return cls.of_errors(PricingErrors.of(quotes, model_prices))

    @classmethod
    def of_errors(cls, errors: PricingErrors) -> Self:
        """Summarise errors."""
        ((found, _),) = cls.of_groups(errors, np.zeros(errors.price.size, dtype=int))
        return found

    @classmethod
    def of_groups(cls, errors: PricingErrors, group: np.ndarray) -> list[tuple[Self, float]]:
        """Summarise the errors of each group; and their volatility's mean, NaN where none exist.

        Parameters
        ----------
        errors : PricingErrors
        group : ndarray of int, shape (n,)
            To which of the groups 0, 1, … each quote belongs; none is empty.
        """
        summaries = _summaries(errors.market_price, errors.price, errors.vol, group)
        return [
            (cls(rmse, aae, ape, arpe, vol_rmse, int(n)), mean_vol)
            for n, mean_vol, rmse, aae, ape, arpe, vol_rmse in summaries.tolist()
        ]


@compiled
def _summaries(
    market_price: np.ndarray, price: np.ndarray, vol: np.ndarray, group: np.ndarray
) -> np.ndarray:
    """Of each group, shape (n_groups, 7).

    How many quotes there are, the mean error of volatility, and `rmse` to `implied_vol_rmse`.
    """
    n_groups = group.max() + 1
    n, squares, sizes = np.zeros(n_groups), np.zeros(n_groups), np.zeros(n_groups)
    prices, relative, n_priced = np.zeros(n_groups), np.zeros(n_groups), np.zeros(n_groups)
    vols, vol_squares, n_vols = np.zeros(n_groups), np.zeros(n_groups), np.zeros(n_groups)
    for k in range(len(group)):
        i, size = group[k], abs(price[k])
        n[i] += 1.0
        squares[i] += size * size
        sizes[i] += size
        prices[i] += market_price[k]
        if market_price[k] > 0.0:
            n_priced[i] += 1.0
            relative[i] += size / market_price[k]
        if np.isfinite(vol[k]):
            n_vols[i] += 1.0
            vols[i] += vol[k]
            vol_squares[i] += vol[k] * vol[k]
    found = np.empty((n_groups, 7))
    for i in range(n_groups):
        found[i, 0] = n[i]
        found[i, 1] = vols[i] / n_vols[i]
        found[i, 2] = math.sqrt(squares[i] / n[i])
        found[i, 3] = sizes[i] / n[i]
        found[i, 4] = sizes[i] / prices[i] if prices[i] > 0.0 else np.inf
        found[i, 5] = relative[i] / max(n_priced[i], 1.0)
        found[i, 6] = math.sqrt(vol_squares[i] / n_vols[i])
    return found


def in_spread_share(quotes: Quotes, model_prices: np.ndarray) -> float:
    """Share of `model_prices`, shape (n,), between bid and ask; NaN where these are not known."""
    if quotes.bid is None or quotes.ask is None:
        return np.nan
    return float(np.mean((quotes.bid <= model_prices) & (model_prices <= quotes.ask)))

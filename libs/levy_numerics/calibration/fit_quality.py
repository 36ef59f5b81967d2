"""How far fitted prices are from the market's."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from levy_numerics.calibration.weights import vols_of
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
        (found,) = cls.of_groups(errors, np.zeros(errors.price.size, dtype=int))
        return found

    @classmethod
    def of_groups(cls, errors: PricingErrors, group: np.ndarray) -> list[Self]:
        """Summarise the errors of each group.

        Parameters
        ----------
        errors : PricingErrors
        group : ndarray of int, shape (n,)
            To which of the groups 0, 1, … each quote belongs; none is empty.
        """
        size, market = np.abs(errors.price), errors.market_price
        n = np.bincount(group)
        rmse = np.sqrt(np.bincount(group, size**2) / n)
        aae = np.bincount(group, size) / n
        price = np.bincount(group, market) / n
        positive = market > 0
        relative = size / np.where(positive, market, np.inf)
        arpe = np.bincount(group, relative) / np.maximum(np.bincount(group, positive), 1.0)
        mean_square = grouped_mean(errors.vol**2, group)
        with np.errstate(divide="ignore", invalid="ignore"):
            ape = np.where(price > 0, aae / price, np.inf)
        columns = (rmse, aae, ape, arpe, np.sqrt(mean_square), n)
        return [cls(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def grouped_mean(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Mean of the values of each group that are numbers; NaN where none are."""
    known = np.isfinite(values)
    n = np.bincount(group, known)
    total = np.bincount(group, np.where(known, values, 0.0))
    return np.asarray(np.where(n > 0, total / np.maximum(n, 1.0), np.nan))


def in_spread_share(quotes: Quotes, model_prices: np.ndarray) -> float:
    """Share of `model_prices`, shape (n,), between bid and ask; NaN where these are not known."""
    if quotes.bid is None or quotes.ask is None:
        return np.nan
    return float(np.mean((quotes.bid <= model_prices) & (model_prices <= quotes.ask)))

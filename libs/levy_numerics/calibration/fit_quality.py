"""How far fitted prices are from the market's."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from levy_numerics.calibration.weights import vols_of
from levy_numerics.compiling import compiled
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
        n, squares, sizes, prices, relative, positive, vols_known, vol_squares, _ = _sums(
            errors.market_price, errors.price, errors.vol, group
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            columns = (
                np.sqrt(squares / n),
                sizes / n,
                np.where(prices > 0, sizes / prices, np.inf),
                relative / np.maximum(positive, 1.0),
                np.sqrt(vol_squares / vols_known),
            )
        rows = zip(*(column.tolist() for column in columns), map(int, n), strict=True)
        return [cls(*row) for row in rows]


def mean_vol_errors(errors: PricingErrors, group: np.ndarray) -> np.ndarray:
    """Mean error of implied volatility in each group, of those that have one; else NaN."""
    *_, known, _, total = _sums(errors.market_price, errors.price, errors.vol, group)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / known)


@compiled
def _sums(
    market_price: np.ndarray, price: np.ndarray, vol: np.ndarray, group: np.ndarray
) -> np.ndarray:
    """Sums over each group, shape (9, n_groups).

    Of ones; of the errors' squares and sizes; of the market's prices; of errors over prices that
    are positive, and how many are; of ones, squares and errors where there are volatilities.
    """
    sums = np.zeros((9, group.max() + 1))
    for k in range(len(group)):
        of = sums[:, group[k]]
        size = abs(price[k])
        of[0] += 1.0
        of[1] += size * size
        of[2] += size
        of[3] += market_price[k]
        if market_price[k] > 0.0:
            of[4] += size / market_price[k]
            of[5] += 1.0
        if np.isfinite(vol[k]):
            of[6] += 1.0
            of[7] += vol[k] * vol[k]
            of[8] += vol[k]
    return sums


def in_spread_share(quotes: Quotes, model_prices: np.ndarray) -> float:
    """Share of `model_prices`, shape (n,), between bid and ask; NaN where these are not known."""
    if quotes.bid is None or quotes.ask is None:
        return np.nan
    return float(np.mean((quotes.bid <= model_prices) & (model_prices <= quotes.ask)))

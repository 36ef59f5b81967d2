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
        market, in_market = vols_of(quotes.price, quotes)
        model, in_model = vols_of(model_prices, quotes)
        vol = np.where(in_market & in_model, model - market, np.nan)
        return cls(quotes.price, model_prices - quotes.price, vol)

    def select(self, which: np.ndarray) -> "PricingErrors":
        """Errors picked by a mask."""
        return PricingErrors(self.market_price[which], self.price[which], self.vol[which])


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
        size = np.abs(errors.price)
        market = errors.market_price
        positive = market > 0
        mean_price = float(market.mean())
        vol = errors.vol[np.isfinite(errors.vol)]
        return cls(
            rmse=float(np.sqrt(np.mean(size**2))),
            aae=float(size.mean()),
            ape=float(size.mean() / mean_price) if mean_price > 0 else np.inf,
            arpe=float(np.mean(size[positive] / market[positive])) if positive.any() else 0.0,
            implied_vol_rmse=float(np.sqrt(np.mean(vol**2))) if vol.size else np.nan,
            n_quotes=size.size,
        )


def in_spread_share(quotes: Quotes, model_prices: np.ndarray) -> float:
    """Share of `model_prices`, shape (n,), between bid and ask; NaN where these are not known."""
    if quotes.bid is None or quotes.ask is None:
        return np.nan
    return float(np.mean((quotes.bid <= model_prices) & (model_prices <= quotes.ask)))

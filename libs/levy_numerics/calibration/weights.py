"""What one unit of error is worth: in currency, in volatility, or in spreads."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Final, Literal, Self

import numpy as np

from levy_numerics.black import black_price, black_vega
from levy_numerics.errors import InvalidInputError, UnsupportedError
from levy_numerics.implied_volatility import vols_of_prices
from levy_numerics.market import Contracts, Quotes

Weights = Literal["price", "vega", "bid_ask"]
WEIGHTS: Final[tuple[Weights, ...]] = ("price", "vega", "bid_ask")

_LEAST_VEGA: Final = 1e-4
"""Of the vega at the money: below it a price's own error would count for more than its news."""
_LEAST_DEVIATION: Final = 1e-8
_LEAST_SPREAD: Final = 1e-6
_TYPICAL_VOL: Final = 0.2


class Weighting(ABC):
    """Residuals of model prices, and how they move with the prices."""

    @abstractmethod
    def residuals(self, prices: np.ndarray) -> np.ndarray:
        """Weighted errors of `prices`; shape (…, n) both."""

    @abstractmethod
    def slopes(self, prices: np.ndarray) -> np.ndarray:
        """∂ residual/∂ price at `prices`, shape (n,) both."""

    @abstractmethod
    def select(self, which: np.ndarray) -> Self:
        """Errors of some of the quotes, picked by indices or a mask."""


@dataclass(frozen=True)
class ScaledErrors(Weighting):
    """(model − market)/scale.

    Attributes
    ----------
    market, scale : ndarray, shape (n,)
        Currency.
    """

    market: np.ndarray
    scale: np.ndarray

    def residuals(self, prices: np.ndarray) -> np.ndarray:
        return np.asarray((prices - self.market) / self.scale)

    def slopes(self, prices: np.ndarray) -> np.ndarray:
        return np.asarray(1.0 / self.scale)

    def select(self, which: np.ndarray) -> Self:
        return type(self)(self.market[which], self.scale[which])


@dataclass(frozen=True)
class VolErrors(Weighting):
    """Implied volatility of the model less that of the market.

    Below the price at which vega falls to its least, volatility goes on along its tangent: a price
    that has no volatility, or hardly determines one, still says how far away it is, and errors
    have a derivative everywhere.

    Attributes
    ----------
    quotes : Quotes
    market : ndarray, shape (n,)
        Volatility of the market's prices, continued so.
    floor_price, floor_vol, floor_vega : ndarray, shape (n,)
        Where the continuation begins, and its slope.
    """

    quotes: Quotes
    market: np.ndarray
    floor_price: np.ndarray
    floor_vol: np.ndarray
    floor_vega: np.ndarray

    @classmethod
    def of(cls, quotes: Quotes) -> Self:
        """Find where volatilities end, and those of the market."""
        c = quotes.contracts
        at_the_money = c.discount * c.forward * np.sqrt(c.maturity_years / (2.0 * np.pi))
        vol, reached = _vol_of_least_vega(c)
        price = black_price(
            forward=c.forward,
            strike=c.strike,
            maturity_years=c.maturity_years,
            discount=c.discount,
            vol=vol,
            is_call=c.is_call,
        )
        floor = np.where(reached, price, np.inf)
        made = cls(quotes, np.zeros(quotes.size), floor, vol, _LEAST_VEGA * at_the_money)
        return replace(made, market=made._continued(quotes.price)[0])

    def residuals(self, prices: np.ndarray) -> np.ndarray:
        return np.asarray(self._continued(prices)[0] - self.market)

    def slopes(self, prices: np.ndarray) -> np.ndarray:
        vol, above = self._continued(prices)
        vega = vega_of(np.where(above, vol, self.floor_vol), self.quotes)
        return np.asarray(1.0 / np.where(above, np.maximum(vega, self.floor_vega), self.floor_vega))

    def select(self, which: np.ndarray) -> Self:
        arrays = (self.market, self.floor_price, self.floor_vol, self.floor_vega)
        return type(self)(self.quotes.select(which), *(array[which] for array in arrays))

    def _continued(self, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Volatilities of prices, shape (…, n), and where they are not continued."""
        vol, exists = vols_of(prices, self.quotes)
        above = exists & (prices > self.floor_price)
        start = np.where(np.isfinite(self.floor_price), self.floor_price, self.quotes.price)
        return np.where(above, vol, self.floor_vol + (prices - start) / self.floor_vega), above


def weighting(quotes: Quotes, weights: str) -> Weighting:
    """Errors weighted as asked.

    `price`: over the mean present value of the forward, so that all quotes count alike in
    currency. `vega`: errors of implied volatility. `bid_ask`: over half the spread.

    Raises
    ------
    UnsupportedError
        No such weights.
    InvalidInputError
        `bid_ask` without bids and asks.
    """
    forward_value = quotes.contracts.discount * quotes.contracts.forward
    if weights == "price":
        return ScaledErrors(quotes.price, np.full(quotes.size, forward_value.mean()))
    if weights == "vega":
        return VolErrors.of(quotes)
    if weights == "bid_ask":
        if quotes.bid is None or quotes.ask is None:
            raise InvalidInputError("weights = bid_ask need quotes with bid and ask")
        half_spread = 0.5 * (quotes.ask - quotes.bid)
        return ScaledErrors(quotes.price, np.maximum(half_spread, _LEAST_SPREAD * forward_value))
    raise UnsupportedError(f"no weights are called {weights!r}; known are {', '.join(WEIGHTS)}")


def error_scale(quotes: Quotes, weights: str) -> np.ndarray:
    """What one unit of weighted error is worth, shape (n,), currency.

    The same units as `weighting`, to first order about the market's prices for `vega`: errors of
    quotes are errors of prices.

    Raises
    ------
    UnsupportedError, InvalidInputError
        As `weighting`.
    """
    return np.asarray(1.0 / weighting(quotes, weights).slopes(quotes.price))


def _vol_of_least_vega(contracts: Contracts) -> tuple[np.ndarray, np.ndarray]:
    """Lowest volatility with the least vega, and where there is one: d₁² = −2 ln(least)."""
    x = contracts.log_moneyness
    d_squared = -2.0 * np.log(_LEAST_VEGA)
    reached = d_squared > 2.0 * x
    root = np.sqrt(np.where(reached, d_squared - 2.0 * x, 0.0))
    deviation = np.maximum(2.0 * np.abs(x) / (np.sqrt(d_squared) + root), _LEAST_DEVIATION)
    return deviation / np.sqrt(contracts.maturity_years), reached


def vols_of(prices: np.ndarray, quotes: Quotes) -> tuple[np.ndarray, np.ndarray]:
    """Implied volatilities of `prices` for the contracts of `quotes`, and which of them exist."""
    vols = vols_of_prices(prices, quotes.contracts)
    return vols, ~np.isnan(vols)


def vega_of(vol: np.ndarray, quotes: Quotes) -> np.ndarray:
    """Black vega of the contracts of `quotes` at `vol`, shape (n,)."""
    c = quotes.contracts
    return black_vega(
        forward=c.forward,
        strike=c.strike,
        maturity_years=c.maturity_years,
        discount=c.discount,
        vol=vol,
    )


def typical_vol(quotes: Quotes) -> float:
    """Median implied volatility of the quotes nearest to the money, one third of them."""
    distance = np.abs(quotes.contracts.log_moneyness) / np.sqrt(quotes.contracts.maturity_years)
    near = quotes.select(distance <= np.sort(distance)[distance.size // 3])
    vol, exists = vols_of(near.price, near)
    return float(np.median(vol[exists])) if exists.any() else _TYPICAL_VOL

"""The quotes of a request, as arrays."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from levy_numerics.implied_volatility import black_prices
from levy_numerics.market import Contracts
from levy_schemas.problems import pointer
from levy_schemas.surface import Quote, SurfaceRequest

NO_TIME_VALUE: Final = 1e-12
"""Time value, as a fraction of the discounted forward, lost in the rounding of a double."""


@dataclass(frozen=True)
class RequestRows:
    """The quotes of a request as arrays, shape (n,); NaN where a side or a price is absent.

    Attributes
    ----------
    strike, maturity_years, price, bid, ask : ndarray
    implied_vol : ndarray or None
        None if no quote has one.
    is_call, is_american : ndarray of bool
    pointer_to : callable
        Index ↦ JSON pointer into the request.
    """

    strike: np.ndarray
    maturity_years: np.ndarray
    price: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    is_call: np.ndarray
    is_american: np.ndarray
    pointer_to: Callable[[int], str]
    implied_vol: np.ndarray | None = None

    @classmethod
    def of(cls, request: SurfaceRequest) -> Self:
        """Read a list of quotes, or a grid."""
        if request.quotes is not None:
            return cls._listed(request.quotes, request.exercise)
        return cls._on_grid(request)

    @classmethod
    def _listed(cls, quotes: tuple[Quote, ...], exercise: str) -> Self:
        numbers = [(q.strike, q.maturity, q.price, q.bid, q.ask) for q in quotes]
        strike, maturity, price, bid, ask = np.array(numbers, dtype=float).T
        return cls(
            strike,
            maturity,
            price,
            bid,
            ask,
            np.array([q.option_type == "call" for q in quotes]),
            np.array([(q.exercise or exercise) == "american" for q in quotes]),
            lambda i: pointer("quotes", i),
            np.array([q.implied_vol for q in quotes], dtype=float)
            if any(q.implied_vol is not None for q in quotes)
            else None,
        )

    @classmethod
    def _on_grid(cls, request: SurfaceRequest) -> Self:
        """Read every strike at every maturity, except where the price is null."""
        price = np.array(request.prices, dtype=float)
        row, column = np.nonzero(~np.isnan(price))
        unknown = np.full(row.size, np.nan)
        return cls(
            np.array(request.strikes, dtype=float)[column],
            np.array(request.maturities, dtype=float)[row],
            price[row, column],
            unknown,
            unknown,
            np.full(row.size, request.option_type != "put"),
            np.full(row.size, request.exercise == "american"),
            lambda i: pointer("prices", int(row[i]), int(column[i])),
        )

    @property
    def size(self) -> int:
        return int(self.strike.size)

    def priced(self, contracts: Contracts) -> Self:
        """Return the quotes with the prices that implied volatilities stand for."""
        if self.implied_vol is None:
            return self
        which = ~np.isnan(self.implied_vol)
        c, price = contracts.select(which), self.price.copy()
        price[which] = black_prices(self.implied_vol[which], c)
        return replace(self, price=price)

    def less(self, premium: np.ndarray) -> Self:
        """Return the quotes without a premium, not below zero."""
        price, bid, ask = (
            np.maximum(side - premium, 0.0) for side in (self.price, self.bid, self.ask)
        )
        return replace(self, price=price, bid=bid, ask=ask)

    def is_exercised(self, spot: float | None) -> np.ndarray:
        """Return which American quotes cost no more than their exercise at once would pay."""
        if spot is None or not self.is_american.any():
            return np.zeros(self.size, dtype=bool)
        price = np.where(np.isnan(self.price), 0.5 * (self.bid + self.ask), self.price)
        intrinsic = np.where(self.is_call, spot - self.strike, self.strike - spot)
        return self.is_american & (intrinsic > 0.0) & (price <= intrinsic + NO_TIME_VALUE * spot)

"""Many surfaces as padded arrays in forward units: what features are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from levy_numerics.market import Quotes


@dataclass(frozen=True)
class PricedSurfaces:
    """n surfaces of up to `width` quotes each, spot, rates and dividends taken out.

    Attributes
    ----------
    log_strike, maturity_years : ndarray, shape (n, width) or (1, width)
        ln(K/F), and years; where one listing serves all surfaces, it is there once. Zero and one in
        the padding.
    price : ndarray, shape (n, width)
        Of the out-of-the-money option, over D·F; zero in the padding.
    half_spread : ndarray, shape (n, width)
        Half of ask less bid, over D·F; zero where the price is known exactly, or no spread is told.
    present : ndarray of bool, shape (n, width)
        Where there is a quote.
    """

    log_strike: np.ndarray
    maturity_years: np.ndarray
    price: np.ndarray
    half_spread: np.ndarray
    present: np.ndarray

    @classmethod
    def of_grid(cls, log_strike: np.ndarray, maturity_years: np.ndarray, price: np.ndarray) -> Self:
        """Surfaces that share one listing: shapes (width,), (width,) and (n, width)."""
        return cls(
            log_strike=np.asarray(log_strike)[None],
            maturity_years=np.asarray(maturity_years)[None],
            price=np.asarray(price),
            half_spread=np.zeros_like(price),
            present=np.ones(np.shape(price), dtype=bool),
        )

    @classmethod
    def of_quotes(cls, surfaces: Sequence[Quotes], width: int | None = None) -> Self:
        """Market quotes, padded to `width`, or to the largest surface.

        In-the-money quotes become the out-of-the-money option of their strike, by parity.
        """
        width = max((quotes.size for quotes in surfaces), default=1) if width is None else width
        shape = (len(surfaces), width)
        made = cls(
            np.zeros(shape), np.ones(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape, bool)
        )
        for row, quotes in enumerate(surfaces):
            c, n = quotes.contracts, quotes.size
            unit = c.discount * c.forward
            made.log_strike[row, :n] = -c.log_moneyness
            made.maturity_years[row, :n] = c.maturity_years
            made.price[row, :n] = np.maximum(quotes.price - c.lower_bound, 0.0) / unit
            if quotes.bid is not None and quotes.ask is not None:
                made.half_spread[row, :n] = 0.5 * (quotes.ask - quotes.bid) / unit
            made.present[row, :n] = True
        return made

    @property
    def n_surfaces(self) -> int:
        """Number of surfaces."""
        return int(self.price.shape[0])

    @property
    def width(self) -> int:
        """Places for quotes in each."""
        return int(self.price.shape[1])

    def select(self, which: np.ndarray | slice) -> "PricedSurfaces":
        """Surfaces picked by a mask, indices or a slice."""
        shared = self.log_strike.shape[0] == 1
        return PricedSurfaces(
            self.log_strike if shared else self.log_strike[which],
            self.maturity_years if shared else self.maturity_years[which],
            self.price[which],
            self.half_spread[which],
            self.present[which],
        )

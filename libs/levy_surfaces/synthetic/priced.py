"""Batches of surfaces as padded arrays in forward units."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from levy_numerics.market import Quotes


@dataclass(frozen=True)
class PricedSurfaces:
    """n surfaces of up to `width` quotes each, in forward units.

    Attributes
    ----------
    log_strike, maturity_years : ndarray, shape (n, width) or (1, width)
        ln(K/F), and years; the first axis is 1 where all surfaces share one listing. Zero
        and one in the padding.
    price : ndarray, shape (n, width)
        Price of the out-of-the-money option, over D·F; zero in the padding.
    half_spread : ndarray, shape (n, width)
        Half of ask less bid, over D·F; zero where the price is exact or the spread is unknown.
    present : ndarray of bool, shape (n, width)
        Mask of the quotes.
    """

    log_strike: np.ndarray
    maturity_years: np.ndarray
    price: np.ndarray
    half_spread: np.ndarray
    present: np.ndarray

    @classmethod
    def of_grid(cls, log_strike: np.ndarray, maturity_years: np.ndarray, price: np.ndarray) -> Self:
        """Return surfaces that share one listing; shapes (width,), (width,) and (n, width)."""
        return cls(
            log_strike=np.asarray(log_strike)[None],
            maturity_years=np.asarray(maturity_years)[None],
            price=np.asarray(price),
            half_spread=np.zeros_like(price),
            present=np.ones(np.shape(price), dtype=bool),
        )

    @classmethod
    def of_quotes(cls, surfaces: Sequence[Quotes], width: int | None = None) -> Self:
        """Return market quotes, padded to `width` or to the largest surface.

        In-the-money quotes are converted to the out-of-the-money option by parity.
        """
        width = max((quotes.size for quotes in surfaces), default=1) if width is None else width
        shape = (len(surfaces), width)
        batch = cls(
            np.zeros(shape), np.ones(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape, bool)
        )
        for row, quotes in enumerate(surfaces):
            c, n = quotes.contracts, quotes.size
            unit = c.discount * c.forward
            batch.log_strike[row, :n] = -c.log_moneyness
            batch.maturity_years[row, :n] = c.maturity_years
            batch.price[row, :n] = np.maximum(quotes.price - c.lower_bound, 0.0) / unit
            if quotes.bid is not None and quotes.ask is not None:
                batch.half_spread[row, :n] = 0.5 * (quotes.ask - quotes.bid) / unit
            batch.present[row, :n] = True
        return batch

    @property
    def n_surfaces(self) -> int:
        """Number of surfaces."""
        return int(self.price.shape[0])

    @property
    def width(self) -> int:
        """Number of quotes of a surface, with padding."""
        return int(self.price.shape[1])

    def select(self, which: np.ndarray | slice) -> "PricedSurfaces":
        """Return the surfaces of a mask, of indices or of a slice."""
        shared = self.log_strike.shape[0] == 1
        return PricedSurfaces(
            self.log_strike if shared else self.log_strike[which],
            self.maturity_years if shared else self.maturity_years[which],
            self.price[which],
            self.half_spread[which],
            self.present[which],
        )

"""Rates over time that the forwards and discount factors of contracts imply."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts

_SAME_RATE: Final = 1e-9
"""Difference of rates, per year, below which a curve counts as flat."""


@dataclass(frozen=True)
class MarketPath:
    """Short rate and carry between consecutive maturities, constant on each interval.

    Attributes
    ----------
    years : ndarray, shape (m,)
        Distinct maturities, increasing.
    rate, carry : ndarray, shape (m,)
        Forward rate r and forward drift r − q of the interval that ends at each maturity, per year.
    group : ndarray of int, shape (n,)
        Index of each contract's maturity.
    """

    years: np.ndarray
    rate: np.ndarray
    carry: np.ndarray
    group: np.ndarray

    @classmethod
    def of(cls, contracts: Contracts, spot: float) -> "MarketPath":
        """Return the rates of contracts on an underlying.

        Raises
        ------
        InvalidInputError
            Contracts of one maturity have different forwards or discount factors.
        """
        years, first, group = np.unique(
            contracts.maturity_years, return_index=True, return_inverse=True
        )
        for name in ("forward", "discount"):
            values = getattr(contracts, name)
            if not np.allclose(values, values[first][group], rtol=1e-12, atol=0.0):
                raise InvalidInputError(
                    f"contracts of one maturity have different values of {name}; early exercise "
                    "and barriers require one for each maturity"
                )
        steps = np.diff(years, prepend=0.0)
        rate = np.diff(-np.log(contracts.discount[first]), prepend=0.0) / steps
        carry = np.diff(np.log(contracts.forward[first] / spot), prepend=0.0) / steps
        return cls(years, rate, carry, group)

    @property
    def is_flat(self) -> bool:
        """Whether rate and carry are the same on all intervals."""
        return bool(np.ptp(self.rate) < _SAME_RATE and np.ptp(self.carry) < _SAME_RATE)

    def interval(self, years: float) -> int:
        """Return the index of the interval that contains the time just before `years`."""
        after = int(np.searchsorted(self.years, years * (1.0 - 1e-12)))
        return min(after, self.years.size - 1)

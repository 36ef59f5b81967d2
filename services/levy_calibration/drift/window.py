"""The last surfaces of one model, and how far they are from training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from levy_calibration.drift.reference import Reference
from levy_calibration.drift.statistics import ks, outside, psi


@dataclass(frozen=True)
class Drift:
    """How far a quantity is from training.

    Attributes
    ----------
    quantity : str
    psi, ks, outside : float
        As in `levy_calibration.drift.statistics`; NaN where it cannot be told.
    """

    quantity: str
    psi: float
    ks: float
    outside: float


@dataclass(frozen=True)
class Window:
    """Quantities of the last surfaces, as they were: they outlive a change of reference.

    Attributes
    ----------
    quantities : tuple of str
    values : ndarray, shape (n, q)
        Oldest first; NaN is what a surface does not tell.
    size : int
        Surfaces that it holds at most.
    """

    quantities: tuple[str, ...]
    values: np.ndarray
    size: int

    @classmethod
    def of(cls, quantities: Sequence[str], size: int) -> Self:
        """Return an empty one."""
        return cls(tuple(quantities), np.empty((0, len(quantities))), size)

    @property
    def n_surfaces(self) -> int:
        """How many it holds."""
        return len(self.values)

    def extended(self, values: np.ndarray) -> "Window":
        """Copy with newer surfaces, shape (m, q), and without those that are too old for it."""
        joined = np.concatenate((self.values, values))
        return Window(self.quantities, joined[max(0, len(joined) - self.size) :], self.size)

    def drift(self, reference: Reference, fewest: int) -> Iterator[Drift]:
        """Compare each quantity of which the window knows `fewest` values at least."""
        for name, column in zip(self.quantities, self.values.T, strict=True):
            known = column[np.isfinite(column)]
            quantiles = reference.quantiles.get(name)
            if quantiles is None or known.size < max(fewest, 1):
                yield Drift(name, np.nan, np.nan, np.nan)
            else:
                yield Drift(
                    name, psi(known, quantiles), ks(known, quantiles), outside(known, quantiles)
                )

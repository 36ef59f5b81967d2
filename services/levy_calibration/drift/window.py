"""The latest surfaces of one model, and their drift from training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from levy_calibration.drift.reference import Reference
from levy_calibration.drift.statistics import ks, out_of_range_fraction, psi


@dataclass(frozen=True)
class Drift:
    """Drift of one quantity.

    Attributes
    ----------
    quantity : str
    psi, ks, out_of_range_fraction : float
        See `levy_calibration.drift.statistics`; NaN if there are too few values.
    """

    quantity: str
    psi: float
    ks: float
    out_of_range_fraction: float


@dataclass(frozen=True)
class Window:
    """Quantities of the latest surfaces, which remain valid when the reference changes.

    Attributes
    ----------
    quantities : tuple of str
    values : ndarray, shape (n, q)
        Oldest first; NaN where undefined.
    size : int
        Maximum number of surfaces.
    """

    quantities: tuple[str, ...]
    values: np.ndarray
    size: int

    @classmethod
    def of(cls, quantities: Sequence[str], size: int) -> Self:
        """Return an empty window."""
        return cls(tuple(quantities), np.empty((0, len(quantities))), size)

    @property
    def n_surfaces(self) -> int:
        """Number of surfaces in the window."""
        return len(self.values)

    def extended(self, values: np.ndarray) -> "Window":
        """Return a window with newer surfaces, shape (m, q), without the oldest above `size`."""
        joined = np.concatenate((self.values, values))
        return Window(self.quantities, joined[max(0, len(joined) - self.size) :], self.size)

    def drift(self, reference: Reference, minimum: int) -> Iterator[Drift]:
        """Yield the drift of each quantity, NaN if it has fewer than `minimum` values."""
        for name, column in zip(self.quantities, self.values.T, strict=True):
            values = column[np.isfinite(column)]
            quantiles = reference.quantiles.get(name)
            if quantiles is None or values.size < max(minimum, 1):
                yield Drift(name, np.nan, np.nan, np.nan)
            else:
                yield Drift(
                    name,
                    psi(values, quantiles),
                    ks(values, quantiles),
                    out_of_range_fraction(values, quantiles),
                )

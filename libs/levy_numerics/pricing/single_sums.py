"""How sinh-acceleration prices single parameter sets: on arrays, as batches are, or in loops.

`ARRAYS` load nothing that is not there. `sinh_single.LOOPS` take Numba to load, and half the time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from levy_numerics.market import MaturityTable
from levy_numerics.models.base import Model
from levy_numerics.pricing.contour import Contour
from levy_numerics.pricing.drift import drift_or_nan
from levy_numerics.pricing.factors import BY_PARAMETER, Factors
from levy_numerics.pricing.sinh_sums import Covered, SinhTable, node_count


class Table(Protocol):
    """What a pricer sums on: a contour, and waves on its nodes for some contracts."""

    @property
    def contour(self) -> Contour:
        """Where its nodes are."""

    @property
    def maturity_years(self) -> np.ndarray:
        """Of its rows."""

    def reaches(self, drift: np.ndarray) -> bool:
        """Whether all nodes count for sets of this drift."""

    def covered(self, model: Model, factors: Factors) -> Covered:
        """E[min(S_T, K)]/K of one parameter set, its error and its derivatives."""


class Scan(Protocol):
    """Finds out what a parameter set asks of a table."""

    def __call__(
        self,
        model: Model,
        layout: MaturityTable,
        *,
        tolerance: float,
        step: float,
        tilt: float,
        order: int,
    ) -> tuple[np.ndarray, int]:
        """ω_T of each maturity, NaN where there is no forward; and nodes for the most demanding."""


@dataclass(frozen=True)
class SingleSums:
    """How single parameter sets are priced.

    Attributes
    ----------
    table_of : callable
        Makes a table for a contour, a layout of contracts, and the drift about which it is made.
    scan : Scan
    by_parameter : Factors
        `BY_PARAMETER`, or the same by other means.
    """

    table_of: Callable[[Contour, MaturityTable, np.ndarray], Table]
    scan: Scan
    by_parameter: Factors


def _scan(
    model: Model,
    layout: MaturityTable,
    *,
    tolerance: float,
    step: float,
    tilt: float,
    order: int,
) -> tuple[np.ndarray, int]:
    drift = drift_or_nan(model, layout.maturity_years)
    count = node_count(model, layout, drift, tolerance=tolerance, step=step, tilt=tilt, order=order)
    return drift, int(count)


ARRAYS: Final = SingleSums(SinhTable.of_layout, _scan, BY_PARAMETER)

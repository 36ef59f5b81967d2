"""From quotes and weights to a least-squares problem in a model's coordinates."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from levy_numerics.calibration.solvers.problem import Evaluation, LeastSquaresProblem
from levy_numerics.calibration.weights import Weighting, weighting
from levy_numerics.errors import OutsideStripError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.models.compiled import from_coordinates_with_jacobian
from levy_numerics.pricing.sinh import SinhPricer

TOLERANCE: Final = 1e-9
"""Of prices during a fit, as a share of the forward."""


@dataclass(frozen=True)
class Objective:
    """Weighted pricing errors of a model.

    Attributes
    ----------
    quotes : Quotes
    weighting : Weighting
    pricer : SinhPricer
    """

    quotes: Quotes
    weighting: Weighting
    pricer: SinhPricer

    @classmethod
    def of(cls, quotes: Quotes, weights: str, pricer: SinhPricer | None = None) -> Self:
        """Choose the weighting by name, see `weights.weighting`, and a pricer unless given."""
        pricer = (
            SinhPricer(quotes.contracts, TOLERANCE, is_repeated=True) if pricer is None else pricer
        )
        return cls(quotes, weighting(quotes, weights), pricer)

    def problem(self, model: type[Model]) -> LeastSquaresProblem:
        """Least squares in the coordinates of `model`; the values behind residuals are prices."""

        def evaluate(z: np.ndarray) -> Evaluation:
            found, by_coordinate = from_coordinates_with_jacobian(model, z)
            try:
                prices = self.pricer.price_gradient(found)
            except OutsideStripError:
                # A step into a region without a forward; the solver turns back.
                nowhere = np.full(self.quotes.size, np.nan)
                return Evaluation(nowhere, np.zeros((self.quotes.size, z.size)), nowhere, nowhere)
            slopes = self.weighting.slopes(prices.value)
            jacobian = (by_coordinate.T @ (prices.gradient * slopes)).T
            residuals = self.weighting.residuals(prices.value)
            return Evaluation(residuals, jacobian, prices.value, slopes)

        low, high = model.coordinate_bounds()
        c = self.quotes.contracts
        rounding = TOLERANCE * c.discount * c.forward * self.weighting.slopes(self.quotes.price)
        return LeastSquaresProblem(
            evaluate, np.array(low), np.array(high), 0.1 * float(np.linalg.norm(rounding))
        )

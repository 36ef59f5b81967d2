"""From quotes and weights to a least-squares problem in a model's coordinates."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np

from levy_numerics.calibration.compiled_iterations import compiled_iterations
from levy_numerics.calibration.fit_quality import PricingErrors, vols_of_quotes
from levy_numerics.calibration.solvers.levenberg_marquardt import EVALUATE, State, propose
from levy_numerics.calibration.solvers.problem import Evaluation, LeastSquaresProblem
from levy_numerics.calibration.weights import Weighting, weighting
from levy_numerics.errors import OutsideStripError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.models.compiled import from_coordinates_with_jacobian
from levy_numerics.pricing.sinh import SinhPricer

# Of prices during a fit, as a fraction of the forward: below any quote's own error.
TOLERANCE: Final = 1e-9


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
        if pricer is None:
            pricer = SinhPricer(quotes.contracts, TOLERANCE, is_repeated=True)
        return cls(quotes, weighting(quotes, weights), pricer)

    def problem(self, model: type[Model]) -> LeastSquaresProblem:
        """Return least squares in the coordinates of `model`; residuals are functions of prices."""
        run = compiled_iterations(model)

        def iterate(state: State) -> int:
            rule = self.pricer.kernel_rule()
            if run is None or rule is None:
                return propose(state)
            try:
                return run(state, self.weighting.arrays, rule)
            except ZeroDivisionError:
                # At a pole Numba raises for complex numbers, NumPy returns infinity.
                return EVALUATE

        low, high = model.coordinate_bounds()
        c = self.quotes.contracts
        price_error = TOLERANCE * c.discount * c.forward
        rounding = price_error * self.weighting.residual_derivative(self.quotes.price)
        return LeastSquaresProblem(
            lambda z: self._evaluate(model, z),
            np.array(low),
            np.array(high),
            floor=0.1 * float(np.linalg.norm(rounding)),
            n_residuals=self.quotes.size,
            iterate=iterate,
        )

    def errors(self, prices: np.ndarray) -> PricingErrors:
        """Compare prices of a model, shape (n,), with the quotes."""
        return PricingErrors.of(self.quotes, prices, self._market_vols)

    @cached_property
    def _market_vols(self) -> np.ndarray:
        return vols_of_quotes(self.quotes)

    def _evaluate(self, model: type[Model], z: np.ndarray) -> Evaluation:
        member, by_coordinate = from_coordinates_with_jacobian(model, z)
        try:
            prices = self.pricer.price_gradient(member)
        except OutsideStripError:
            # A step into a region without a forward; the solver turns back.
            nowhere = np.full(self.quotes.size, np.nan)
            return Evaluation(nowhere, np.zeros((self.quotes.size, z.size)), nowhere, nowhere)
        derivative = self.weighting.residual_derivative(prices.value)
        jacobian = (by_coordinate.T @ (prices.gradient * derivative)).T
        return Evaluation(
            self.weighting.residuals(prices.value), jacobian, prices.value, derivative
        )

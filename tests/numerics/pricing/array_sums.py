"""The sums of sinh-acceleration with NumPy arrays, as a referee of the compiled kernel.

Written for readability, from the same formula and contour, without tables, without a choice of the
contour's side, and with all nodes.
"""

from dataclasses import dataclass

import numpy as np

from levy_numerics.market import Contracts
from levy_numerics.models import Model
from levy_numerics.pricing.sinh_contour import Contour


@dataclass(frozen=True)
class ArraySums:
    """E[min(S, K)]/K of one parameter set, with the contour bent up and down.

    Attributes
    ----------
    value : ndarray, shape (2, n)
        With the contour bent up, and bent down.
    by_parameter : ndarray, shape (n_parameters, 2, n)
    """

    value: np.ndarray
    by_parameter: np.ndarray

    @classmethod
    def of(cls, model: Model, contracts: Contracts, contour: Contour) -> "ArraySums":
        """Evaluate all contracts on a contour."""
        values, slopes = [], []
        x = contracts.log_moneyness[:, None]
        years = contracts.maturity_years[:, None]
        forward = np.asarray(-1j).reshape(1)
        drift = -np.real(model.log_cf(forward, years))
        by_drift = -np.real(model.log_cf_gradient(forward, years))
        for wing in range(2):
            xi = contour.nodes[wing].ravel()
            log_weight = contour.log_weights[wing].ravel()
            poles = contour.pole_error * (1.0 + np.exp(x[:, 0]))
            # On the unused side the integrand may grow without bound.
            with np.errstate(over="ignore", invalid="ignore"):
                exponent = model.log_cf(xi, years) + 1j * xi * (x + drift) + log_weight
                terms = np.exp(exponent)
                factor = model.log_cf_gradient(xi, years) + 1j * xi * by_drift
                values.append(terms.real.sum(axis=-1) - poles)
                slopes.append((factor * terms).real.sum(axis=-1))
        return cls(np.array(values), np.moveaxis(slopes, 0, 1))

    def nearest(self, value: np.ndarray) -> np.ndarray:
        """Return the side whose sums are closer to values of shape (n,)."""
        return np.nan_to_num(np.abs(self.value - value), nan=np.inf).argmin(axis=0)

"""Influence of each quote on a fit: exact derivatives of the parameters in the quotes."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from levy_numerics.calibration.fit_quality import vols_of_quotes
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.implied_volatility import black_vegas
from levy_numerics.market import Quotes

# Leverage at which a quote alone determines a direction: the fit without it has none.
_LARGEST_LEVERAGE: Final = 1.0 - 1e-9


@dataclass(frozen=True)
class Influence:
    """How much a fit rests on each of n quotes.

    With J the Jacobian of the weighted residuals r in the coordinates z, and w the change of a
    residual with its quote's price, the Gauss-Newton fit moves by dz/dm = (JᵀJ)⁻¹Jᵀ·diag(w) with
    the market prices m. Directions that the quotes do not determine do not move.

    Attributes
    ----------
    parameters : tuple of str
    by_price : ndarray, shape (n_parameters, n)
        Change of each parameter per unit of currency of each quote.
    by_vol : ndarray, shape (n_parameters, n)
        The same per unit of implied volatility; zero where a price determines none.
    leverage : ndarray, shape (n,)
        Diagonal of the hat matrix J(JᵀJ)⁻¹Jᵀ: between 0 and 1, and p in all.
    without : ndarray, shape (n_parameters, n)
        Change of each parameter where the quote is left out, by the one-step formula
        (JᵀJ)⁻¹Jᵢrᵢ/(1 − hᵢ).
    cook : ndarray, shape (n,)
        Cook's distance: squared change of the fitted residuals where the quote is left out, over
        p times the residual variance.

    References
    ----------
    Cook and Weisberg (1982), Residuals and Influence in Regression, sections 2.2 and 3.1.
    """

    parameters: tuple[str, ...]
    by_price: np.ndarray
    by_vol: np.ndarray
    leverage: np.ndarray
    without: np.ndarray
    cook: np.ndarray

    @classmethod
    def of(cls, fit: CalibrationResult, quotes: Quotes) -> Self:
        """Return the influence of the quotes that were fitted, in their order.

        Parameters
        ----------
        fit : CalibrationResult
            Of all the quotes together.
        quotes : Quotes
            Those fitted, n of them.
        """
        geometry = fit.identifiability
        identified = geometry.identified
        left = geometry.left[:, identified]
        z = np.asarray(fit.model.to_coordinates(), dtype=float)
        to_parameters = fit.model.coordinate_jacobian(z) @ (
            geometry.directions[identified].T / geometry.singular_values[identified]
        )
        by_residual = to_parameters @ left.T
        by_price = by_residual * fit.weighting.residual_derivative(quotes.price)
        leverage = np.sum(left**2, axis=1)
        remaining = 1.0 - np.minimum(leverage, _LARGEST_LEVERAGE)
        residuals = geometry.residuals
        n_directions = max(int(np.count_nonzero(identified)), 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            cook = residuals**2 * leverage / remaining**2 / n_directions
            cook = cook / geometry.residual_variance
        return cls(
            tuple(fit.parameters),
            by_price,
            by_price * _vega(quotes),
            leverage,
            by_residual * residuals / remaining,
            np.nan_to_num(cook),
        )


def _vega(quotes: Quotes) -> np.ndarray:
    """Return ∂price/∂vol at the market's volatility; zero where a price determines none."""
    vols = vols_of_quotes(quotes)
    exists = vols > 0.0
    vega = black_vegas(np.where(exists, vols, 1.0), quotes.contracts)
    return np.where(exists, vega, 0.0)

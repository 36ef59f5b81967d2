"""Accuracy of networks: errors of parameters, moments, prices and volatilities."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.features import PRICE_FLOOR, log_vols
from levy_surfaces.synthetic.priced import PricedSurfaces

_TOLERANCE: Final = 1e-8
_BASIS_POINTS: Final = 1e4


@dataclass(frozen=True)
class Errors:
    """Errors of one quantity.

    Attributes
    ----------
    r2 : float
        Fraction of the variance explained.
    mae, rmse : float
        In the quantity's unit.
    median_relative : float
        Median of |error/value|.
    """

    r2: float
    mae: float
    rmse: float
    median_relative: float

    @classmethod
    def of(cls, estimate: np.ndarray, true: np.ndarray) -> "Errors":
        """Compare arrays of shape (n,)."""
        error = estimate - true
        return cls(
            r2=float(1.0 - np.mean(error**2) / np.var(true)),
            mae=float(np.mean(np.abs(error))),
            rmse=float(np.sqrt(np.mean(error**2))),
            median_relative=float(np.median(np.abs(error) / np.maximum(np.abs(true), 1e-12))),
        )

    def as_mapping(self) -> dict[str, float]:
        """Return the errors as in manifests."""
        return dict(vars(self))


def moments(model: Model) -> dict[str, np.ndarray]:
    """Return variance, skewness and excess kurtosis of the log-return at one year, shape (n,)."""
    _, variance, third, fourth = (np.asarray(k) for k in model.cumulants(1.0))
    return {
        "variance": variance,
        "skewness": third / variance**1.5,
        "kurtosis": fourth / variance**2,
    }


def parameter_errors(estimate: Model, true: Model) -> dict[str, Errors]:
    """Return the errors of each parameter, then of each moment."""
    estimates = estimate.as_mapping() | moments(estimate)
    truth = true.as_mapping() | moments(true)
    return {name: Errors.of(np.asarray(estimates[name]), np.asarray(truth[name])) for name in truth}


def repricing_errors(estimate: Model, true_price: np.ndarray) -> dict[str, float]:
    """Return errors of prices and implied volatilities on the standard grid, in basis points.

    Parameters
    ----------
    estimate : Model
        n parameter sets.
    true_price : ndarray, shape (n, 200)
        Exact prices over the forward; volatilities are compared above the price floor.

    Returns
    -------
    dict
        `price_bp`, the mean over surfaces of the root mean square, in 1e-4 of the forward;
        `vol_bp`, the median over surfaces of the root mean square, in 1e-4 of volatility.
    """
    price = SinhPricer(grid.grid_contracts(), _TOLERANCE).price(estimate).value
    vol, true_vol = (np.exp(log_vols(_on_grid(p))) for p in (price, true_price))
    compared = (true_price > PRICE_FLOOR) & (price > PRICE_FLOOR)
    square = np.where(compared, (vol - true_vol) ** 2, 0.0).sum(axis=1) / compared.sum(axis=1)
    price_rmse = np.sqrt(np.mean((price - true_price) ** 2, axis=1))
    return {
        "price_bp": float(_BASIS_POINTS * np.mean(price_rmse)),
        "vol_bp": float(_BASIS_POINTS * np.median(np.sqrt(square))),
    }


def as_mapping(errors: dict[str, Errors]) -> dict[str, Any]:
    """Return errors as in manifests."""
    return {name: error.as_mapping() for name, error in errors.items()}


def _on_grid(price: np.ndarray) -> PricedSurfaces:
    return PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price)

"""The result of a calibration: parameters, their uncertainty and the goodness of fit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from warnings import warn

import numpy as np

from levy_numerics.calibration.discrepancy import Discrepancy
from levy_numerics.calibration.fit_quality import FitQuality, MaturityFit
from levy_numerics.calibration.identifiability import Identifiability
from levy_numerics.calibration.solver_problem import Status
from levy_numerics.calibration.uncertainty import (
    ErrorModel,
    FitUncertainty,
    Moment,
    half_width,
    has_few_quotes,
)
from levy_numerics.calibration.weights import Weighting, Weights
from levy_numerics.display import Displayed, lines_by_maturity
from levy_numerics.errors import LevyError
from levy_numerics.implied_volatility import black_vegas, vols_of_prices
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model


class CalibrationError(LevyError):
    """Raised by `raise_for_status` alone: a poor fit is a value, not an exception."""

    code = "calibration"


@dataclass(frozen=True)
class CalibrationResult(Displayed):
    """A fitted model, its uncertainty and the goodness of fit.

    Attributes
    ----------
    model : Model
    status : Status
        `converged`; `at_bound` (converged, on the edge of the search box); `max_evaluations`;
        `stalled`; `diverged`.
    reason : str
        Why the solver stopped.
    weights : {"price", "vega", "bid_ask"}
        Unit of the errors that were minimised.
    weighting : Weighting
        The same as a function.
    uncertainty : FitUncertainty
        Covariance and moments, by default robust to correlated errors and misfit; see
        `with_uncertainty`.
    identifiability : Identifiability
        Local geometry of the solution.
    boundary_parameters : tuple of str
        Limits that parameters run to, such as "G → 0", where the fit lies on an edge of the box or
        is the Gaussian limit of the model.
    model_prices, residuals : ndarray, shape (n,)
        Fitted prices, and fitted minus market; currency.
    fit : FitQuality
    by_maturity : tuple of MaturityFit
        The same, expiry by expiry.
    cost : float
        Half the sum of squared weighted errors.
    n_evaluations : int
        Of prices with their gradient, over all starts.
    warnings : tuple of str
        About the fit; those about intervals are in `uncertainty`.
    contracts : Contracts
        Those fitted.
    """

    model: Model
    status: Status
    reason: str
    weights: Weights
    weighting: Weighting
    uncertainty: FitUncertainty
    identifiability: Identifiability
    boundary_parameters: tuple[str, ...]
    model_prices: np.ndarray
    residuals: np.ndarray
    fit: FitQuality
    by_maturity: tuple[MaturityFit, ...]
    cost: float
    n_evaluations: int
    warnings: tuple[str, ...]
    contracts: Contracts

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the parameters, shape (n_parameters, n_parameters)."""
        return self.uncertainty.covariance

    @property
    def moments(self) -> Mapping[str, Moment]:
        """Variance, skewness and excess kurtosis of the log return at one year.

        The quotes often determine moments where they do not determine parameters.
        """
        return self.uncertainty.moments

    @property
    def degrees_of_freedom(self) -> int:
        """Quotes less the directions that the fit was free to use."""
        return self.identifiability.degrees_of_freedom

    @property
    def singular_values(self) -> np.ndarray:
        """Singular values of the weighted Jacobian in the model's coordinates, decreasing."""
        return self.identifiability.singular_values

    def with_uncertainty(self, error_model: ErrorModel) -> Self:
        """Return the same fit with the uncertainty under another model of the quotes' errors.

        Parameters
        ----------
        error_model : {"robust", "discrepancy", "laplace_iid"}
            See `FitUncertainty`.
        """
        if error_model == self.uncertainty.error_model:
            return self
        z = np.asarray(self.model.to_coordinates(), dtype=float)
        uncertainty = FitUncertainty.of(
            error_model,
            self.model,
            self.model.coordinate_jacobian(z),
            self.identifiability,
            self.contracts,
            self._by_vol() if error_model == "discrepancy" else None,
        )
        return replace(self, uncertainty=uncertainty)

    def discrepancy(self) -> Discrepancy | None:
        """Return the Gaussian process of the errors of the fit, estimated by REML.

        It does not exist with p + 2 quotes or fewer, nor for a fit that diverged.
        """
        geometry = self.identifiability
        if has_few_quotes(geometry) or not np.isfinite(geometry.residuals).all():
            return None
        directions = geometry.left[:, geometry.identified]
        return Discrepancy.of(directions, geometry.residuals, *self._by_vol(), self.contracts)

    def _by_vol(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the change of the residuals with implied volatility, and the fit's volatilities.

        Prices that determine no volatility hardly change with it.
        """
        vols = vols_of_prices(self.model_prices, self.contracts)
        known = np.isfinite(vols)
        vols = np.where(known, vols, np.median(vols[known]) if known.any() else 1.0)
        vega = black_vegas(vols, self.contracts)
        return vega * self.weighting.residual_derivative(self.model_prices), vols

    @property
    def functionals(self) -> Mapping[str, Moment]:
        """Former name of `moments`, deprecated."""
        warn("functionals is renamed to moments", DeprecationWarning, stacklevel=2)
        return self.moments

    @property
    def limits(self) -> tuple[str, ...]:
        """Former name of `boundary_parameters`, deprecated."""
        warn("limits is renamed to boundary_parameters", DeprecationWarning, stacklevel=2)
        return self.boundary_parameters

    @property
    def parameters(self) -> dict[str, float]:
        """Fitted parameters by name."""
        return {name: float(value) for name, value in self.model.as_mapping().items()}

    @property
    def standard_errors(self) -> dict[str, float]:
        """Square roots of the covariance's diagonal, by parameter."""
        errors = np.sqrt(np.diag(self.covariance))
        return dict(zip(self.parameters, map(float, errors), strict=True))

    def intervals(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Return Student-t intervals by parameter, cut at the ends of its domain.

        A parameter without a finite standard error has the whole domain.
        """
        intervals, values, errors = {}, self.parameters, self.standard_errors
        for p in self.model.parameters():
            width = half_width(errors[p.name], self.uncertainty.degrees_of_freedom, level)
            low, high = values[p.name] - width, values[p.name] + width
            intervals[p.name] = max(low, p.domain.low), min(high, p.domain.high)
        return intervals

    def raise_for_status(self) -> None:
        """Raise `CalibrationError` unless the fit converged.

        Raises
        ------
        CalibrationError
        """
        if self.status not in ("converged", "at_bound"):
            raise CalibrationError(f"{self.status}: {self.reason}", status=self.status)

    def plot(self) -> Any:
        """Return a Plotly figure of implied volatilities, the model's and the market's."""
        prices = np.stack([self.model_prices, self.model_prices - self.residuals])
        model, market = vols_of_prices(prices, self.contracts)
        curves = {"model": model, "market": market}
        title = f"{self.model.name}: implied volatility"
        return lines_by_maturity(self.contracts, curves, title, "implied volatility")

    def _title(self) -> str:
        return f"{self.model.name} Calibration Results"

    def _facts(self) -> Mapping[str, Any]:
        return {
            "Status": self.status,
            "No. Quotes": self.fit.n_quotes,
            "Cost": self.cost,
            "Df Residuals": self.degrees_of_freedom,
            "Weights": self.weights,
            "Covariance": self.uncertainty.error_model,
            "RMSE": self.fit.rmse,
            "RMSE implied vol": self.fit.implied_vol_rmse,
            "No. Evaluations": self.n_evaluations,
            "Mean relative error": self.fit.arpe,
        }

    def _columns(self) -> Mapping[str, Any]:
        ends = self.intervals().values()
        return {
            "parameter": list(self.parameters),
            "value": list(self.parameters.values()),
            "std_err": list(self.standard_errors.values()),
            "low_95": [low for low, _ in ends],
            "high_95": [high for _, high in ends],
        }

    def _notes(self) -> tuple[str, ...]:
        return (*self.warnings, *self.uncertainty.warnings)

"""The answer of a calibration: parameters, how well they fit, and how sure they are."""

from dataclasses import dataclass

import numpy as np

from levy_numerics.calibration.fit_quality import FitQuality
from levy_numerics.calibration.identifiability import Functional, half_width
from levy_numerics.calibration.solvers.problem import Status
from levy_numerics.calibration.term_structure import MaturityFit
from levy_numerics.errors import LevyError
from levy_numerics.models.base import Model


class CalibrationError(LevyError):
    """Raised by `raise_for_status` alone: a poor fit is a value, not an exception."""

    code = "calibration"


@dataclass(frozen=True)
class CalibrationResult:
    """What `calibrate` answers.

    Attributes
    ----------
    model : Model
    status : Status
        `converged`; `at_bound` (converged, on the edge of the search box); `max_evaluations`;
        `stalled`; `diverged`.
    reason : str
        A sentence.
    covariance : ndarray, shape (n_parameters, n_parameters)
        Gauss-Newton: residual variance times the inverse of JᵀJ, in parameters. Infinite
        along directions the quotes do not determine, and without degrees of freedom.
    degrees_of_freedom : int
        Of the residual variance: quotes less the directions that the fit was free to use.
    singular_values : ndarray, shape (n_coordinates,)
        Of the weighted Jacobian in the model's coordinates, decreasing.
    functionals : dict of Functional
        Variance, skewness and excess kurtosis at one year: often determined where parameters
        are not.
    limits : tuple of str
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
    """

    model: Model
    status: Status
    reason: str
    covariance: np.ndarray
    degrees_of_freedom: int
    singular_values: np.ndarray
    functionals: dict[str, Functional]
    limits: tuple[str, ...]
    model_prices: np.ndarray
    residuals: np.ndarray
    fit: FitQuality
    by_maturity: tuple[MaturityFit, ...]
    cost: float
    n_evaluations: int
    warnings: tuple[str, ...]

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
        """Return Student-t (Laplace) intervals by parameter, cut at the ends of its domain.

        A parameter without a finite standard error has the whole domain.
        """
        intervals = {}
        for p, (name, error) in zip(
            self.model.parameters(), self.standard_errors.items(), strict=True
        ):
            value, width = self.parameters[name], half_width(error, self.degrees_of_freedom, level)
            intervals[name] = (
                max(value - width, p.domain.low),
                min(value + width, p.domain.high),
            )
        return intervals

    def raise_for_status(self) -> None:
        """Raise `CalibrationError` unless the fit converged.

        Raises
        ------
        CalibrationError
        """
        if self.status not in ("converged", "at_bound"):
            raise CalibrationError(f"{self.status}: {self.reason}", status=self.status)

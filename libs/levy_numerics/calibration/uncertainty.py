"""Uncertainty of a fit: the covariance of its parameters, and moments with standard errors."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from scipy.special import gammaincc, stdtrit

from levy_numerics.calibration.cluster_jackknife import (
    MIN_EXPIRIES,
    error_clusters,
    jackknife_covariance,
)
from levy_numerics.calibration.discrepancy import discrepancy_covariance
from levy_numerics.calibration.identifiability import Identifiability
from levy_numerics.calibration.moments import MOMENTS, log_return_moments
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model

ErrorModel = Literal["robust", "laplace_iid", "discrepancy"]
"""Assumption about the quotes' errors: see `FitUncertainty`."""

# Share of its gradient with which a moment, or a parameter, may change along a null direction and
# still count as determined.
_NEGLIGIBLE: Final = 1e-4
_NEGLIGIBLE_FOR_PARAMETERS: Final = 1e-7
# Quotes beyond the parameters, at most, with which no error model but the simplest can be used.
_FEW_QUOTES: Final = 2
# Share of a moment that lies beyond the quoted strikes, above which it is an extrapolation.
_SHARE_BEYOND: Final = 0.25
# The same of the variance on one side. Variance rests on prices within the strikes far more than
# the other moments do; only a tail that hardly decays takes it beyond them.
_VARIANCE_BEYOND: Final = 0.9
# Rate of a tail's decay, per unit of log price, at which it is as good as none.
_STEEPEST: Final = 1e6
# Maturities beyond the quoted ones, as a factor, that still count as quoted.
_BEYOND_MATURITY: Final = 1.5


@dataclass(frozen=True)
class Moment:
    """A moment of the log return, with its standard error.

    Attributes
    ----------
    value : float
    standard_error : float
        Infinite where the quotes do not determine it.
    degrees_of_freedom : int
        Of the interval's Student-t distribution.
    is_extrapolated : bool
        Whether most of what determines it lies beyond the quotes: it is then a property of the
        model, and its interval contains the truth only if the model's tails are right.
    """

    value: float
    standard_error: float
    degrees_of_freedom: int
    is_extrapolated: bool = False

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the Student-t interval; infinite where the standard error is."""
        width = half_width(self.standard_error, self.degrees_of_freedom, level)
        return self.value - width, self.value + width


def half_width(standard_error: float, degrees_of_freedom: int, level: float) -> float:
    """Return half the width of a Student-t interval; infinite without degrees of freedom."""
    if degrees_of_freedom < 1 or not math.isfinite(standard_error):
        return math.inf
    return float(stdtrit(degrees_of_freedom, 0.5 + 0.5 * level)) * standard_error


@dataclass(frozen=True)
class FitUncertainty:
    """Covariance of a fit's parameters, and moments with their standard errors.

    Attributes
    ----------
    error_model : {"robust", "discrepancy", "laplace_iid"}
        `robust`: errors are independent only between clusters, expiries or blocks of strikes, and
        may have any variance (`cluster_jackknife`). `discrepancy`: errors are noise and a Gaussian
        process in strike and maturity (`discrepancy`). `laplace_iid`: errors are independent and
        have one variance in the unit of the weights (Gauss-Newton).
    covariance : ndarray, shape (n_parameters, n_parameters)
        Of the parameters. Infinite along directions that the quotes do not determine.
    degrees_of_freedom : int
        Of the intervals' Student-t distribution.
    moments : mapping of str to Moment
        Variance, skewness and excess kurtosis of the log return at one year.
    moments_by_maturity : tuple of mapping
        The same at each quoted expiry, by maturity.
    warnings : tuple of str
        Where intervals are extrapolations.
    """

    error_model: ErrorModel
    covariance: np.ndarray
    degrees_of_freedom: int
    moments: Mapping[str, Moment]
    moments_by_maturity: tuple[Mapping[str, Moment], ...]
    warnings: tuple[str, ...]

    @classmethod
    def of(
        cls,
        error_model: ErrorModel,
        model: Model,
        by_coordinate: np.ndarray,
        geometry: Identifiability,
        contracts: Contracts,
        by_vol: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> Self:
        """Return the uncertainty of a fit.

        Parameters
        ----------
        error_model : {"robust", "discrepancy", "laplace_iid"}
            `laplace_iid` replaces the others where there are at most p + 2 quotes.
        model : Model
            Fitted.
        by_coordinate : ndarray, shape (n_parameters, n_coordinates)
            Derivatives of the parameters, `Model.coordinate_jacobian`.
        geometry : Identifiability
        contracts : Contracts
            Of the quotes, in the order of the residuals.
        by_vol : tuple of ndarray, shapes (n,)
            Change of the residuals with implied volatility, and the volatilities of the fit;
            `discrepancy` needs them.
        """
        n_quotes, n_coordinates = geometry.left.shape
        used: ErrorModel = "laplace_iid" if has_few_quotes(geometry) else error_model
        along, degrees = _along_directions(used, geometry, contracts, by_vol)
        covariance = geometry.covariance(by_coordinate, along, _NEGLIGIBLE_FOR_PARAMETERS)
        years = contracts.by_maturity.maturity_groups[0]
        with np.errstate(all="ignore"):
            values, by_parameter = log_return_moments(model, np.append(years, 1.0))
            gradient = (by_parameter @ by_coordinate).reshape(values.size, -1)
            variances = geometry.covariance(gradient, along, _NEGLIGIBLE, diagonal=True)
            errors = np.sqrt(variances).reshape(values.shape)
        beyond = _is_beyond(model, np.append(years, 1.0), np.sqrt(values[:, 0]), contracts)
        *by_maturity, one_year = (
            {
                name: Moment(value, math.inf if math.isnan(error) else error, degrees, is_beyond)
                for name, value, error, is_beyond in zip(MOMENTS, *rows, strict=True)
            }
            for rows in zip(values.tolist(), errors.tolist(), beyond.tolist(), strict=True)
        )
        warnings = tuple(_warnings(used, one_year, years.size, n_quotes, n_coordinates))
        return cls(used, covariance, degrees, one_year, tuple(by_maturity), warnings)


def has_few_quotes(geometry: Identifiability) -> bool:
    """Return whether there are too few quotes to show how errors are correlated: p + 2 at most."""
    n_quotes, n_coordinates = geometry.left.shape
    return bool(n_quotes <= n_coordinates + _FEW_QUOTES)


def _along_directions(
    error_model: ErrorModel,
    geometry: Identifiability,
    contracts: Contracts,
    by_vol: tuple[np.ndarray, np.ndarray] | None,
) -> tuple[np.ndarray, int]:
    """Return the covariance along the identified directions, and its degrees of freedom."""
    directions = geometry.left[:, geometry.identified]
    degrees = geometry.degrees_of_freedom
    if error_model == "laplace_iid" or not degrees:
        with np.errstate(invalid="ignore"):
            return np.diag(np.full(directions.shape[1], geometry.residual_variance)), degrees
    if error_model == "discrepancy" and by_vol is not None:
        return discrepancy_covariance(directions, geometry.residuals, *by_vol, contracts)
    return jackknife_covariance(directions, geometry.residuals, error_clusters(contracts))


def _is_beyond(
    model: Model, years: np.ndarray, deviation: np.ndarray, contracts: Contracts
) -> np.ndarray:
    """Return whether moments lie beyond the quotes, boolean, shape (m, 3).

    All are extrapolations far from the quoted maturities. The share of each beyond the outermost
    strikes of the nearest expiry is estimated, in deviations: Γ(n + 1, λa)/n! of the moment of
    order n for a tail that decays as e^−λx, and at least that of a normal one.
    """
    quoted, expiry = contracts.by_maturity.maturity_groups
    far = (years > _BEYOND_MATURITY * quoted[-1]) | (years < quoted[0] / _BEYOND_MATURITY)
    nearest = np.abs(np.log(years[:, None] / quoted)).argmin(axis=1)
    reach = np.zeros((2, quoted.size))
    np.maximum.at(reach[0], expiry, -contracts.log_moneyness)
    np.maximum.at(reach[1], expiry, contracts.log_moneyness)
    # Strikes are as many deviations from the money as at the nearest expiry.
    distance = reach[:, nearest] * np.sqrt(years / quoted[nearest])
    # Tails of normal ones decay without limit; infinity times no distance has no value.
    decay = np.minimum(np.stack(np.broadcast_arrays(*model.strip(years), years))[:2], _STEEPEST)
    order = np.array([2.0, 3.0, 4.0])[:, None, None]
    exponential = gammaincc(order + 1.0, decay * distance)
    normal = gammaincc(0.5 * (order + 1.0), 0.5 * (distance / deviation) ** 2)
    variance, *higher = np.maximum(exponential, normal)
    beyond = (
        variance.max(axis=0) > _VARIANCE_BEYOND,
        *(share.mean(axis=0) > _SHARE_BEYOND for share in higher),
    )
    is_beyond: np.ndarray = far[:, None] | np.stack(beyond, axis=1)
    return is_beyond


def _warnings(
    error_model: ErrorModel,
    moments: Mapping[str, Moment],
    n_expiries: int,
    n_quotes: int,
    n_coordinates: int,
) -> Iterator[str]:
    if n_coordinates < n_quotes <= n_coordinates + _FEW_QUOTES:
        yield (
            f"{n_quotes} quotes and {n_coordinates} free parameters do not show how errors are "
            "correlated: the intervals assume independent errors of equal variance. Add quotes."
        )
    elif n_expiries < MIN_EXPIRIES and error_model != "laplace_iid":
        yield (
            f"The intervals rest on {n_expiries} {'expiry' if n_expiries == 1 else 'expiries'}: "
            "they do not contain what differs between expiries. Add expiries, three at least."
        )
    extrapolated = [name for name, moment in moments.items() if moment.is_extrapolated]
    if extrapolated:
        names = ", ".join(extrapolated)
        yield (
            f"Extrapolated from the quotes to one year and to all strikes: {names}. The intervals "
            "hold only if the model's tails are right."
        )

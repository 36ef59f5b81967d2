"""Responses to calibrations: results in the form of the wire."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from levy_calibration.handlers.parameter_intervals import (
    LEVEL,
    ParameterIntervals,
    finite_pair,
)
from levy_numerics import calibration
from levy_numerics.calibration.hybrid import Fit
from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Quotes
from levy_schemas.calibration import (
    CalibrationResult,
    FitQuality,
    FitStatus,
    MaturityCalibration,
    MaturityFit,
    Moment,
    QuoteInfluence,
)
from levy_schemas.finite import finite_or_none
from levy_schemas.surface import DroppedQuote

_BEST_FIRST: Final[tuple[FitStatus, ...]] = (
    "converged",
    "at_bound",
    "stalled",
    "max_evaluations",
    "diverged",
)


def build_response(
    fit: Fit,
    intervals: Sequence[ParameterIntervals],
    *,
    dropped: tuple[DroppedQuote, ...] = (),
    quote_warnings: tuple[str, ...] = (),
    engine_version: str,
    seconds: float,
    explained: Quotes | None = None,
) -> CalibrationResult:
    """Return the response of `/calibrate`.

    Parameters
    ----------
    fit : Fit
    intervals : sequence of ParameterIntervals
        One for each of the fit's results.
    dropped : tuple of DroppedQuote
        Quotes that were not fitted.
    quote_warnings : tuple of str
        From cleaning.
    engine_version : str
        The version in the response where no network's guess was accepted.
    seconds : float
        Elapsed in all.
    explained : Quotes, optional
        The fitted quotes, if their influence was requested.

    Raises
    ------
    UnsupportedError
        The fit ended in parameters that are not finite.
    """
    result = fit.result
    influence = None
    if isinstance(result, calibration.TermStructure):
        fields = _term_structure(result, intervals)
    else:
        if explained is not None:
            influence = _influences(result, explained)
        fields = fitted_model(result, intervals[0])
        fields |= {"fit_by_maturity": fit_by_maturity(result, intervals[0])}
    if fit.method == "neural":
        fields |= {"status": "proposed", "reason": "as the network proposes, without a fit"}
    ks = [each.pareto_k for each in intervals if each.pareto_k is not None]
    warnings = (*_fit_warnings(fit), *quote_warnings, *fields.pop("warnings"))
    return CalibrationResult(
        **fields,
        model_type=fit.model_type,
        method=fit.method,
        weights=fit.results[0].weights,
        degraded=bool(fit.degradation_reason),
        out_of_distribution=fit.out_of_distribution,
        pareto_k=max(ks) if ks else None,
        model_version=fit.network or engine_version,
        dropped=dropped,
        warnings=warnings,
        calibration_time_ms=1e3 * seconds,
        influence=influence,
    )


def _influences(fit: calibration.CalibrationResult, quotes: Quotes) -> tuple[QuoteInfluence, ...]:
    """Return the influence of each fitted quote, in the order of Cook's distance, largest first."""
    influence, c = calibration.Influence.of(fit, quotes), quotes.contracts
    per_point = 0.01 * influence.by_vol
    return tuple(
        QuoteInfluence(
            strike=float(c.strike[i]),
            maturity=float(c.maturity_years[i]),
            option_type="call" if c.is_call[i] else "put",
            leverage=float(influence.leverage[i]),
            cook_distance=float(influence.cook[i]),
            per_vol_point=dict(zip(influence.parameters, per_point[:, i].tolist(), strict=True)),
            without=dict(zip(influence.parameters, influence.without[:, i].tolist(), strict=True)),
        )
        for i in np.argsort(-influence.cook, kind="stable").tolist()
    )


def fitted_model(
    fit: calibration.CalibrationResult, uncertainty: ParameterIntervals
) -> dict[str, Any]:
    """Return the fields of `FittedModel`.

    Raises
    ------
    UnsupportedError
        The fit ended in parameters that are not finite.
    """
    if not all(math.isfinite(value) for value in fit.parameters.values()):
        message = f"the fit of {fit.model.name} diverged: {fit.reason}"
        raise UnsupportedError(message)
    return {
        "parameters": fit.parameters,
        "status": fit.status,
        "reason": fit.reason,
        "fit_quality": quality(fit.fit),
        "intervals": uncertainty.intervals,
        "uncertainty": uncertainty.uncertainty,
        "correlations": _correlations(tuple(fit.parameters), uncertainty),
        "singular_values": tuple(float(v) for v in fit.singular_values if math.isfinite(v)),
        "moments": _moments(
            fit.moments if uncertainty.errors is None else uncertainty.errors.moments,
            with_errors=uncertainty.errors is not None,
        ),
        "boundary_parameters": fit.boundary_parameters,
        "n_evaluations": fit.n_evaluations,
        "warnings": (*uncertainty.warnings, *fit.warnings),
    }


def _correlations(
    names: Sequence[str], uncertainty: ParameterIntervals
) -> dict[str, dict[str, float | None]] | None:
    """Return the correlations of the estimates.

    None where the covariance is not that of the intervals, or has fewer degrees of freedom than
    parameters: such a matrix is singular, and its correlations would be ±1 whatever the quotes.
    """
    errors = uncertainty.errors
    if errors is None or uncertainty.uncertainty != errors.error_model:
        return None
    if errors.degrees_of_freedom < len(names):
        return None
    scale = np.sqrt(np.diag(errors.covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = np.clip(errors.covariance / np.outer(scale, scale), -1.0, 1.0)
    return {
        name: {other: finite_or_none(value) for other, value in zip(names, row, strict=True)}
        for name, row in zip(names, matrix, strict=True)
    }


def quality(fit: calibration.FitQuality) -> FitQuality:
    """Return the fit quality in the form of the wire."""
    return FitQuality(
        rmse=fit.rmse,
        relative_error=fit.relative_error,
        implied_vol_rmse=finite_or_none(fit.implied_vol_rmse),
        aae=fit.aae,
        ape=fit.ape,
        n_quotes=fit.n_quotes,
        n_implied_vols=fit.n_implied_vols,
    )


def fit_by_maturity(
    fit: calibration.CalibrationResult, uncertainty: ParameterIntervals
) -> tuple[MaturityFit, ...]:
    """Return the fit quality and the moments of each expiry."""
    with_errors = uncertainty.errors is not None
    errors = fit.uncertainty if uncertainty.errors is None else uncertainty.errors
    return tuple(
        MaturityFit(
            maturity=expiry.maturity_years,
            fit_quality=quality(expiry.fit),
            mean_vol_error=finite_or_none(expiry.mean_vol_error),
            moments=_moments(moments, with_errors=with_errors),
        )
        for expiry, moments in zip(fit.by_maturity, errors.moments_by_maturity, strict=True)
    )


def _fit_warnings(fit: Fit) -> Iterator[str]:
    if fit.degradation_reason:
        yield fit.degradation_reason
    if fit.out_of_distribution and fit.proposal is not None:
        yield (
            f"these quotes are unlike those that the network was trained on (score "
            f"{fit.proposal.score:.3g}, above 1)"
        )


def _term_structure(
    fit: calibration.TermStructure,
    intervals: Sequence[ParameterIntervals],
) -> dict[str, Any]:
    expiries = tuple(
        MaturityCalibration(
            maturity=float(years),
            **fitted_model(result, of_result),
        )
        for years, result, of_result in zip(fit.maturities, fit.results, intervals, strict=True)
    )
    worst = max((expiry.status for expiry in expiries), key=_BEST_FIRST.index)
    n_worst = sum(expiry.status == worst for expiry in expiries)
    limits = tuple(
        dict.fromkeys(limit for expiry in expiries for limit in expiry.boundary_parameters)
    )
    n_warned = sum(bool(expiry.warnings) for expiry in expiries)
    warned = (f"{n_warned} of {len(expiries)} expiries have warnings; see `per_maturity`",)
    return {
        "parameters": None,
        "status": worst,
        "reason": f"{n_worst} of {len(expiries)} expiries: {worst.replace('_', ' ')}",
        "fit_quality": quality(fit.fit),
        "fit_by_maturity": tuple(
            fit_by_maturity(result, of_result)[0]
            for result, of_result in zip(fit.results, intervals, strict=True)
        ),
        "intervals": None,
        "uncertainty": intervals[0].uncertainty,
        "singular_values": None,
        "moments": None,
        "boundary_parameters": limits,
        "per_maturity": expiries,
        "n_evaluations": sum(expiry.n_evaluations for expiry in expiries),
        "warnings": warned if n_warned else (),
    }


def _moments(moments: Mapping[str, calibration.Moment], *, with_errors: bool) -> dict[str, Moment]:
    return {
        name: Moment(
            value=finite_or_none(moment.value),
            interval=finite_pair(*moment.interval(LEVEL)) if with_errors else None,
            is_extrapolated=moment.is_extrapolated,
        )
        for name, moment in moments.items()
    }

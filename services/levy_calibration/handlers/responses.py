"""What fits found, shaped as it goes over the wire."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from levy_calibration.handlers.fitting import Fit
from levy_calibration.handlers.parameter_intervals import LEVEL, Certainty, finite_pair
from levy_numerics import calibration
from levy_numerics.errors import UnsupportedError
from levy_schemas.calibration import (
    CalibrationResult,
    FitQuality,
    FitStatus,
    MaturityCalibration,
    MaturityFit,
    Moment,
    Uncertainty,
)
from levy_schemas.surface import DroppedQuote

_BEST_FIRST: Final[tuple[FitStatus, ...]] = (
    "converged",
    "at_bound",
    "stalled",
    "max_evaluations",
    "diverged",
)


def answer(
    fit: Fit,
    certainties: Sequence[Certainty],
    *,
    uncertainty: Uncertainty = "laplace",
    dropped: tuple[DroppedQuote, ...] = (),
    quote_warnings: tuple[str, ...] = (),
    engine_version: str,
    seconds: float,
) -> CalibrationResult:
    """ResponseModel `/calibrate`.

    Parameters
    ----------
    fit : Fit
    certainties : sequence of Certainty
        One for each of its results.
    uncertainty : str
        What was asked.
    dropped : tuple of DroppedQuote
        Quotes that were not fitted.
    quote_warnings : tuple of str
        What cleaning noticed about the quotes.
    engine_version : str
        Told where no network answered.
    seconds : float
        The time it all took.

    Raises
    ------
    UnsupportedError
        The fit ended in parameters that are no numbers.
    """
    if isinstance(fit.found, calibration.TermStructure):
        model_type = fit.found.results[0].model.name
        found = _of_each_maturity(fit.found, certainties, uncertainty)
    else:
        model_type = fit.found.model.name
        found = fitted_model(
            fit.found, certainties[0], with_intervals=_says_errors(fit, uncertainty)
        )
        found |= {"fit_by_maturity": fit_by_maturity(fit.found)}
    if fit.method == "neural":
        found |= {"status": "proposed", "reason": "as the network proposes, without a fit"}
    ks = [one.pareto_k for one in certainties if one.pareto_k is not None]
    warnings = (
        *_about(fit),
        *quote_warnings,
        *found.pop("warnings"),
    )
    return CalibrationResult(
        **found,
        model_type=model_type,
        method=fit.method,
        degraded=bool(fit.less_than_asked),
        out_of_distribution=fit.out_of_distribution,
        pareto_k=max(ks) if ks else None,
        model_version=fit.network or engine_version,
        dropped=dropped,
        warnings=warnings,
        calibration_time_ms=1e3 * seconds,
    )


def fitted_model(
    fit: calibration.CalibrationResult, certainty: Certainty, *, with_intervals: bool
) -> dict[str, Any]:
    """Return the fields of `FittedModel`.

    Raises
    ------
    UnsupportedError
        The fit ended in parameters that are no numbers.
    """
    if not all(math.isfinite(value) for value in fit.parameters.values()):
        message = f"the fit of {fit.model.name} diverged: {fit.reason}"
        raise UnsupportedError(message)
    return {
        "parameters": fit.parameters,
        "status": fit.status,
        "reason": fit.reason,
        "fit_quality": quality(fit.fit),
        "intervals": certainty.intervals,
        "singular_values": tuple(float(v) for v in fit.singular_values if math.isfinite(v)),
        "moments": _moments(fit, with_intervals=with_intervals),
        "boundary_parameters": fit.limits,
        "n_evaluations": fit.n_evaluations,
        "warnings": (*certainty.warnings, *fit.warnings),
    }


def quality(fit: calibration.FitQuality) -> FitQuality:
    """Fit quality as it goes over the wire."""
    return FitQuality(
        rmse=fit.rmse,
        relative_error=fit.relative_error,
        implied_vol_rmse=_finite(fit.implied_vol_rmse),
        aae=fit.aae,
        ape=fit.ape,
        n_quotes=fit.n_quotes,
        n_implied_vols=fit.n_implied_vols,
    )


def fit_by_maturity(fit: calibration.CalibrationResult) -> tuple[MaturityFit, ...]:
    """Fit quality of each expiry."""
    return tuple(
        MaturityFit(
            maturity=one.maturity_years,
            fit_quality=quality(one.fit),
            mean_vol_error=_finite(one.mean_vol_error),
        )
        for one in fit.by_maturity
    )


def _says_errors(fit: Fit, uncertainty: Uncertainty) -> bool:
    """Whether Gauss-Newton errors mean anything: at an optimum, where they were asked for."""
    return uncertainty != "none" and fit.method != "neural"


def _about(fit: Fit) -> Iterator[str]:
    if fit.less_than_asked:
        yield fit.less_than_asked
    if fit.out_of_distribution and fit.proposal is not None:
        yield (
            f"these quotes are unlike those that the network was trained on (score "
            f"{fit.proposal.score:.3g}, above 1)"
        )


def _of_each_maturity(
    fit: calibration.TermStructure, certainties: Sequence[Certainty], uncertainty: Uncertainty
) -> dict[str, Any]:
    expiries = tuple(
        MaturityCalibration(
            maturity=float(years),
            **fitted_model(result, certainty, with_intervals=uncertainty != "none"),
        )
        for years, result, certainty in zip(fit.maturities, fit.results, certainties, strict=True)
    )
    worst = max((expiry.status for expiry in expiries), key=_BEST_FIRST.index)
    n_worst = sum(expiry.status == worst for expiry in expiries)
    every = tuple(
        dict.fromkeys(limit for expiry in expiries for limit in expiry.boundary_parameters)
    )
    n_warned = sum(bool(expiry.warnings) for expiry in expiries)
    warned = (f"{n_warned} of {len(expiries)} expiries have warnings; see `per_maturity`",)
    return {
        "parameters": None,
        "status": worst,
        "reason": f"{n_worst} of {len(expiries)} expiries: {worst.replace('_', ' ')}",
        "fit_quality": quality(fit.fit),
        "fit_by_maturity": tuple(one for r in fit.results for one in fit_by_maturity(r)),
        "intervals": None,
        "singular_values": None,
        "moments": None,
        "boundary_parameters": every,
        "per_maturity": expiries,
        "n_evaluations": sum(expiry.n_evaluations for expiry in expiries),
        "warnings": warned if n_warned else (),
    }


def _moments(fit: calibration.CalibrationResult, *, with_intervals: bool) -> dict[str, Moment]:
    return {
        name: Moment(
            value=_finite(one.value),
            interval=finite_pair(*one.interval(LEVEL)) if with_intervals else None,
        )
        for name, one in fit.functionals.items()
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

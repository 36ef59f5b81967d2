"""What fits found, shaped as it goes over the wire."""

import math
from collections import Counter
from typing import Any, Final

from levy_numerics import calibration
from levy_numerics.errors import UnsupportedError
from levy_schemas.calibration import (
    CalibrationMethod,
    CalibrationResult,
    FitQuality,
    FitStatus,
    FittedModel,
    Functional,
    Interval,
    MaturityCalibration,
    MaturityFit,
    Uncertainty,
)
from levy_schemas.surface import DroppedQuote

_LEVEL: Final = 0.95
_BEST_FIRST: Final[tuple[FitStatus, ...]] = (
    "converged",
    "at_bound",
    "stalled",
    "max_evaluations",
    "diverged",
)


def answer(
    fit: calibration.CalibrationResult | calibration.TermStructure,
    *,
    method: CalibrationMethod,
    uncertainty: Uncertainty = "laplace",
    dropped: tuple[DroppedQuote, ...] = (),
    model_version: str,
    seconds: float,
) -> CalibrationResult:
    """Answer `/calibrate`.

    Parameters
    ----------
    fit : CalibrationResult or TermStructure, of levy_numerics.calibration
        Of the whole surface, or one for each expiry.
    method, uncertainty : str
        What was asked.
    dropped : tuple of DroppedQuote
        What was left out before the fit.
    model_version : str
        Told in the answer.
    seconds : float
        The time it all took.

    Raises
    ------
    UnsupportedError
        The fit ended in parameters that are no numbers.
    """
    if isinstance(fit, calibration.TermStructure):
        model_type = fit.results[0].model.name
        found = _of_each_maturity(fit, uncertainty)
    else:
        model_type = fit.model.name
        found = fitted_model(fit, uncertainty) | {"fit_by_maturity": fit_by_maturity(fit)}
    degraded = method == "hybrid"
    about_method = (_no_network(model_type),) if degraded else ()
    return CalibrationResult(
        **found | {"warnings": (*about_method, *about_dropped(dropped), *found["warnings"])},
        model_type=model_type,
        method="least_squares",
        degraded=degraded,
        model_version=model_version,
        dropped=dropped,
        calibration_time_ms=1e3 * seconds,
    )


def fitted_model(fit: calibration.CalibrationResult, uncertainty: Uncertainty) -> dict[str, Any]:
    """Return the fields of `FittedModel`.

    Raises
    ------
    UnsupportedError
        The fit ended in parameters that are no numbers.
    """
    if not all(math.isfinite(value) for value in fit.parameters.values()):
        message = f"the fit of {fit.model.name} diverged: {fit.reason}"
        raise UnsupportedError(message)
    with_intervals = uncertainty == "laplace"
    fields = FittedModel(
        parameters=fit.parameters,
        status=fit.status,
        reason=fit.reason,
        fit_quality=quality(fit.fit),
        intervals=_intervals(fit) if with_intervals else None,
        singular_values=tuple(float(v) for v in fit.singular_values if math.isfinite(v)),
        functionals=_functionals(fit, with_intervals=with_intervals),
        limits=fit.limits,
        n_evaluations=fit.n_evaluations,
        warnings=fit.warnings,
    )
    return {name: getattr(fields, name) for name in FittedModel.model_fields}


def quality(fit: calibration.FitQuality) -> FitQuality:
    """Fit quality as it goes over the wire."""
    return FitQuality(
        rmse=fit.rmse,
        relative_error=fit.relative_error,
        implied_vol_rmse=_finite(fit.implied_vol_rmse),
        aae=fit.aae,
        ape=fit.ape,
        n_quotes=fit.n_quotes,
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


def about_dropped(dropped: tuple[DroppedQuote, ...]) -> tuple[str, ...]:
    """Say in a sentence what was left out, if anything."""
    if not dropped:
        return ()
    counts = Counter(quote.reason for quote in dropped)
    reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items()))
    were = "1 quote was" if len(dropped) == 1 else f"{len(dropped)} quotes were"
    return (f"{were} left out: {reasons}; see `dropped`",)


def _of_each_maturity(fit: calibration.TermStructure, uncertainty: Uncertainty) -> dict[str, Any]:
    expiries = tuple(
        MaturityCalibration(maturity=float(years), **fitted_model(result, uncertainty))
        for years, result in zip(fit.maturities, fit.results, strict=True)
    )
    worst = max((expiry.status for expiry in expiries), key=_BEST_FIRST.index)
    n_worst = sum(expiry.status == worst for expiry in expiries)
    every = tuple(dict.fromkeys(limit for expiry in expiries for limit in expiry.limits))
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
        "functionals": None,
        "limits": every,
        "per_maturity": expiries,
        "n_evaluations": sum(expiry.n_evaluations for expiry in expiries),
        "warnings": warned if n_warned else (),
    }


def _functionals(
    fit: calibration.CalibrationResult, *, with_intervals: bool
) -> dict[str, Functional]:
    return {
        name: Functional(
            value=_finite(one.value),
            interval=_finite_pair(*one.interval(_LEVEL)) if with_intervals else None,
        )
        for name, one in fit.functionals.items()
    }


def _intervals(fit: calibration.CalibrationResult) -> dict[str, Interval | None]:
    return {name: _finite_pair(*ends) for name, ends in fit.intervals(_LEVEL).items()}


def _finite_pair(low: float, high: float) -> Interval | None:
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _no_network(model_type: str) -> str:
    return f"no network is trained for {model_type}: least squares from several starts answered"

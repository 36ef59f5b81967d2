"""Confidence intervals of fitted parameters."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtri

from levy_numerics import calibration
from levy_numerics.calibration.hybrid import Fit, Proposal
from levy_numerics.calibration.uncertainty import FitUncertainty
from levy_numerics.errors import UnsupportedError
from levy_numerics.inference.adaptive_importance import importance_sample
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.inference.psis import RELIABLE_K
from levy_numerics.market import Quotes
from levy_schemas.calibration import (
    CalibrationMethod,
    Interval,
    Uncertainty,
    UncertaintyUsed,
)

LEVEL: Final = 0.95
# On the wire, for an infinite Pareto k.
_LARGEST_K: Final = 100.0


@dataclass(frozen=True)
class ParameterIntervals:
    """Intervals of one fit's parameters, null where there is none, and their reliability.

    Attributes
    ----------
    intervals : dict, optional
    uncertainty : str, optional
        How they were computed.
    errors : FitUncertainty, optional
        Standard errors of the moments.
    pareto_k : float, optional
    warnings : tuple of str
    """

    intervals: dict[str, Interval | None] | None = None
    uncertainty: UncertaintyUsed | None = None
    errors: FitUncertainty | None = None
    pareto_k: float | None = None
    warnings: tuple[str, ...] = ()


def refuse_psis_of_a_network(method: CalibrationMethod, uncertainty: Uncertainty) -> None:
    """Raise `UnsupportedError` for `psis` without a fit."""
    if method == "neural" and uncertainty == "psis":
        message = (
            "uncertainty = psis requires a fit, which method = neural does not make; request "
            "method = hybrid, or uncertainty = robust"
        )
        raise UnsupportedError(message, pointer="/uncertainty")


def parameter_intervals(
    fit: Fit, quotes: Quotes, *, uncertainty: Uncertainty
) -> tuple[ParameterIntervals, ...]:
    """Return the intervals of each result of a fit: of the whole surface, or of each expiry.

    Parameters
    ----------
    fit : Fit
    quotes : Quotes
        The fitted quotes.
    uncertainty : {"robust", "discrepancy", "laplace_iid", "psis", "none"}
        See `FitUncertainty`; importance-weighted against the exact posterior; none. `laplace` is
        the former name of `robust`.
    """
    if not isinstance(fit.result, calibration.TermStructure):
        return (_intervals(fit, fit.result, quotes, uncertainty),)
    years = quotes.contracts.maturity_years
    return tuple(
        _intervals(fit, result, quotes.select(years == maturity), uncertainty)
        for maturity, result in zip(fit.result.maturities, fit.results, strict=True)
    )


def _intervals(
    fit: Fit,
    result: calibration.CalibrationResult,
    quotes: Quotes,
    uncertainty: Uncertainty,
) -> ParameterIntervals:
    finite = all(math.isfinite(value) for value in result.parameters.values())
    if uncertainty == "none" or not finite:
        return ParameterIntervals()
    if fit.method == "neural":
        return _network_intervals(result, fit.proposal)
    if uncertainty == "psis":
        return _importance_weighted(result, quotes)
    return student_t_intervals(
        result.with_uncertainty("robust" if uncertainty == "laplace" else uncertainty)
    )


def student_t_intervals(result: calibration.CalibrationResult) -> ParameterIntervals:
    """Return the intervals of a result; null without a finite standard error."""
    errors = result.standard_errors
    intervals = {
        name: finite_pair(*ends) if math.isfinite(errors[name]) else None
        for name, ends in result.intervals(LEVEL).items()
    }
    used = result.uncertainty
    return ParameterIntervals(intervals, used.error_model, used, warnings=used.warnings)


def _importance_weighted(
    result: calibration.CalibrationResult, quotes: Quotes
) -> ParameterIntervals:
    model_type = type(result.model)
    posterior = Posterior.of(
        quotes,
        Priors.default(model_type),
        weights=result.weights,
        discrepancy=result.discrepancy(),
    )
    draws = importance_sample(posterior, result.model)
    intervals = {name: finite_pair(*ends) for name, ends in draws.intervals(LEVEL).items()}
    k = min(draws.pareto_k, _LARGEST_K)
    errors = result.uncertainty
    if k <= RELIABLE_K:
        return ParameterIntervals(intervals, "psis", errors, k)
    warning = (
        f"pareto_k = {k:.2f} is above {RELIABLE_K}: the intervals are unreliable; "
        "submit a Bayesian job instead"
    )
    return ParameterIntervals(intervals, "psis", errors, k, (warning,))


def _network_intervals(
    result: calibration.CalibrationResult, proposal: Proposal | None
) -> ParameterIntervals:
    """Return intervals from the network's predicted errors, to first order."""
    if proposal is None or proposal.spread is None:
        return ParameterIntervals(
            warnings=("the network predicts no intervals; request method = hybrid",)
        )
    model = result.model
    z = np.asarray(model.to_coordinates(), dtype=float)
    errors = np.hypot.reduce(model.coordinate_jacobian(z) * proposal.spread, axis=1)
    width = float(ndtri(0.5 + 0.5 * LEVEL)) * errors
    intervals: dict[str, Interval | None] = {}
    for p, value, w in zip(model.parameters(), result.parameters.values(), width, strict=True):
        intervals[p.name] = finite_pair(
            max(value - float(w), p.domain.low), min(value + float(w), p.domain.high)
        )
    return ParameterIntervals(intervals, "network")


def finite_pair(low: float, high: float) -> Interval | None:
    """Return an interval, or None where an end is infinite."""
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None

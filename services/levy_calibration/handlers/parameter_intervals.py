"""How sure fits are of their parameters."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtri

from levy_calibration.handlers.fitting import Fit
from levy_calibration.networks.proposer import Proposal
from levy_numerics import calibration
from levy_numerics.errors import UnsupportedError
from levy_numerics.inference.adaptive_importance import importance_sample
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.inference.psis import RELIABLE_K
from levy_numerics.market import Quotes
from levy_schemas.calibration import CalibrationMethod, Interval, Uncertainty

LEVEL: Final = 0.95
_NO_TAIL: Final = 100.0
"""What the wire says for an infinite k."""


@dataclass(frozen=True)
class Certainty:
    """Intervals of one fit's parameters, null where none can be said; and what they are worth."""

    intervals: dict[str, Interval | None] | None = None
    pareto_k: float | None = None
    warnings: tuple[str, ...] = ()


def refuse_psis_of_a_network(method: CalibrationMethod, uncertainty: Uncertainty) -> None:
    """Raise `UnsupportedError` if what is not a fit is to be weighed as one."""
    if method == "neural" and uncertainty == "psis":
        message = "psis weighs a fit, and neural makes none; ask hybrid, or laplace or none"
        raise UnsupportedError(message, pointer="/uncertainty")


def certainties(
    fit: Fit, quotes: Quotes, *, weights: str, uncertainty: Uncertainty
) -> tuple[Certainty, ...]:
    """Certainty of each result of a fit: one of the whole surface, or one for each expiry.

    Parameters
    ----------
    fit : Fit
    quotes : Quotes
        What it was fitted to.
    weights : {"price", "vega", "bid_ask"}
    uncertainty : {"laplace", "psis", "none"}
        Gauss-Newton; importance-weighted against the exact posterior; nothing.
    """
    if not isinstance(fit.found, calibration.TermStructure):
        return (_certainty(fit, fit.found, quotes, weights, uncertainty),)
    years = quotes.contracts.maturity_years
    return tuple(
        _certainty(fit, result, quotes.select(years == maturity), weights, uncertainty)
        for maturity, result in zip(fit.found.maturities, fit.found.results, strict=True)
    )


def _certainty(
    fit: Fit,
    result: calibration.CalibrationResult,
    quotes: Quotes,
    weights: str,
    uncertainty: Uncertainty,
) -> Certainty:
    finite = all(math.isfinite(value) for value in result.parameters.values())
    if uncertainty == "none" or not finite:
        return Certainty()
    if fit.method == "neural":
        return _by_the_network(result, fit.proposal)
    if uncertainty == "psis":
        return _weighed(result, quotes, weights)
    return gauss_newton(result)


def gauss_newton(result: calibration.CalibrationResult) -> Certainty:
    """Return Student-t intervals from the Gauss-Newton covariance; null without a finite error."""
    errors = result.standard_errors
    return Certainty(
        {
            name: finite_pair(*ends) if math.isfinite(errors[name]) else None
            for name, ends in result.intervals(LEVEL).items()
        }
    )


def _weighed(result: calibration.CalibrationResult, quotes: Quotes, weights: str) -> Certainty:
    model_type = type(result.model)
    posterior = Posterior.of(quotes, Priors.default(model_type), weights=weights)
    draws = importance_sample(posterior, result.model)
    intervals = {name: finite_pair(*ends) for name, ends in draws.intervals(LEVEL).items()}
    k = min(draws.pareto_k, _NO_TAIL)
    if k <= RELIABLE_K:
        return Certainty(intervals, k)
    warning = (
        f"pareto_k = {k:.2f} is above {RELIABLE_K}: the intervals are not to be relied on; "
        "ask for a Bayesian job"
    )
    return Certainty(intervals, k, (warning,))


def _by_the_network(result: calibration.CalibrationResult, proposal: Proposal | None) -> Certainty:
    """The network's own spread, carried to the parameters to first order."""
    if proposal is None or proposal.spread is None:
        return Certainty(None, None, ("the network tells no intervals; hybrid does",))
    model = result.model
    z = np.asarray(model.to_coordinates(), dtype=float)
    errors = np.hypot.reduce(model.coordinate_jacobian(z) * proposal.spread, axis=1)
    width = float(ndtri(0.5 + 0.5 * LEVEL)) * errors
    intervals: dict[str, Interval | None] = {}
    for p, value, w in zip(model.parameters(), result.parameters.values(), width, strict=True):
        intervals[p.name] = finite_pair(
            max(value - float(w), p.domain.low), min(value + float(w), p.domain.high)
        )
    return Certainty(intervals)


def finite_pair(low: float, high: float) -> Interval | None:
    """An interval, unless it has no end."""
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None

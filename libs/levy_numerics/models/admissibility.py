"""Rejection of models without a finite E[S_T], or that double precision cannot price.

Admissible parameters may be so extreme that a cumulant, the drift or an intermediate result, which
every pricing method needs, overflows or underflows. The error names the parameter that causes it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from levy_numerics.errors import InvalidParameterError, OutsideStripError

if TYPE_CHECKING:
    from levy_numerics.models.base import Model


def require_representable(model: "Model", maturity_years: np.ndarray) -> None:
    """Raise `InvalidParameterError` unless cumulants and drift are finite and variances positive.

    `model` is one parameter set.
    """
    if not _is_representable(model, maturity_years):
        raise representability_error(model, maturity_years)


@contextmanager
def convert_arithmetic_errors(model: "Model", maturity_years: np.ndarray) -> Iterator[None]:
    """Convert overflow and division by zero in the block to `InvalidParameterError`.

    Array operations do not raise; they return infinity or NaN, without warnings.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except (ArithmeticError, np.linalg.LinAlgError):
        raise representability_error(model, maturity_years) from None


def representability_error(model: "Model", maturity_years: np.ndarray) -> InvalidParameterError:
    """Return an error with the parameters that cause the failure, at the first such maturity."""
    years = next(
        (t for t in np.unique(maturity_years) if not _is_representable(model, t)),
        float(np.min(maturity_years)),
    )
    names = _causes(model, years)
    values = model.as_mapping()
    return InvalidParameterError(
        ", ".join(names),
        ", ".join(f"{values[name]:g}" for name in names),
        f"{model.name} can be priced in double precision at T = {years:g}",
        "choose a value closer to the typical one that GET /models lists",
    )


def _causes(model: "Model", years: float) -> list[str]:
    """Return each parameter whose default alone removes the failure; all if there is none."""
    values, defaults = model.as_mapping(), model.example().as_mapping()
    causes = [
        name
        for name in values
        if values[name] != defaults[name]
        and _is_representable(type(model)(**{**values, name: defaults[name]}), years)
    ]
    return causes or list(values)


def _is_representable(model: "Model", maturity_years: Any) -> bool:
    years: Any = np.asarray(maturity_years)
    try:
        with np.errstate(all="ignore"):
            cumulants = [np.asarray(k) for k in model.cumulants(years)]
            # An infinite E[S_T] is another error, which `require_forward` raises.
            drift = model.drift_correction(years) if np.all(model.forward_exists(years)) else 0.0
    except ArithmeticError:
        return False
    finite = all(np.all(np.isfinite(number)) for number in (*cumulants, drift))
    return finite and bool(np.all(cumulants[1] > 0.0))


def required_drift(model: "Model", maturity_years: Any) -> np.ndarray:
    """Return ω_T, or raise `OutsideStripError` if E[exp(X_T)] is infinite for any parameter set.

    Fields broadcast against `maturity_years`.
    """
    with np.errstate(all="ignore"):
        exists = np.asarray(model.forward_exists(maturity_years))
        drift = np.where(exists, model.drift_correction(np.asarray(maturity_years)), np.nan)
    drift = np.broadcast_to(drift, np.broadcast_shapes(drift.shape, np.shape(maturity_years)))
    require_forward(model, maturity_years, drift)
    return drift


def require_forward(model: "Model", maturity_years: Any, drift: np.ndarray) -> None:
    """Raise `OutsideStripError` if a drift is NaN, as E[exp(X_T)] is then infinite."""
    missing = np.isnan(drift)
    if missing.any():
        years = np.broadcast_to(maturity_years, drift.shape)[missing]
        raise OutsideStripError(
            f"E[S_T] is infinite for these parameters of {model.name} at T = {years[0]:g}; "
            "choose a lighter tail of upward jumps or shorter maturities",
            maturity_years=np.unique(years).tolist(),
        )

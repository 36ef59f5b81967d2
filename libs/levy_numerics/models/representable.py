"""Rejection of parameters with which a model cannot be priced in double precision.

Admissible parameters may be so extreme that a cumulant, the drift or an intermediate result, which
every pricing method needs, overflows or underflows. The error names the parameter that causes it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from levy_numerics.errors import InvalidParameterError

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

"""Laws that double precision can represent; others are rejected, with the parameter at fault.

Admissible parameters may be so extreme that a cumulant, the drift or an intermediate result is
zero or infinite in double precision. Every pricing method needs these numbers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from levy_numerics.errors import InvalidParameterError

if TYPE_CHECKING:
    from levy_numerics.models.base import Model


def require_representable(model: "Model", maturity_years: np.ndarray) -> None:
    """Raise unless double precision can represent the laws of ln(S_T/F) of one parameter set.

    Raises
    ------
    InvalidParameterError
        A cumulant or the drift is not a finite number, or the variance is zero.
    """
    if not _is_representable(model, maturity_years):
        raise not_representable(model, maturity_years)


@contextmanager
def arithmetic_errors_named(model: "Model", maturity_years: np.ndarray) -> Iterator[None]:
    """Turn overflow and division by zero within into `InvalidParameterError`.

    Array operations do not raise: they give infinity or NaN without a warning.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except (ArithmeticError, np.linalg.LinAlgError):
        raise not_representable(model, maturity_years) from None


def not_representable(model: "Model", maturity_years: np.ndarray) -> InvalidParameterError:
    """Return the error that names the parameters at fault, at the first maturity that fails."""
    years = next(
        (t for t in np.unique(maturity_years) if not _is_representable(model, t)),
        float(np.min(maturity_years)),
    )
    names = _at_fault(model, years)
    values = model.as_mapping()
    return InvalidParameterError(
        ", ".join(names),
        ", ".join(f"{values[name]:g}" for name in names),
        f"{model.name} can be priced in double precision at T = {years:g}",
        "choose a value nearer to the typical one that GET /models lists",
    )


def _at_fault(model: "Model", years: float) -> list[str]:
    """Return the parameters of which one, set to its default, is enough; all if none is."""
    values, defaults = model.as_mapping(), model.example().as_mapping()
    at_fault = [
        name
        for name in values
        if values[name] != defaults[name]
        and _is_representable(type(model)(**{**values, name: defaults[name]}), years)
    ]
    return at_fault or list(values)


def _is_representable(model: "Model", maturity_years: Any) -> bool:
    years: Any = np.asarray(maturity_years)
    try:
        with np.errstate(all="ignore"):
            cumulants = [np.asarray(k) for k in model.cumulants(years)]
            # Without a forward there is no drift, which is an error of its own kind.
            drift = model.drift_correction(years) if np.all(model.forward_exists(years)) else 0.0
    except ArithmeticError:
        return False
    finite = all(np.all(np.isfinite(number)) for number in (*cumulants, drift))
    return finite and bool(np.all(cumulants[1] > 0.0))

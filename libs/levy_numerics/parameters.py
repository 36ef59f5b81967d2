"""Declaration of model parameters, from which bounds, checks and the catalogue are derived."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from levy_numerics.distributions import Distribution
from levy_numerics.errors import InvalidParameterError

_KEY: Final = "levy_parameter"
# Between these magnitudes products of a few powers of parameters stay in double precision.
SMALLEST: Final = 1e-20
LARGEST: Final = 1e20


@dataclass(frozen=True)
class Interval:
    """Interval of the real line, open by default.

    Parameters
    ----------
    low, high : float
        End points, or infinity.
    includes_low : bool
        Whether `low` belongs to the interval.
    """

    low: float
    high: float
    includes_low: bool = False

    def contains(self, value: Any) -> bool:
        """Return whether every entry of `value` lies inside; NaN does not."""
        array = np.asarray(value, dtype=float)
        above = array >= self.low if self.includes_low else array > self.low
        return bool(np.all(above & (array < self.high)))

    def condition(self, name: str) -> str:
        """Return the interval as an inequality, for messages.

        Examples
        --------
        >>> Interval(0.0, math.inf).condition("sigma")
        'sigma > 0'
        """
        at_least = "≤" if self.includes_low else "<"
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{self.low:g} {at_least} {name} < {self.high:g}"
        if math.isfinite(self.low):
            return f"{name} {'≥' if self.includes_low else '>'} {self.low:g}"
        if math.isfinite(self.high):
            return f"{name} < {self.high:g}"
        return f"{name} is finite"


positive: Final = Interval(0.0, math.inf)
real: Final = Interval(-math.inf, math.inf)


@dataclass(frozen=True)
class Parameter:
    """Declaration of one model parameter.

    Attributes
    ----------
    name : str
        Name in Python and in requests.
    symbol : str
        Symbol in papers.
    domain : Interval
        Admissible values of this parameter alone; `Model.check` adds joint conditions.
    unit, meaning, source : str
        Texts for the catalogue and the documentation.
    default : float
        A realistic value for an equity index.
    typical_range : tuple of float
        Range in which the accuracy is tested and calibrations choose their initial guesses.
    prior : Distribution, optional
        Prior; by default `inference.priors` derives one from the other attributes.
    """

    name: str
    symbol: str
    domain: Interval
    unit: str
    meaning: str
    default: float
    typical_range: tuple[float, float]
    prior: Distribution | None = None
    source: str = ""


def parameter(
    domain: Interval,
    *,
    symbol: str,
    unit: str,
    meaning: str,
    default: float,
    typical_range: tuple[float, float],
    prior: Distribution | None = None,
    source: str = "",
) -> Any:
    """Return a dataclass field that declares a model parameter; see `Parameter`."""
    declaration = {
        "symbol": symbol,
        "domain": domain,
        "unit": unit,
        "meaning": meaning,
        "default": default,
        "typical_range": typical_range,
        "prior": prior,
        "source": source,
    }
    return dataclasses.field(metadata={_KEY: declaration})


@cache
def declared_parameters(cls: type) -> tuple[Parameter, ...]:
    """Return the parameters a model class declares, in the order of its fields."""
    return tuple(
        Parameter(name=field.name, **field.metadata[_KEY])
        for field in dataclasses.fields(cls)
        if _KEY in field.metadata
    )


def redeclared(
    cls: type, typical_ranges: Mapping[str, tuple[float, float]] | None = None
) -> list[tuple[str, Any, Any]]:
    """Return copies of the parameter fields of `cls`, for a dataclass that contains them.

    Parameters
    ----------
    cls : type
    typical_ranges : mapping of str to (float, float), optional
        Ranges of some of the parameters, instead of their own.
    """
    ranges = typical_ranges or {}
    copies = []
    for field in dataclasses.fields(cls):
        if _KEY in field.metadata:
            declaration = dict(field.metadata[_KEY])
            if field.name in ranges:
                declaration["typical_range"] = ranges[field.name]
            copies.append((field.name, field.type, dataclasses.field(metadata={_KEY: declaration})))
    return copies


def checked_values(
    parameters: tuple[Parameter, ...], values: Mapping[str, Any], model: str
) -> dict[str, Any]:
    """Return `values` as floats, after checks of names and domains.

    Raises
    ------
    InvalidParameterError
        A name is missing or unknown, or a value is not a number inside its domain.
    """
    names = [p.name for p in parameters]
    for name in values:
        if name not in names:
            condition = f"{model} takes {', '.join(names)}"
            raise InvalidParameterError(
                name,
                values[name],
                condition,
                message=f"{model} has no parameter {name}; {condition}",
            )
    for p in parameters:
        if p.name not in values:
            message = f"{model} requires parameter {p.name} (missing)"
            raise InvalidParameterError(p.name, "missing", message, message=message)
        check_domain(p, values[p.name])
    return {p.name: _as_float(values[p.name]) for p in parameters}


def _as_float(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def check_domain(p: Parameter, value: Any) -> None:
    """Raise `InvalidParameterError` unless every entry of `value` is inside the domain of `p`.

    `value` is a number or an array of floating-point numbers. Strings and booleans are rejected
    although they convert to numbers, as are magnitudes above `LARGEST` and, for a positive
    parameter, below `SMALLEST`.
    """
    if not (_is_numeric(value) and p.domain.contains(value)):
        raise InvalidParameterError(p.name, value, p.domain.condition(p.name))
    if not np.all(np.abs(value) <= LARGEST):
        raise InvalidParameterError(p.name, value, f"|{p.name}| ≤ {LARGEST:g}", _PRECISION)
    if p.domain.low == 0.0 and not p.domain.includes_low and not np.all(value >= SMALLEST):
        raise InvalidParameterError(p.name, value, f"{p.name} ≥ {SMALLEST:g}", _PRECISION)


_PRECISION: Final = "other values overflow or underflow in double precision"


def _is_numeric(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return False
    array = np.asarray(value)
    # Arrays of integers are rejected: powers with negative exponents raise for them.
    return array.size > 0 and array.dtype.kind in ("fiu" if array.ndim == 0 else "f")

"""Declaring a parameter once: everything else about it is derived from here."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from levy_numerics.errors import InvalidParameterError

_KEY: Final = "levy_parameter"
SMALLEST: Final = 1e-20
LARGEST: Final = 1e20
"""Magnitudes between which products of a few powers of parameters stay in double precision."""


@dataclass(frozen=True)
class Interval:
    """Interval of the real line, open unless said otherwise.

    Parameters
    ----------
    low, high : float
        End points; infinite where there is none.
    includes_low : bool
        Whether `low` itself belongs to it.
    """

    low: float
    high: float
    includes_low: bool = False

    def contains(self, value: Any) -> bool:
        """Whether every entry of `value` lies inside; NaN does not."""
        array = np.asarray(value, dtype=float)
        above = array >= self.low if self.includes_low else array > self.low
        return bool(np.all(above & (array < self.high)))

    def condition(self, name: str) -> str:
        """The interval as an inequality, for people.

        Examples
        --------
        >>> Interval(0.0, math.inf).condition("sigma")
        'sigma > 0'
        """
        less = "≤" if self.includes_low else "<"
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{self.low:g} {less} {name} < {self.high:g}"
        if math.isfinite(self.low):
            return f"{name} {'≥' if self.includes_low else '>'} {self.low:g}"
        if math.isfinite(self.high):
            return f"{name} < {self.high:g}"
        return f"{name} is finite"


positive: Final = Interval(0.0, math.inf)
real: Final = Interval(-math.inf, math.inf)


@dataclass(frozen=True)
class Parameter:
    """What the engine knows of one model parameter.

    Attributes
    ----------
    name : str
        On the wire and in Python.
    symbol : str
        In papers.
    domain : Interval
        Where the parameter is admissible on its own; conditions on several together are the
        model's `check`.
    unit, meaning, source : str
        For the catalogue and the docs.
    default : float
        A realistic value, for an equity index.
    plausible : tuple of float
        Range inside which the engine's accuracy is tested and calibrations search.
    """

    name: str
    symbol: str
    domain: Interval
    unit: str
    meaning: str
    default: float
    plausible: tuple[float, float]
    source: str = ""


def parameter(
    domain: Interval,
    *,
    symbol: str,
    unit: str,
    meaning: str,
    default: float,
    plausible: tuple[float, float],
    source: str = "",
) -> Any:
    """Dataclass field that declares a model parameter; see `Parameter`."""
    declared = {
        "symbol": symbol,
        "domain": domain,
        "unit": unit,
        "meaning": meaning,
        "default": default,
        "plausible": plausible,
        "source": source,
    }
    return dataclasses.field(metadata={_KEY: declared})


@cache
def declared_parameters(cls: type) -> tuple[Parameter, ...]:
    """Return the parameters a model class declares, in the order of its fields."""
    return tuple(
        Parameter(name=field.name, **field.metadata[_KEY])
        for field in dataclasses.fields(cls)
        if _KEY in field.metadata
    )


def redeclared(cls: type) -> list[tuple[str, Any, Any]]:
    """Parameter fields of `cls` once more, for a dataclass that is made of them."""
    return [
        (field.name, field.type, dataclasses.field(metadata=dict(field.metadata)))
        for field in dataclasses.fields(cls)
        if _KEY in field.metadata
    ]


def checked_values(
    parameters: tuple[Parameter, ...], values: Mapping[str, Any], model: str
) -> dict[str, Any]:
    """Return `values` once names and domains have been checked.

    Raises
    ------
    InvalidParameterError
        A name is missing or unknown, or a value is not a number inside its domain.
    """
    known = {p.name for p in parameters}
    for name in values:
        if name not in known:
            takes = f"{model} takes {', '.join(p.name for p in parameters)}"
            raise InvalidParameterError(
                name, values[name], takes, message=f"{model} has no parameter {name}; {takes}"
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

    A number, or an array of floating-point numbers; what merely converts to one, such as a
    string or a truth value, is refused. So are magnitudes that double precision cannot work with:
    above `LARGEST`, and, of a parameter that must be positive, below `SMALLEST`.
    """
    if not (_is_numeric(value) and p.domain.contains(value)):
        raise InvalidParameterError(p.name, value, p.domain.condition(p.name))
    if not np.all(np.abs(value) <= LARGEST):
        raise InvalidParameterError(p.name, value, f"|{p.name}| ≤ {LARGEST:g}", _PRECISION)
    if p.domain.low == 0.0 and not p.domain.includes_low and not np.all(value >= SMALLEST):
        raise InvalidParameterError(p.name, value, f"{p.name} ≥ {SMALLEST:g}", _PRECISION)


_PRECISION: Final = "beyond it, terms of the formulas overflow or vanish in double precision"


def _is_numeric(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return False
    array = np.asarray(value)
    return array.size > 0 and array.dtype.kind in ("fiu" if array.ndim == 0 else "f")

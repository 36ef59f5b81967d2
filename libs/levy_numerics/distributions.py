"""Prior distributions of one parameter, for NumPy and JAX."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.special import array_namespace

# Narrower uniform priors, relative to their end points, are rejected: the transform of the support
# would lose all digits.
_MIN_RELATIVE_WIDTH: Final = 1e-9
_LOG_SQRT_TWO_PI: Final = 0.5 * math.log(2.0 * math.pi)


class Distribution(ABC):
    """Continuous distribution of one parameter; subclasses are frozen dataclasses of numbers.

    Attributes
    ----------
    name : str
        Name in requests.
    """

    name: ClassVar[str]

    @abstractmethod
    def log_density(self, x: Any) -> Any:
        """Return log p(x), elementwise; −∞ outside the support."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Return independent draws, shape (size,)."""

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """End points of the support."""

    def as_mapping(self) -> dict[str, Any]:
        """Return name and numbers, the argument of `distribution`."""
        return {"distribution": self.name} | {
            field.name: getattr(self, field.name)
            for field in fields(self)  # type: ignore[arg-type]
        }


@dataclass(frozen=True)
class Normal(Distribution):
    """Normal distribution with mean `mu` and standard deviation `sigma`."""

    name = "normal"

    mu: float
    sigma: float

    def log_density(self, x: Any) -> Any:
        return -0.5 * ((x - self.mu) / self.sigma) ** 2 - math.log(self.sigma) - _LOG_SQRT_TWO_PI

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return rng.normal(self.mu, self.sigma, size)

    @property
    def support(self) -> tuple[float, float]:
        return -math.inf, math.inf


@dataclass(frozen=True)
class LogNormal(Distribution):
    """Distribution of `loc` + exp(Normal(`mu`, `sigma`))."""

    name = "lognormal"

    mu: float
    sigma: float
    loc: float = 0.0

    def log_density(self, x: Any) -> Any:
        inside, log_excess = _log_excess(x, self.loc)
        xp = array_namespace(log_excess)
        log_normal = Normal(self.mu, self.sigma).log_density(log_excess) - log_excess
        return xp.where(inside, log_normal, -xp.inf)

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return self.loc + rng.lognormal(self.mu, self.sigma, size)

    @property
    def support(self) -> tuple[float, float]:
        return self.loc, math.inf


@dataclass(frozen=True)
class Gamma(Distribution):
    """Distribution of `loc` plus a gamma variable with mean `shape`/`rate`."""

    name = "gamma"

    shape: float
    rate: float
    loc: float = 0.0

    def log_density(self, x: Any) -> Any:
        inside, log_excess = _log_excess(x, self.loc)
        xp = array_namespace(log_excess)
        constant = self.shape * math.log(self.rate) - math.lgamma(self.shape)
        log_gamma = constant + (self.shape - 1.0) * log_excess - self.rate * xp.exp(log_excess)
        return xp.where(inside, log_gamma, -xp.inf)

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return self.loc + rng.gamma(self.shape, 1.0 / self.rate, size)

    @property
    def support(self) -> tuple[float, float]:
        return self.loc, math.inf


@dataclass(frozen=True)
class HalfNormal(Distribution):
    """Distribution of `loc` + |Normal(0, `sigma`)|."""

    name = "half_normal"

    sigma: float
    loc: float = 0.0

    def log_density(self, x: Any) -> Any:
        excess = x - self.loc
        xp = array_namespace(excess)
        folded = Normal(0.0, self.sigma).log_density(excess) + math.log(2.0)
        return xp.where(excess >= 0.0, folded, -xp.inf)

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return np.asarray(self.loc + np.abs(rng.normal(0.0, self.sigma, size)))

    @property
    def support(self) -> tuple[float, float]:
        return self.loc, math.inf


@dataclass(frozen=True)
class Uniform(Distribution):
    """Uniform distribution between `low` and `high`."""

    name = "uniform"

    low: float
    high: float

    def log_density(self, x: Any) -> Any:
        xp = array_namespace(x)
        inside = (x >= self.low) & (x <= self.high)
        return xp.where(inside, -math.log(self.high - self.low), -xp.inf)

    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        return rng.uniform(self.low, self.high, size)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high


DISTRIBUTIONS: Final[dict[str, type[Distribution]]] = {
    cls.name: cls for cls in (Normal, LogNormal, Gamma, HalfNormal, Uniform)
}
_POSITIVE: Final = ("sigma", "shape", "rate")
# Deprecated names of fields in requests.
_ALIASES: Final = {"beyond": "loc"}


def distribution(specification: Mapping[str, Any]) -> Distribution:
    """Return the distribution with the name and the numbers of a specification.

    Raises
    ------
    InvalidInputError
        The distribution is unknown, or a number is missing, unknown or not admissible.

    Examples
    --------
    >>> distribution({"distribution": "lognormal", "mu": -1.6, "sigma": 0.5})
    LogNormal(mu=-1.6, sigma=0.5, loc=0.0)
    """
    numbers = {_ALIASES.get(key, key): value for key, value in specification.items()}
    name = numbers.pop("distribution", None)
    cls = DISTRIBUTIONS.get(str(name))
    if cls is None:
        raise InvalidInputError(
            f"unknown distribution {name!r}; choose one of {', '.join(DISTRIBUTIONS)}"
        )
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    for key, value in numbers.items():
        if key not in names:
            raise InvalidInputError(f"{name} takes {', '.join(names)}, not {key}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidInputError(f"{key} = {value!r} must be a number")
        if not (math.isfinite(value) and (key not in _POSITIVE or value > 0.0)):
            condition = "finite and positive" if key in _POSITIVE else "finite"
            raise InvalidInputError(f"{key} = {value:g} must be {condition}")
    try:
        result = cls(**{key: float(value) for key, value in numbers.items()})
    except TypeError:
        raise InvalidInputError(f"{name} requires {', '.join(names)}") from None
    low, high = result.support
    if not low < high:
        raise InvalidInputError(f"low = {low:g} must be less than high = {high:g}")
    if math.isfinite(high) and high - low < _MIN_RELATIVE_WIDTH * max(abs(low), abs(high)):
        raise InvalidInputError(
            f"low = {low!r} and high = {high!r} agree to nine digits; choose a wider prior"
        )
    return result


def _log_excess(x: Any, loc: float) -> tuple[Any, Any]:
    """Return whether x exceeds `loc`, and log(x − loc) there; 0 elsewhere."""
    excess = x - loc
    xp = array_namespace(excess)
    inside = excess > 0.0
    return inside, xp.log(xp.where(inside, excess, 1.0))

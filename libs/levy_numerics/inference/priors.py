"""Prior beliefs about a model's parameters: a distribution for each, declared and overridable.

One formula serves NumPy and JAX, so that every engine samples the same posterior.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Final, Self

import numpy as np

from levy_numerics.errors import InvalidInputError, InvalidParameterError
from levy_numerics.models.base import Model
from levy_numerics.models.time_change.composition import Composition
from levy_numerics.parameters import Interval, Parameter
from levy_numerics.special import array_namespace

_DEVIATIONS_ACROSS: Final = 4.0
"""A plausible range is taken as ± two standard deviations."""
_MAX_ROUNDS: Final = 1000
"""Draws per admissible set, above which priors hardly meet the model's domain."""
_SCREENED: Final = 65_536
"""Draws of which one must lie in the search box: a mass below 1/65,536 there may be refused."""
_PLACES: Final = 4096
"""Random points of the search box, beside its corners, that tell which values it holds."""
_VAGUE: Final = math.log(1e-6)
"""log of the density in the box, relative to that of a prior's draws, from which it is vague."""
_LEAST_WIDTH: Final = 1e-9
"""Of a support, relative to its ends."""
_LOG_SQRT_TWO_PI: Final = 0.5 * math.log(2.0 * math.pi)


class Distribution(ABC):
    """A continuous distribution of one parameter; subclasses are frozen dataclasses of numbers."""

    name: ClassVar[str]
    """On the wire."""

    @abstractmethod
    def log_density(self, x: Any) -> Any:
        """log p(x), elementwise; −∞ outside the support."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Independent draws, shape (size,)."""

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Ends of the interval that carries the distribution."""

    def as_mapping(self) -> dict[str, Any]:
        """Name and numbers, as `distribution` reads them."""
        return {"distribution": self.name} | {
            field.name: getattr(self, field.name)
            for field in fields(self)  # type: ignore[arg-type]
        }


@dataclass(frozen=True)
class Normal(Distribution):
    """Normal with mean `mu` and standard deviation `sigma`."""

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
    """`loc` plus a positive number whose logarithm is Normal(`mu`, `sigma`)."""

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
    """`loc` plus a gamma variable of mean `shape`/`rate`."""

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
    """`loc` plus |Normal(0, `sigma`)|."""

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
    """Every value between `low` and `high` alike."""

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
    kind.name: kind for kind in (Normal, LogNormal, Gamma, HalfNormal, Uniform)
}
_POSITIVE: Final = ("sigma", "shape", "rate")


def distribution(described: Mapping[str, Any]) -> Distribution:
    """Build a distribution from its name and numbers.

    Raises
    ------
    InvalidInputError
        No such distribution, a number is missing, unknown or not admissible.

    Examples
    --------
    >>> distribution({"distribution": "lognormal", "mu": -1.6, "sigma": 0.5})
    LogNormal(mu=-1.6, sigma=0.5, loc=0.0)
    """
    numbers = dict(described)
    name = numbers.pop("distribution", None)
    kind = DISTRIBUTIONS.get(str(name))
    if kind is None:
        raise InvalidInputError(
            f"no distribution is called {name!r}; known are {', '.join(DISTRIBUTIONS)}"
        )
    taken = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key, value in numbers.items():
        if key not in taken:
            raise InvalidInputError(f"{name} takes {', '.join(taken)}, not {key}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidInputError(f"{key} = {value!r} must be a number")
        if not (math.isfinite(value) and (key not in _POSITIVE or value > 0.0)):
            condition = "finite and positive" if key in _POSITIVE else "finite"
            raise InvalidInputError(f"{key} = {value:g} must be {condition}")
    try:
        made = kind(**{key: float(value) for key, value in numbers.items()})
    except TypeError:
        raise InvalidInputError(f"{name} needs {', '.join(taken)}") from None
    low, high = made.support
    if not low < high:
        raise InvalidInputError(f"low = {low:g} must lie below high = {high:g}")
    if math.isfinite(high) and high - low < _LEAST_WIDTH * max(abs(low), abs(high)):
        raise InvalidInputError(
            f"low = {low!r} and high = {high!r} agree to nine digits; give the prior a width"
        )
    return made


@dataclass(frozen=True)
class Priors:
    """Independent distributions of a model's parameters, cut to where the model is admissible.

    Attributes
    ----------
    model_type : type of Model
    by_parameter : mapping of str to Distribution
        In the order of declaration. A parameter that calibrations hold fixed, such as a clock's
        rate today, has none.
    """

    model_type: type[Model]
    by_parameter: Mapping[str, Distribution]

    @classmethod
    def default(cls, model_type: type[Model]) -> Self:
        """Weakly informative ones.

        Those of Variance Gamma and CGMY are chosen; otherwise log-normal about the declared
        default where the domain is half a line, normal where it is the line, uniform where it is
        bounded, of a width such that the declared plausible range is ± two standard deviations.
        """
        chosen = _chosen(model_type)
        return cls(
            model_type,
            {
                p.name: chosen.get(p.name) or _from_declaration(p)
                for p in model_type.parameters()
                if p.plausible[0] < p.plausible[1]
            },
        )

    def overridden(self, described: Mapping[str, Mapping[str, Any]]) -> Self:
        """Other distributions for some of the parameters: see `distribution`.

        Raises
        ------
        InvalidParameterError
            The model samples no such parameter, or a prior has no mass in its domain or in the
            search box, to the resolution of 65,536 draws.
        InvalidInputError
            A distribution is not understood.
        """
        found = dict(self.by_parameter)
        domains = {p.name: p.domain for p in self.model_type.parameters()}
        for name, one in described.items():
            if name not in found:
                names = ", ".join(found)
                raise InvalidParameterError(
                    name,
                    "a prior",
                    f"one of {names}",
                    f"give priors for {names}",
                    message=f"{self.model_type.name} has no parameter {name!r} to sample",
                )
            made = distribution(one)
            _require_overlap(name, made, domains[name])
            found[name] = made
        priors = replace(self, by_parameter=found)
        priors._require_mass_in_box(tuple(described))
        return priors

    def log_density(self, model: Any) -> Any:
        """log p of the parameters, up to the constant of cutting; shape of the model's fields."""
        return sum(
            prior.log_density(getattr(model, name)) for name, prior in self.by_parameter.items()
        )

    def log_density_at(self, z: Any) -> Any:
        """log p of the coordinates `z`, shape (n_coordinates, …): the volume element included."""
        return self.log_density(self.model_type.from_coordinates(z)) + self.log_volume_at(z)

    def log_volume_at(self, z: Any) -> Any:
        """log |det ∂ parameters/∂ coordinates|, shape of `z` but its first axis."""
        return log_volume(self.model_type, tuple(self.by_parameter), z)

    @property
    def cutting(self) -> tuple[str, ...]:
        """Names of the parameters whose domain extends beyond the support of their prior."""
        cut = []
        for p in self.model_type.parameters():
            if p.name in self.by_parameter:
                low, high = self.by_parameter[p.name].support
                if low > p.domain.low or high < p.domain.high:
                    cut.append(p.name)
        return tuple(cut)

    def _require_mass_in_box(self, names: tuple[str, ...]) -> None:
        """Refuse priors of `names` that contradict the search box, each alone or all together.

        A posterior would else pile up at an edge of the box, and look certain there. Vague priors
        pass: uniform on (0, 1e9) draws nothing below 5, but is as dense there as anywhere.
        """
        if not names:
            return
        model = self.model_type.name
        rng = np.random.default_rng(0)
        drawn = {n: prior.sample(rng, _SCREENED) for n, prior in self.by_parameter.items()}
        held = _values_in_box(self.model_type)
        all_drawn = True
        for name in names:
            prior, low, high = self.by_parameter[name], held[name].min(), held[name].max()
            if np.any((drawn[name] >= low) & (drawn[name] <= high)):
                continue
            if not _is_vague(prior, drawn[name], held[name]):
                default = type(self).default(self.model_type).by_parameter
                alone = replace(self, by_parameter={**default, name: prior})
                raise alone.refuse(
                    f"the prior of {name} lies outside of the search box of {model}, "
                    f"where {name} is from {low:.4g} to {high:.4g}"
                )
            all_drawn = False
        parts = (
            {name: values[first : first + _PLACES] for name, values in drawn.items()}
            for first in range(0, _SCREENED, _PLACES)  # Nearly always the first will do.
        )
        if all_drawn and not any(self._in_box(part).any() for part in parts):
            raise self.refuse(f"together the priors lie outside of the search box of {model}")

    def _in_box(self, drawn: dict[str, np.ndarray]) -> np.ndarray:
        """Return which parameter sets are admissible and in the search box, shape (n,)."""
        n = next(iter(drawn.values())).size
        fixed = {
            p.name: np.full(n, p.plausible[0])
            for p in self.model_type.parameters()
            if p.name not in drawn
        }
        batch = self.model_type(**(drawn | fixed))
        good = np.flatnonzero(_admissible(batch))
        low, high = (np.array(end)[:, None] for end in self.model_type.coordinate_bounds())
        with np.errstate(all="ignore"):
            z = np.asarray(batch.select(good).to_coordinates())[: len(low)]
        return np.asarray(((z >= low) & (z <= high)).all(axis=0))

    def refuse(self, reason: str) -> InvalidParameterError:
        """Return the error that blames the priors which differ from the default ones."""
        default = type(self).default(self.model_type).by_parameter
        given = [name for name, prior in self.by_parameter.items() if prior != default[name]]
        error = InvalidParameterError(", ".join(given), "a prior", reason)
        described = ", ".join(f"{name} ~ {self.by_parameter[name]}" for name in given)
        error.message = f"{reason} (priors: {described}); widen or move the prior"
        error.args = (error.message,)
        error.details["pointer"] = f"/priors/{given[0]}" if given else "/priors"
        return error

    def sample(self, rng: np.random.Generator, size: int) -> Model:
        """Return `size` admissible parameter sets, as a batch; others are drawn again.

        Raises
        ------
        InvalidParameterError
            Hardly any set that the priors allow is admissible.
        """
        kept: list[Model] = []
        fixed = {
            p.name: np.full(size, p.plausible[0])
            for p in self.model_type.parameters()
            if p.name not in self.by_parameter
        }
        n_kept = 0
        for _ in range(_MAX_ROUNDS):
            if n_kept >= size:
                break
            drawn = {name: prior.sample(rng, size) for name, prior in self.by_parameter.items()}
            batch = self.model_type(**(drawn | fixed))
            good = np.flatnonzero(_admissible(batch))[: size - n_kept]
            kept.append(batch.select(good))
            n_kept += good.size
        if n_kept < size:
            raise self.refuse(f"{self.model_type.name} admits no parameters that the priors allow")
        joined = {
            p.name: np.concatenate([getattr(part, p.name) for part in kept])
            for p in self.model_type.parameters()
        }
        return self.model_type(**joined)


_VARIANCE_GAMMA: Final[dict[str, Distribution]] = {
    "sigma": LogNormal(math.log(0.2), 0.5),
    "nu": Gamma(2.0, 2.0),
    "theta": Normal(-0.2, 0.2),
}
_CGMY: Final[dict[str, Distribution]] = {
    "C": LogNormal(math.log(0.3), 1.25),
    "G": LogNormal(math.log(5.0), 1.25),
    "M": LogNormal(math.log(10.0), 1.25, 1.0),
    "Y": Normal(0.8, 0.4),
}
"""Each parameter over its whole plausible range, independently of the others, would believe in
volatilities of 500% for one surface of ten: C and Y together make the variance."""
_CHOSEN: Final[Mapping[str, Mapping[str, Distribution]]] = {
    "VarianceGamma": _VARIANCE_GAMMA,
    "CGMY": _CGMY,
}


def _chosen(model_type: type[Model]) -> Mapping[str, Distribution]:
    """Priors that are chosen and not derived; those of a composition's base are its base's."""
    base = model_type.base_type if issubclass(model_type, Composition) else model_type
    return _CHOSEN.get(base.name, {})


def _from_declaration(p: Parameter) -> Distribution:
    low, high = p.plausible
    start = p.domain.low
    if math.isfinite(start) and math.isfinite(p.domain.high):
        return Uniform(start, p.domain.high)
    if math.isfinite(start):
        width = math.log((high - start) / (low - start)) / _DEVIATIONS_ACROSS
        return LogNormal(math.log(p.default - start), width, start)
    return Normal(p.default, (high - low) / _DEVIATIONS_ACROSS)


def _values_in_box(model_type: type[Model]) -> dict[str, np.ndarray]:
    """Return values of each parameter at corners and random points of the search box."""
    low, high = (np.array(end) for end in model_type.coordinate_bounds())
    corners = np.array(np.meshgrid(*[(0.0, 1.0)] * len(low))).reshape(len(low), -1)
    places = np.random.default_rng(0).random((len(low), _PLACES))
    shares = np.concatenate([corners, places], axis=1)
    z = low[:, None] + (high - low)[:, None] * shares
    with np.errstate(all="ignore"):
        model = model_type.from_coordinates(z)
    return {p.name: np.asarray(getattr(model, p.name)) for p in model_type.parameters()}


def _is_vague(prior: Distribution, drawn: np.ndarray, held: np.ndarray) -> bool:
    """Return whether values that the box holds are not much less dense than what is drawn."""
    with np.errstate(all="ignore"):
        typical = float(np.median(prior.log_density(drawn)))
        best = float(np.max(prior.log_density(held)))
    return math.isfinite(typical) and best - typical > _VAGUE


def _require_overlap(name: str, made: Distribution, domain: Interval) -> None:
    low, high = made.support
    if not (low < domain.high and high > domain.low):
        raise InvalidParameterError(
            name,
            f"{made.name} on ({low:g}, {high:g})",
            domain.condition(name),
            "give a prior that meets the domain",
        )


def _admissible(batch: Model) -> np.ndarray:
    """Which members of a batch lie in the domain and have a forward at one year."""
    inside = np.ones((), dtype=bool)
    for p in batch.parameters():
        value = getattr(batch, p.name)
        above = value >= p.domain.low if p.domain.includes_low else value > p.domain.low
        inside = inside & above & (value < p.domain.high)
    with np.errstate(all="ignore"):
        _, high = batch.strip(1.0)
        return np.asarray(inside & (high > 0.0) & batch.forward_exists(1.0))


def _log_excess(x: Any, loc: float) -> tuple[Any, Any]:
    """Where x lies above the end of the support, and log(x − loc) there; 0 elsewhere."""
    excess = x - loc
    xp = array_namespace(excess)
    inside = excess > 0.0
    return inside, xp.log(xp.where(inside, excess, 1.0))


def log_volume(model_type: type[Model], names: tuple[str, ...], z: Any) -> Any:
    """Return log |det ∂ parameters/∂ coordinates|, shape of `z` but its first axis.

    Parameters
    ----------
    names : tuple of str
        The parameters, as many as coordinates.
    z : array, shape (n_coordinates, …)
        NumPy or JAX.
    """
    xp = array_namespace(z)
    if xp is np:
        free = [p.name in names for p in model_type.parameters()]
        jacobian = np.moveaxis(model_type.coordinate_jacobian(z)[free], (0, 1), (-2, -1))
    else:
        import jax

        def parameters(point: Any) -> Any:
            model = model_type.from_coordinates(point)
            return xp.stack(xp.broadcast_arrays(*(getattr(model, name) for name in names)))

        jacobian = _moved_back(jax.vmap, jax.jacfwd(parameters), z)
    return xp.linalg.slogdet(jacobian)[1]


def _moved_back(vmap: Any, jacobian_at: Any, z: Any) -> Any:
    """Jacobians of a function of one point at all points of `z`, shape (…, n, n)."""
    if z.ndim == 1:
        return jacobian_at(z)
    flat = z.reshape(z.shape[0], -1)
    found = vmap(jacobian_at, in_axes=1)(flat)
    return found.reshape(*z.shape[1:], *found.shape[1:])

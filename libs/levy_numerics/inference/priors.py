"""Priors of a model: an independent distribution for each parameter, which users can override."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np

from levy_numerics.distributions import Distribution, LogNormal, Normal, Uniform, distribution
from levy_numerics.errors import InvalidParameterError
from levy_numerics.models.base import Model
from levy_numerics.parameters import Interval, Parameter
from levy_numerics.special import array_namespace

# A typical range is taken as ± two standard deviations.
_RANGE_IN_DEVIATIONS: Final = 4.0
# Rounds of draws after which sampling from priors gives up: hardly any draw is then admissible.
_MAX_ROUNDS: Final = 1000
# Draws of which one must lie in the search box. A prior with a mass below 1/65,536 there may be
# rejected.
_N_DRAWS: Final = 65_536
# Random points of the search box, beside its corners, that show which values it contains.
_N_BOX_POINTS: Final = 4096
# A prior is vague if its log density in the box exceeds that of its draws plus this number.
_LOG_VAGUE: Final = math.log(1e-6)


@dataclass(frozen=True)
class Priors:
    """Independent priors of a model's parameters, truncated to admissible models.

    Attributes
    ----------
    model_type : type of Model
    by_parameter : mapping of str to Distribution
        In the order of declaration. A parameter that calibrations fix, such as the initial activity
        rate of a CIR time change, has none.
    """

    model_type: type[Model]
    by_parameter: Mapping[str, Distribution]

    @classmethod
    def default(cls, model_type: type[Model]) -> Self:
        """Return the weakly informative priors that a model declares.

        A parameter without a declared prior gets a log-normal one about its default if its domain
        is half a line, a normal one if it is the line, a uniform one if it is bounded. The typical
        range is then ± two standard deviations.
        """
        return cls(
            model_type,
            {
                p.name: p.prior or _derived_prior(p)
                for p in model_type.parameters()
                if p.typical_range[0] < p.typical_range[1]
            },
        )

    def with_overrides(self, specifications: Mapping[str, Mapping[str, Any]]) -> Self:
        """Return priors with other distributions for some parameters; see `distribution`.

        Raises
        ------
        InvalidParameterError
            The model has no such parameter to sample, or a prior has no mass in its domain or in
            the search box, to the resolution of 65,536 draws.
        InvalidInputError
            A distribution is not valid.
        """
        by_parameter = dict(self.by_parameter)
        domains = {p.name: p.domain for p in self.model_type.parameters()}
        for name, specification in specifications.items():
            if name not in by_parameter:
                names = ", ".join(by_parameter)
                raise InvalidParameterError(
                    name,
                    "a prior",
                    f"one of {names}",
                    f"give priors for {names}",
                    message=f"{self.model_type.name} has no parameter {name!r} to sample",
                )
            prior = distribution(specification)
            _require_overlap(name, prior, domains[name])
            by_parameter[name] = prior
        priors = replace(self, by_parameter=by_parameter)
        priors._require_mass_in_box(tuple(specifications))
        return priors

    def log_density(self, model: Any) -> Any:
        """Return log p of the parameters, up to the constant of truncation; shape of the fields."""
        return sum(
            prior.log_density(getattr(model, name)) for name, prior in self.by_parameter.items()
        )

    def log_density_at(self, z: Any) -> Any:
        """Return log p of the coordinates `z`, shape (n_coordinates, …), with volume element."""
        return self.log_density(self.model_type.from_coordinates(z)) + self.log_volume_at(z)

    def log_volume_at(self, z: Any) -> Any:
        """Return log |det ∂ parameters/∂ coordinates|, shape of `z` without its first axis."""
        return log_volume(self.model_type, tuple(self.by_parameter), z)

    @property
    def truncating(self) -> tuple[str, ...]:
        """Names of the parameters whose domain extends beyond the support of their prior."""
        names = []
        for p in self.model_type.parameters():
            if p.name in self.by_parameter:
                low, high = self.by_parameter[p.name].support
                if low > p.domain.low or high < p.domain.high:
                    names.append(p.name)
        return tuple(names)

    def _require_mass_in_box(self, names: tuple[str, ...]) -> None:
        """Reject priors of `names` that contradict the search box, alone or together.

        The posterior would otherwise concentrate at a face of the box, with a misleading precision.
        Vague priors pass: a uniform one on (0, 1e9) has no draw below 5, but its density there is
        as high as elsewhere.
        """
        if not names:
            return
        model = self.model_type.name
        rng = np.random.default_rng(0)
        draws = {n: prior.sample(rng, _N_DRAWS) for n, prior in self.by_parameter.items()}
        in_box = _values_in_box(self.model_type)
        have_draws = True
        for name in names:
            prior, low, high = self.by_parameter[name], in_box[name].min(), in_box[name].max()
            if np.any((draws[name] >= low) & (draws[name] <= high)):
                continue
            if not _is_vague(prior, draws[name], in_box[name]):
                default = type(self).default(self.model_type).by_parameter
                single = replace(self, by_parameter={**default, name: prior})
                raise single.error(
                    f"the prior of {name} lies outside of the search box of {model}, "
                    f"where {name} is from {low:.4g} to {high:.4g}"
                )
            have_draws = False
        # In parts, since the first nearly always suffices.
        parts = (
            {name: values[first : first + _N_BOX_POINTS] for name, values in draws.items()}
            for first in range(0, _N_DRAWS, _N_BOX_POINTS)
        )
        if have_draws and not any(self._in_box(part).any() for part in parts):
            raise self.error(f"together the priors lie outside of the search box of {model}")

    def _in_box(self, draws: dict[str, np.ndarray]) -> np.ndarray:
        """Return which parameter sets are admissible and in the search box, shape (n,)."""
        batch = self._batch(draws)
        admissible = np.flatnonzero(_admissible(batch))
        low, high = (np.array(end)[:, None] for end in self.model_type.coordinate_bounds())
        with np.errstate(all="ignore"):
            z = np.asarray(batch.select(admissible).to_coordinates())[: len(low)]
        return np.asarray(((z >= low) & (z <= high)).all(axis=0))

    def _batch(self, draws: dict[str, np.ndarray]) -> Model:
        """Return the models with these parameters, the others at their only typical value."""
        n = next(iter(draws.values())).size
        fixed = {
            p.name: np.full(n, p.typical_range[0])
            for p in self.model_type.parameters()
            if p.name not in draws
        }
        return self.model_type(**(draws | fixed))

    def error(self, reason: str) -> InvalidParameterError:
        """Return an error that lists the priors that differ from the default ones."""
        default = type(self).default(self.model_type).by_parameter
        names = [name for name, prior in self.by_parameter.items() if prior != default[name]]
        error = InvalidParameterError(", ".join(names), "a prior", reason)
        priors = ", ".join(f"{name} ~ {self.by_parameter[name]}" for name in names)
        error.message = f"{reason} (priors: {priors}); widen or move the prior"
        error.args = (error.message,)
        error.details["pointer"] = f"/priors/{names[0]}" if names else "/priors"
        return error

    def sample(self, rng: np.random.Generator, size: int) -> Model:
        """Return `size` admissible parameter sets as a batch, by rejection sampling.

        Raises
        ------
        InvalidParameterError
            Hardly any draw from the priors is admissible.
        """
        parts: list[Model] = []
        n_accepted = 0
        for _ in range(_MAX_ROUNDS):
            if n_accepted >= size:
                break
            batch = self._batch(
                {name: prior.sample(rng, size) for name, prior in self.by_parameter.items()}
            )
            accepted = np.flatnonzero(_admissible(batch))[: size - n_accepted]
            parts.append(batch.select(accepted))
            n_accepted += accepted.size
        if n_accepted < size:
            raise self.error(
                f"hardly any draw from the priors is admissible for {self.model_type.name}"
            )
        return self.model_type(
            **{
                p.name: np.concatenate([getattr(part, p.name) for part in parts])
                for p in self.model_type.parameters()
            }
        )


def _derived_prior(p: Parameter) -> Distribution:
    """Return the prior of a parameter that declares none."""
    low, high = p.typical_range
    start = p.domain.low
    if math.isfinite(start) and math.isfinite(p.domain.high):
        return Uniform(start, p.domain.high)
    if math.isfinite(start):
        width = math.log((high - start) / (low - start)) / _RANGE_IN_DEVIATIONS
        return LogNormal(math.log(p.default - start), width, start)
    return Normal(p.default, (high - low) / _RANGE_IN_DEVIATIONS)


def _values_in_box(model_type: type[Model]) -> dict[str, np.ndarray]:
    """Return values of each parameter at corners and random points of the search box."""
    low, high = (np.array(end) for end in model_type.coordinate_bounds())
    corners = np.array(np.meshgrid(*[(0.0, 1.0)] * len(low))).reshape(len(low), -1)
    points = np.random.default_rng(0).random((len(low), _N_BOX_POINTS))
    unit = np.concatenate([corners, points], axis=1)
    z = low[:, None] + (high - low)[:, None] * unit
    with np.errstate(all="ignore"):
        model = model_type.from_coordinates(z)
    return {p.name: np.asarray(getattr(model, p.name)) for p in model_type.parameters()}


def _is_vague(prior: Distribution, draws: np.ndarray, in_box: np.ndarray) -> bool:
    """Return whether the density in the box is not much lower than at the draws."""
    with np.errstate(all="ignore"):
        typical = float(np.median(prior.log_density(draws)))
        best = float(np.max(prior.log_density(in_box)))
    return math.isfinite(typical) and best - typical > _LOG_VAGUE


def _require_overlap(name: str, prior: Distribution, domain: Interval) -> None:
    low, high = prior.support
    if not (low < domain.high and high > domain.low):
        raise InvalidParameterError(
            name,
            f"{prior.name} on ({low:g}, {high:g})",
            domain.condition(name),
            "choose a prior whose support meets the domain",
        )


def _admissible(batch: Model) -> np.ndarray:
    """Return which members of a batch lie in the domain and have a finite E[S_T] at one year."""
    inside = np.ones((), dtype=bool)
    for p in batch.parameters():
        value = getattr(batch, p.name)
        above = value >= p.domain.low if p.domain.includes_low else value > p.domain.low
        inside = inside & above & (value < p.domain.high)
    with np.errstate(all="ignore"):
        _, high = batch.strip(1.0)
        return np.asarray(inside & (high > 0.0) & batch.forward_exists(1.0))


def log_volume(model_type: type[Model], names: tuple[str, ...], z: Any) -> Any:
    """Return log |det ∂ parameters/∂ coordinates|, shape of `z` without its first axis.

    Parameters
    ----------
    names : tuple of str
        The free parameters, as many as coordinates.
    z : array, shape (n_coordinates, …)
        NumPy or JAX.
    """
    xp = array_namespace(z)
    if xp is np:
        free = [p.name in names for p in model_type.parameters()]
        jacobian = np.moveaxis(model_type.coordinate_jacobian(z)[free], (0, 1), (-2, -1))
    else:
        # Forward-mode derivatives, which JAX can differentiate again.
        import jax

        def parameters(point: Any) -> Any:
            model = model_type.from_coordinates(point)
            return xp.stack(xp.broadcast_arrays(*(getattr(model, name) for name in names)))

        jacobian = _jacobians(jax.vmap, jax.jacfwd(parameters), z)
    return xp.linalg.slogdet(jacobian)[1]


def _jacobians(vmap: Any, jacobian_at: Any, z: Any) -> Any:
    """Return the Jacobians of a function of one point at all points of `z`, shape (…, n, n)."""
    if z.ndim == 1:
        return jacobian_at(z)
    jacobians = vmap(jacobian_at, in_axes=1)(z.reshape(z.shape[0], -1))
    return jacobians.reshape(*z.shape[1:], *jacobians.shape[1:])

"""Bijectors between unconstrained coordinates u and the points of a posterior.

A point consists of a model's coordinates z, which lie in a search box, and optionally the
coordinate of the noise, which has no bounds and remains unchanged. With `Box`, u is the logit of
the position in the box.

A uniform prior may exclude the least-squares optimum, so that the posterior concentrates at an end
of its support. With `Support`, each parameter θ is therefore mapped from the support S of its prior
to the real line:

    S = (a, b)    u = log((θ − a)/(b − a)) − log((b − θ)/(b − a))
    S = (a, ∞)    u = log(θ − a)
    S = (−∞, b)   u = −log(b − θ)
    S = (−∞, ∞)   u = (θ − default)/scale

All formulas are for NumPy and JAX.
"""

import math
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from levy_numerics.inference.priors import Priors, log_volume
from levy_numerics.models.base import Model
from levy_numerics.special import array_namespace

# Fraction of the box by which a point on a face is moved inside, where u is finite.
_BOX_MARGIN: Final = 1e-6
# Distance of initial points from the ends of a support, as a fraction of the support or, if that is
# narrower, of the typical range.
_SUPPORT_MARGIN: Final = 1e-2
# A typical range is taken as ± two standard deviations.
_RANGE_IN_DEVIATIONS: Final = 4.0


@dataclass(frozen=True)
class Box:
    """Bijector between the real space and the search box of a model.

    Attributes
    ----------
    low, high : array, shape (n_coordinates,)
    model_type : type of Model
    """

    low: Any
    high: Any
    model_type: type[Model]

    @classmethod
    def of(cls, model_type: type[Model]) -> Self:
        """Return the bijector of the search box that a model declares."""
        low, high = model_type.coordinate_bounds()
        xp = array_namespace()
        return cls(xp.array(low), xp.array(high), model_type)

    def constrain(self, u: Any) -> tuple[Any, Any]:
        """Return points, shape (size, n) of `u`, and log |∂z/∂u| up to a constant, shape (n,)."""
        xp = array_namespace(u)
        d = self.low.size
        log_share, log_rest = -xp.logaddexp(0.0, -u[:d]), -xp.logaddexp(0.0, u[:d])
        share, rest = xp.exp(log_share), xp.exp(log_rest)
        low, high = self.low[:, None], self.high[:, None]
        # Measured from the nearer face, so that z keeps its digits there.
        z = xp.where(share < rest, low + (high - low) * share, high - (high - low) * rest)
        return xp.concatenate([z, u[d:]]), (log_share + log_rest).sum(axis=0)

    def unconstrain(self, points: Any) -> Any:
        """Return u of points, shape (size, n); those on a face are moved inside."""
        xp = array_namespace(points)
        d = self.low.size
        share = (points[:d] - self.low[:, None]) / (self.high - self.low)[:, None]
        share = xp.clip(share, _BOX_MARGIN, 1.0 - _BOX_MARGIN)
        return xp.concatenate([xp.log(share) - xp.log1p(-share), points[d:]])

    def derivative(self, u: Any) -> Any:
        """Return ∂z/∂u, shape of `u`: each coordinate depends on one entry only."""
        xp = array_namespace(u)
        d = self.low.size
        log_share, log_rest = -xp.logaddexp(0.0, -u[:d]), -xp.logaddexp(0.0, u[:d])
        inner = (self.high - self.low)[:, None] * xp.exp(log_share + log_rest)
        return xp.concatenate([inner, xp.ones_like(u[d:])])

    # A Laplace approximation is made in "search coordinates": here z, within the box.

    def initial_point(self, model: Model) -> np.ndarray:
        """Return the search coordinates closest to `model`, shape (n_coordinates,)."""
        z = np.asarray(model.to_coordinates(), dtype=float)[: len(self.low)]
        return self.clip(z)

    def clip(self, z: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Return the search coordinates closest to `z` with a distance `margin` from each face."""
        return np.asarray(np.clip(z, self.low + margin, self.high - margin))

    def model_at(self, z: np.ndarray) -> Model:
        """Return the model at search coordinates, shape (n_coordinates, …)."""
        return self.model_type.from_coordinates(z)

    def parameter_jacobian(self, z: np.ndarray) -> np.ndarray:
        """Return ∂ parameters/∂z at one point, shape (n_parameters, n_coordinates)."""
        return self.model_type.coordinate_jacobian(z)

    def log_prior(self, priors: Priors, z: np.ndarray) -> np.ndarray:
        """Return the log prior density of search coordinates, shape (n_coordinates, k)."""
        return np.asarray(priors.log_density_at(z))


@dataclass(frozen=True)
class Support:
    """Bijector between the real space and the supports of a model's priors.

    Supports are intersected with the domains of the parameters. Points at which the model is not
    admissible or outside of its search box have density 0.

    Attributes
    ----------
    model_type : type of Model
    names : tuple of str
        Parameters with a prior; the others have their only typical value.
    has_low, has_high : tuple of bool
        Whether supports are bounded below, and above.
    low, high : array, shape (n,)
        The bounds; without them default and scale of the parameter.
    """

    model_type: type[Model]
    names: tuple[str, ...]
    has_low: tuple[bool, ...]
    has_high: tuple[bool, ...]
    low: Any
    high: Any

    @classmethod
    def of(cls, priors: Priors) -> Self:
        """Return the bijector of the supports of `priors`."""
        names = tuple(priors.by_parameter)
        ends, has_low, has_high = [], [], []
        for p in priors.model_type.parameters():
            if p.name not in names:
                continue
            prior_low, prior_high = priors.by_parameter[p.name].support
            low, high = max(prior_low, p.domain.low), min(prior_high, p.domain.high)
            has_low.append(math.isfinite(low))
            has_high.append(math.isfinite(high))
            scale = (p.typical_range[1] - p.typical_range[0]) / _RANGE_IN_DEVIATIONS
            ends.append(
                (low if math.isfinite(low) else p.default, high if math.isfinite(high) else scale)
            )
        low, high = np.array(ends).T
        return cls(priors.model_type, names, tuple(has_low), tuple(has_high), low, high)

    def constrain(self, u: Any) -> tuple[Any, Any]:
        """Return points, shape (size, n) of `u`, and log |∂z/∂u|, shape (n,)."""
        xp = array_namespace(u)
        d = len(self.names)
        theta, log_derivative = self._parameters(u[:d])
        z = self._model(theta).to_coordinates()
        low, high = (xp.asarray(end)[:, None] for end in self.model_type.coordinate_bounds())
        inside = ((z >= low) & (z <= high)).all(axis=0)
        # Outside, the middle of the box keeps derivatives finite; the volume gives density 0.
        z = xp.where(inside, z, 0.5 * (low + high))
        volume = log_derivative.sum(axis=0) - log_volume(self.model_type, self.names, z)
        return xp.concatenate([z, u[d:]]), xp.where(inside, volume, -xp.inf)

    def unconstrain(self, points: Any) -> Any:
        """Return u of points, shape (size, n); those outside of a support are moved inside."""
        d = len(self.names)
        model = self.model_type.from_coordinates(points[:d])
        rows = [
            self._unconstrained(i, np.asarray(getattr(model, name)))
            for i, name in enumerate(self.names)
        ]
        return np.concatenate([np.stack(rows), points[d:]])

    # Search coordinates are u itself, which has no bounds: the prior ends inside the search box.

    def initial_point(self, model: Model) -> np.ndarray:
        """Return the search coordinates closest to `model`, shape (n,)."""
        z = np.asarray(model.to_coordinates(), dtype=float)[: len(self.names), None]
        return np.asarray(self.unconstrain(z)[:, 0])

    def clip(self, u: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Return `u`, as search coordinates have no bounds."""
        return u

    def model_at(self, u: np.ndarray) -> Model:
        """Return the model at search coordinates, shape (n, …)."""
        flat = u.reshape(len(u), -1)
        z, _ = self.constrain(flat)
        return self.model_type.from_coordinates(z.reshape(u.shape))

    def parameter_jacobian(self, u: np.ndarray) -> np.ndarray:
        """Return ∂ parameters/∂u at one point, shape (n_parameters, n)."""
        _, log_derivative = self._parameters(u[:, None])
        jacobian = np.zeros((len(self.model_type.parameters()), len(u)))
        free = [p.name in self.names for p in self.model_type.parameters()]
        jacobian[free] = np.diag(np.exp(log_derivative[:, 0]))
        return jacobian

    def log_prior(self, priors: Priors, u: np.ndarray) -> np.ndarray:
        """Return the log prior density of search coordinates, shape (n, k), with volume element."""
        with np.errstate(all="ignore"):
            z, volume = self.constrain(u)
            return np.asarray(priors.log_density_at(z) + volume)

    def _model(self, theta: Any) -> Model:
        xp = array_namespace(theta)
        values = dict(zip(self.names, theta, strict=True))
        return self.model_type(
            **{
                p.name: values.get(p.name, p.typical_range[0] * xp.ones_like(theta[0]))
                for p in self.model_type.parameters()
            }
        )

    def _parameters(self, u: Any) -> tuple[Any, Any]:
        """Return θ and log |∂θ/∂u|, both of the shape of `u`, (d, n)."""
        xp = array_namespace(u)
        theta, log_derivative = [], []
        for i, (has_low, has_high) in enumerate(zip(self.has_low, self.has_high, strict=True)):
            x, low, high = u[i], self.low[i], self.high[i]
            if has_low and has_high:
                log_share, log_rest = -xp.logaddexp(0.0, -x), -xp.logaddexp(0.0, x)
                share, rest, width = xp.exp(log_share), xp.exp(log_rest), high - low
                theta.append(xp.where(share < rest, low + width * share, high - width * rest))
                log_derivative.append(xp.log(width) + log_share + log_rest)
            elif has_low:
                theta.append(low + xp.exp(x))
                log_derivative.append(x)
            elif has_high:
                theta.append(high - xp.exp(-x))
                log_derivative.append(-x)
            else:
                theta.append(low + high * x)
                log_derivative.append(xp.log(high) + 0.0 * x)
        return xp.stack(theta), xp.stack(log_derivative)

    def _unconstrained(self, i: int, theta: np.ndarray) -> np.ndarray:
        low, high = self.low[i], self.high[i]
        if self.has_low[i] and self.has_high[i]:
            # A hundredth of the support of a vague prior may exceed the whole search box.
            margin = _SUPPORT_MARGIN * min(1.0, self._typical_width(i) / (high - low))
            share = np.clip((theta - low) / (high - low), margin, 1.0 - margin)
            return np.asarray(np.log(share) - np.log1p(-share))
        if self.has_low[i]:
            return np.asarray(np.log(np.maximum(theta - low, self._min_distance(i))))
        if self.has_high[i]:
            return np.asarray(-np.log(np.maximum(high - theta, self._min_distance(i))))
        return np.asarray((theta - low) / high)

    def _min_distance(self, i: int) -> float:
        """Return the minimal distance of an initial point from the end of a half-line."""
        (p,) = (p for p in self.model_type.parameters() if p.name == self.names[i])
        # Admissible values have any magnitude if the support ends where the domain does.
        if self.has_low[i] and self.low[i] == p.domain.low:
            return float(np.finfo(float).tiny)
        return _SUPPORT_MARGIN * self._typical_width(i)

    def _typical_width(self, i: int) -> float:
        (p,) = (p for p in self.model_type.parameters() if p.name == self.names[i])
        return float(p.typical_range[1] - p.typical_range[0])


def bijector_of(priors: Priors) -> Box | Support:
    """Return the bijector for sampling a posterior with these priors."""
    return Support.of(priors) if priors.truncating else Box.of(priors.model_type)

"""Unconstrained coordinates for priors whose supports cut the domain of a parameter.

A uniform prior may exclude the least-squares optimum, so that the posterior piles up at an end of
its support. Each parameter θ is therefore mapped on its own, from its prior's support S to the
line, and every point of space lies inside all supports:

    S = (a, b)    u = log((θ − a)/(b − a)) − log((b − θ)/(b − a))
    S = (a, ∞)    u = log(θ − a)
    S = (−∞, b)   u = −log(b − θ)
    S = (−∞, ∞)   u = (θ − default)/scale

Points that are not admissible together, or lie outside of the model's search box, have density 0.
The same methods as `unbounded.Box`, for NumPy and JAX.
"""

import math
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from levy_numerics.inference.bijectors import Box
from levy_numerics.inference.priors import Priors, log_volume
from levy_numerics.models.base import Model
from levy_numerics.special import array_namespace

_EDGE: Final = 1e-2
"""Share of a support, or of the typical range if narrower, that a search starts from its ends."""
_DEVIATIONS_ACROSS: Final = 4.0


@dataclass(frozen=True)
class Support:
    """The product of the supports of a model's priors, each cut to the parameter's domain.

    Attributes
    ----------
    model_type : type of Model
    names : tuple of str
        Parameters with a prior; the others are held at their only plausible value.
    has_low, has_high : tuple of bool
        Which supports end below, and above.
    low, high : array, shape (n,)
        The ends; where there is none, default and scale of the parameter in their place.
    """

    model_type: type[Model]
    names: tuple[str, ...]
    has_low: tuple[bool, ...]
    has_high: tuple[bool, ...]
    low: Any
    high: Any

    @classmethod
    def of(cls, priors: Priors) -> Self:
        """Return the supports of `priors`."""
        names = tuple(priors.by_parameter)
        ends, has_low, has_high = [], [], []
        for p in priors.model_type.parameters():
            if p.name not in names:
                continue
            prior_low, prior_high = priors.by_parameter[p.name].support
            low, high = max(prior_low, p.domain.low), min(prior_high, p.domain.high)
            has_low.append(math.isfinite(low))
            has_high.append(math.isfinite(high))
            scale = (p.typical_range[1] - p.typical_range[0]) / _DEVIATIONS_ACROSS
            ends.append(
                (low if math.isfinite(low) else p.default, high if math.isfinite(high) else scale)
            )
        low, high = np.array(ends).T
        return cls(priors.model_type, names, tuple(has_low), tuple(has_high), low, high)

    def filled(self, u: Any) -> tuple[Any, Any]:
        """Return points in the model's coordinates, shape (size, n), and log |∂z/∂u|, (n,)."""
        xp = array_namespace(u)
        d = len(self.names)
        theta, log_slope = self._parameters(u[:d])
        z = self._model(theta).to_coordinates()
        low, high = (xp.asarray(end)[:, None] for end in self.model_type.coordinate_bounds())
        inside = ((z >= low) & (z <= high)).all(axis=0)
        z = xp.where(inside, z, 0.5 * (low + high))
        volume = log_slope.sum(axis=0) - log_volume(self.model_type, self.names, z)
        return xp.concatenate([z, u[d:]]), xp.where(inside, volume, -xp.inf)

    def emptied(self, points: Any) -> Any:
        """Return u of points, shape (size, n); parameters outside their support are moved in."""
        d = len(self.names)
        model = self.model_type.from_coordinates(points[:d])
        rows = [
            self._unconstrained(i, np.asarray(getattr(model, name)))
            for i, name in enumerate(self.names)
        ]
        return np.concatenate([np.stack(rows), points[d:]])

    def slopes(self, u: Any) -> Any:
        """Return one for each entry: a Laplace approximation is made in u itself."""
        return np.ones_like(u)

    def start(self, model: Model) -> np.ndarray:
        """Return the point of a search that is nearest to `model`, shape (n,)."""
        z = np.asarray(model.to_coordinates(), dtype=float)[: len(self.names), None]
        return np.asarray(self.emptied(z)[:, 0])

    def limited(self, u: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Return `u`: a search has no bounds here."""
        return u

    def model_at(self, u: np.ndarray) -> Model:
        """Return the model at points of a search, shape (n, …)."""
        flat = u.reshape(len(u), -1)
        z, _ = self.filled(flat)
        return self.model_type.from_coordinates(z.reshape(u.shape))

    def parameter_jacobian(self, u: np.ndarray) -> np.ndarray:
        """Return ∂ parameters/∂u at one point, shape (n_parameters, n)."""
        _, log_slope = self._parameters(u[:, None])
        jacobian = np.zeros((len(self.model_type.parameters()), len(u)))
        free = [p.name in self.names for p in self.model_type.parameters()]
        jacobian[free] = np.diag(np.exp(log_slope[:, 0]))
        return jacobian

    def log_prior(self, priors: Priors, u: np.ndarray) -> np.ndarray:
        """Return the log density of points of a search, shape (n, k), volume included."""
        with np.errstate(all="ignore"):
            z, volume = self.filled(u)
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
        """Return θ and log |∂θ/∂u|, shape of `u`, (d, n) both."""
        xp = array_namespace(u)
        rows, slopes = [], []
        for i, (has_low, has_high) in enumerate(zip(self.has_low, self.has_high, strict=True)):
            x, low, high = u[i], self.low[i], self.high[i]
            if has_low and has_high:
                log_share, log_rest = -xp.logaddexp(0.0, -x), -xp.logaddexp(0.0, x)
                share, rest, width = xp.exp(log_share), xp.exp(log_rest), high - low
                rows.append(xp.where(share < rest, low + width * share, high - width * rest))
                slopes.append(xp.log(width) + log_share + log_rest)
            elif has_low:
                rows.append(low + xp.exp(x))
                slopes.append(x)
            elif has_high:
                rows.append(high - xp.exp(-x))
                slopes.append(-x)
            else:
                rows.append(low + high * x)
                slopes.append(xp.log(high) + 0.0 * x)
        return xp.stack(rows), xp.stack(slopes)

    def _unconstrained(self, i: int, theta: np.ndarray) -> np.ndarray:
        low, high = self.low[i], self.high[i]
        if self.has_low[i] and self.has_high[i]:
            # Of a vague prior's support, a hundredth may be more than the whole search box.
            edge = _EDGE * min(1.0, self._typical_width(i) / (high - low))
            share = np.clip((theta - low) / (high - low), edge, 1.0 - edge)
            return np.asarray(np.log(share) - np.log1p(-share))
        if self.has_low[i]:
            return np.asarray(np.log(np.maximum(theta - low, self._least_excess(i))))
        if self.has_high[i]:
            return np.asarray(-np.log(np.maximum(high - theta, self._least_excess(i))))
        return np.asarray((theta - low) / high)

    def _least_excess(self, i: int) -> float:
        """Return how far a starting point keeps from the end of half a line.

        From the end of the domain, where values are of any size, it need not keep away.
        """
        (p,) = (p for p in self.model_type.parameters() if p.name == self.names[i])
        if self.has_low[i] and self.low[i] == p.domain.low:
            return float(np.finfo(float).tiny)
        return _EDGE * self._typical_width(i)

    def _typical_width(self, i: int) -> float:
        (p,) = (p for p in self.model_type.parameters() if p.name == self.names[i])
        return float(p.typical_range[1] - p.typical_range[0])


def search_space(priors: Priors) -> Box | Support:
    """Return the unconstrained coordinates in which a posterior with these priors is sampled."""
    return Support.of(priors) if priors.cutting else Box.of(priors.model_type)

"""Coordinates without a box: every point of space is a parameter set.

A model's coordinates z live in a box; u = logit of the place in the box does not. Entries of a
point beyond the model's, such as the noise's, have no box and stay as they are. One formula serves
NumPy and JAX.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from levy_numerics.inference.priors import Priors
from levy_numerics.models.base import Model
from levy_numerics.special import array_namespace

_EDGE: Final = 1e-6
"""Of the box: a point on its face is moved in by so much."""


@dataclass(frozen=True)
class Box:
    """Where a model's coordinates are sought.

    Attributes
    ----------
    low, high : array, shape (n_coordinates,)
    """

    low: Any
    high: Any
    model_type: type[Model]

    @classmethod
    def of(cls, model_type: type[Model]) -> Self:
        """The box that the model declares."""
        low, high = model_type.coordinate_bounds()
        xp = array_namespace()
        return cls(xp.array(low), xp.array(high), model_type)

    def filled(self, u: Any) -> tuple[Any, Any]:
        """Points in the box, shape of `u`, (size, n), and log |∂z/∂u| up to a constant, (n,)."""
        xp = array_namespace(u)
        d = self.low.size
        log_share, log_rest = -xp.logaddexp(0.0, -u[:d]), -xp.logaddexp(0.0, u[:d])
        share, rest = xp.exp(log_share), xp.exp(log_rest)
        low, high = self.low[:, None], self.high[:, None]
        # From the nearer face, so that no digit is lost there.
        z = xp.where(share < rest, low + (high - low) * share, high - (high - low) * rest)
        return xp.concatenate([z, u[d:]]), (log_share + log_rest).sum(axis=0)

    def emptied(self, points: Any) -> Any:
        """u of points, shape (size, n); those on a face are moved in."""
        xp = array_namespace(points)
        d = self.low.size
        share = (points[:d] - self.low[:, None]) / (self.high - self.low)[:, None]
        share = xp.clip(share, _EDGE, 1.0 - _EDGE)
        return xp.concatenate([xp.log(share) - xp.log1p(-share), points[d:]])

    def slopes(self, u: Any) -> Any:
        """∂z/∂u, shape of `u`: one by one, since each coordinate has a face of its own."""
        xp = array_namespace(u)
        d = self.low.size
        log_share, log_rest = -xp.logaddexp(0.0, -u[:d]), -xp.logaddexp(0.0, u[:d])
        inner = (self.high - self.low)[:, None] * xp.exp(log_share + log_rest)
        return xp.concatenate([inner, xp.ones_like(u[d:])])

    def start(self, model: Model) -> np.ndarray:
        """Return the point of a search that is nearest to `model`, shape (n_coordinates,)."""
        z = np.asarray(model.to_coordinates(), dtype=float)[: len(self.low)]
        return self.limited(z)

    def limited(self, z: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Return the point nearest to `z` that keeps `margin` from every face."""
        return np.asarray(np.clip(z, self.low + margin, self.high - margin))

    def model_at(self, z: np.ndarray) -> Model:
        """Return the model at points of a search, shape (n_coordinates, …)."""
        return self.model_type.from_coordinates(z)

    def parameter_jacobian(self, z: np.ndarray) -> np.ndarray:
        """Return ∂ parameters/∂z at one point, shape (n_parameters, n_coordinates)."""
        return self.model_type.coordinate_jacobian(z)

    def log_prior(self, priors: Priors, z: np.ndarray) -> np.ndarray:
        """Return the log density of points of a search, shape (n_coordinates, k)."""
        return np.asarray(priors.log_density_at(z))

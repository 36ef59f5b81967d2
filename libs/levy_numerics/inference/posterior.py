"""The posterior of a model's parameters, priced in batches.

Quotes are the model's prices plus independent errors of scale τ·sᵢ: sᵢ is what one unit of error
is worth in currency (the forward, a unit of volatility, half the spread), and τ, the noise, is
known or has a prior of its own.
"""

import math
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from levy_numerics.calibration.weights import error_scale
from levy_numerics.inference.priors import LogNormal, Priors
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_numerics.special import array_namespace

LEAST_NOISE: Final = 1e-8
"""Prices themselves are no better than this share of the forward."""
_NOISE: Final[dict[str, LogNormal]] = {
    "price": LogNormal(math.log(1e-3), 2.0, LEAST_NOISE),
    "vega": LogNormal(math.log(5e-3), 2.0, LEAST_NOISE),
    "bid_ask": LogNormal(0.0, 1.5, LEAST_NOISE),
}
"""By weights, in their unit: thousandths of the forward, half vol points, half spreads."""
_FINEST, _COARSEST = 1e-10, 1e-6
_BELOW_NOISE: Final = 1e-3


def default_noise(weights: str) -> LogNormal:
    """Prior of the noise τ in the unit of `weights`."""
    return _NOISE[weights]


@dataclass(frozen=True)
class Posterior:
    """log density of a model's coordinates and its noise, given quotes.

    A point is (z, η): the model's coordinates, and log(τ − least), which is left out where the
    noise is known.

    Attributes
    ----------
    priors : Priors
    quotes : Quotes
    scale : ndarray, shape (n,)
        sᵢ, currency.
    noise : LogNormal or float
        Prior of τ, or its value.
    degrees_of_freedom : float
        Of Student's t about the price; infinite for a normal error.
    """

    priors: Priors
    quotes: Quotes
    scale: np.ndarray
    noise: LogNormal | float
    degrees_of_freedom: float = math.inf

    @classmethod
    def of(
        cls,
        quotes: Quotes,
        priors: Priors,
        *,
        weights: str = "price",
        noise: LogNormal | float | None = None,
        degrees_of_freedom: float = math.inf,
    ) -> Self:
        """Errors in the unit that `weights` name; noise by its default prior unless given."""
        prior = default_noise(weights) if noise is None else noise
        return cls(priors, quotes, error_scale(quotes, weights), prior, degrees_of_freedom)

    @property
    def model_type(self) -> type[Model]:
        """Whose parameters."""
        return self.priors.model_type

    @property
    def n_coordinates(self) -> int:
        """How many of a point's entries are the model's."""
        return len(self.priors.by_parameter)

    @property
    def size(self) -> int:
        """Entries of a point."""
        return self.n_coordinates + isinstance(self.noise, LogNormal)

    def noise_at(self, points: Any) -> Any:
        """τ, shape of `points`, (size, …), but its first axis."""
        return noise_at(self.noise, points)

    def log_density(self, points: np.ndarray, pricer: SinhPricer) -> np.ndarray:
        """log posterior, up to a constant, at `points`, shape (size, n_points); −∞ off the box.

        Parameters
        ----------
        pricer : SinhPricer
            Of these contracts; its tolerance is the prices' error.
        """
        z = points[: self.n_coordinates]
        low, high = (np.array(end)[:, None] for end in self.model_type.coordinate_bounds())
        inside = ((z >= low) & (z <= high)).all(axis=0)
        found = np.full(z.shape[1], -np.inf)
        if not inside.any():
            return found
        z, points = z[:, inside], points[:, inside]
        with np.errstate(all="ignore"):
            prices = pricer.price(self.model_type.from_coordinates(z), refine=False).value
            log_density = self.log_density_of(points, prices)
        found[inside] = np.where(np.isfinite(log_density), log_density, -np.inf)
        return found

    def log_density_of(self, points: Any, prices: Any) -> Any:
        """log posterior, up to a constant, where the model's prices are known; NumPy or JAX.

        Parameters
        ----------
        points : array, shape (size, …)
            In the box of the coordinates.
        prices : array, shape (…, n)
        """
        found = self.log_likelihood(prices, self.noise_at(points))
        found = found + self.priors.log_density_at(points[: self.n_coordinates])
        return found + log_noise_density(self.noise, points)

    def log_likelihood(self, prices: Any, noise: Any) -> Any:
        """Of the quotes, at model `prices`, shape (…, n), and τ, shape (…)."""
        errors = (prices - self.quotes.price) / self.scale
        return log_likelihood(errors, noise, self.degrees_of_freedom)

    def pricer_for(self, noise: float) -> SinhPricer:
        """Prices whose errors are lost in a noise τ."""
        c = self.quotes.contracts
        least = float(np.median(self.scale / (c.discount * c.forward)))
        tolerance = min(max(_BELOW_NOISE * noise * least, _FINEST), _COARSEST)
        return SinhPricer(c, tolerance)


def noise_at(noise: LogNormal | float, points: Any) -> Any:
    """τ of points, shape (size, …): see `Posterior`."""
    xp = array_namespace(points)
    if isinstance(noise, LogNormal):
        return noise.loc + xp.exp(points[-1])
    return xp.full(points.shape[1:], float(noise))


def log_noise_density(noise: LogNormal | float, points: Any) -> Any:
    """Of the noise's coordinate at points, shape (size, …), up to a constant; nothing if known."""
    if isinstance(noise, LogNormal):
        # The logarithm is the coordinate, and normal: its volume element is in that.
        return -0.5 * ((points[-1] - noise.mu) / noise.sigma) ** 2
    return 0.0


def log_likelihood(errors: Any, noise: Any, degrees_of_freedom: float) -> Any:
    """Up to a constant, of errors in units of their scale, shape (…, n), at τ, shape (…)."""
    xp = array_namespace(errors)
    n = errors.shape[-1]
    squares = errors**2
    if math.isinf(degrees_of_freedom):
        return -n * xp.log(noise) - 0.5 * squares.sum(axis=-1) / noise**2
    nu = degrees_of_freedom
    heavy = xp.log1p(squares / (nu * noise[..., None] ** 2)).sum(axis=-1)
    return -n * xp.log(noise) - 0.5 * (nu + 1.0) * heavy

"""Variance Gamma model."""

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from levy_numerics.distributions import Gamma, LogNormal, Normal
from levy_numerics.models import coordinates
from levy_numerics.models.base import Bounds
from levy_numerics.models.numba_model import NumbaModel
from levy_numerics.models.registry import register
from levy_numerics.parameters import parameter, positive, real
from levy_numerics.special import array_namespace, log1p


@final
@register
@dataclass(frozen=True)
class VarianceGamma(NumbaModel):
    """Brownian motion with drift, time-changed by a gamma process.

    ψ(u) = −ln(1 − iuθν + σ²νu²/2)/ν.

    References
    ----------
    Madan, Carr and Chang (1998), European Finance Review 2, 79-105, eq. (7).
    """

    name = "VarianceGamma"
    aliases = ("VG",)
    title = "Variance Gamma"
    source = "Madan, Carr and Chang (1998), European Finance Review 2, 79-105"
    min_repeat_hits = 1
    training_range = coordinates.strip_range((0.0, 2.1), (-1.2, 0.5))

    sigma: Any = parameter(
        positive,
        symbol="σ",
        unit="1/√year",
        meaning="volatility of the Brownian motion",
        default=0.2,
        typical_range=(0.02, 1.5),
        prior=LogNormal(math.log(0.2), 0.5),
    )
    nu: Any = parameter(
        positive,
        symbol="ν",
        unit="year",
        meaning="variance rate of the time change; larger is heavier-tailed",
        default=0.3,
        typical_range=(0.005, 5.0),
        prior=Gamma(2.0, 2.0),
    )
    theta: Any = parameter(
        real,
        symbol="θ",
        unit="1/year",
        meaning="drift of the Brownian motion; negative skews to the left",
        default=-0.15,
        typical_range=(-1.0, 0.5),
        prior=Normal(-0.2, 0.2),
    )

    def exponent(self, u: Any) -> Any:
        argument = self.nu * u * (0.5 * self.sigma**2 * u - 1j * self.theta)
        return -log1p(argument) / self.nu

    @staticmethod
    def exponent_and_gradient(u: Any, sigma: Any, nu: Any, theta: Any) -> tuple[Any, Any]:
        xp = array_namespace(u, nu)
        argument = nu * u * (0.5 * sigma**2 * u - 1j * theta)
        exponent = -log1p(argument) / nu
        by_theta = 1j * u / (1.0 + argument)
        by_sigma = (1j * sigma) * u * by_theta
        by_nu = (0.5 * sigma * by_sigma + theta * by_theta - exponent) / nu
        return exponent, xp.stack((by_sigma, by_nu, by_theta))

    def exponent_strip(self) -> tuple[Any, Any]:
        xp = array_namespace(self.nu)
        # Roots of a quadratic: the larger by its formula, the smaller from their product, since its
        # own formula would cancel.
        half_drift = self.theta / self.sigma**2
        root = xp.sqrt(half_drift**2 + 2.0 / (self.nu * self.sigma**2))
        product = 2.0 / (self.nu * self.sigma**2)
        larger = root + abs(half_drift)
        smaller = product / larger
        is_upward = half_drift >= 0
        return xp.where(is_upward, smaller, larger), xp.where(is_upward, larger, smaller)

    def forward_exists(self, maturity_years: Any) -> Any:
        """Return whether 1 − θν − σ²ν/2 > 0, which is equivalent to λ₋ > 1."""
        return self.nu * (self.theta + 0.5 * self.sigma**2) < 1.0

    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        s2, nu, th = self.sigma**2, self.nu, self.theta
        return (
            th,
            s2 + nu * th**2,
            2.0 * th**3 * nu**2 + 3.0 * s2 * th * nu,
            3.0 * s2**2 * nu + 12.0 * s2 * th**2 * nu**2 + 6.0 * th**4 * nu**3,
        )

    def gaussian_limit(self) -> tuple[str, ...]:
        return ("nu → 0",)

    def scale_weights(self) -> tuple[Any, ...]:
        return 1.0, 0.0, 1.0

    def density(self, x: Any) -> Any:
        xp = array_namespace(x)
        low, high = self.exponent_strip()
        return xp.exp(-xp.where(x > 0, low, high) * xp.abs(x)) / (self.nu * xp.abs(x))

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        time = rng.gamma(maturity_years / self.nu, self.nu, size)
        return self.theta * time + self.sigma * np.sqrt(time) * rng.standard_normal(size)

    @staticmethod
    def parameters_from_coordinates(z: Any) -> tuple[Any, Any, Any]:
        xp = array_namespace(z)
        variance, low, high = coordinates.variance_and_strip(z)
        activity = variance / (low**-2 + high**-2)
        sigma = xp.sqrt(2.0 * activity / (low * high))
        theta = activity * (1.0 / low - 1.0 / high)
        return sigma, 1.0 / activity, theta

    def to_coordinates(self) -> Any:
        return coordinates.coordinates(self.annual_cumulants()[1], *self.exponent_strip())

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        return coordinates.LOW, coordinates.HIGH

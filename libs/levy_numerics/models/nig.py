"""Normal inverse Gaussian model."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.special import k1e

from levy_numerics.errors import InvalidParameterError
from levy_numerics.models import coordinates
from levy_numerics.models.base import Bounds
from levy_numerics.models.numba_model import NumbaModel
from levy_numerics.models.registry import register
from levy_numerics.parameters import parameter, positive, real
from levy_numerics.special import array_namespace


def _roots(u: Any, alpha: Any, beta: Any) -> tuple[Any, Any]:
    """Return g = √(α² − β²) and s = √(α² − (β + iu)²)."""
    # As a product of two principal roots s has the branch cuts of ψ; one root has others.
    xp = array_namespace(u, alpha)
    low, high = alpha - beta, alpha + beta
    return xp.sqrt(low * high), xp.sqrt(low - 1j * u) * xp.sqrt(high + 1j * u)


def _by_delta(u: Any, beta: Any, sum_of_roots: Any) -> Any:
    """Return g − s = (g² − s²)/(g + s), where g² − s² is a product and does not cancel."""
    return u * (2j * beta - u) / sum_of_roots


@final
@register
@dataclass(frozen=True)
class NIG(NumbaModel):
    """Brownian motion with drift β run on an inverse Gaussian clock.

    ψ(u) = δ(√(α² − β²) − √(α² − (β + iu)²)).

    References
    ----------
    Barndorff-Nielsen (1997), Scandinavian Journal of Statistics 24, 1-13, eq. (2.4).
    """

    name = "NIG"
    aliases = ("NormalInverseGaussian",)
    title = "Normal inverse Gaussian"
    source = "Barndorff-Nielsen (1997), Scandinavian Journal of Statistics 24, 1-13"
    helpers = (_roots, _by_delta)
    min_repeat_hits = 1
    training_range = coordinates.strip_range((-0.5, 1.7), (-1.6, 0.5))

    alpha: Any = parameter(
        positive,
        symbol="α",
        unit="1",
        meaning="decay of the tails; smaller is heavier-tailed",
        default=15.0,
        typical_range=(1.0, 150.0),
    )
    beta: Any = parameter(
        real,
        symbol="β",
        unit="1",
        meaning="asymmetry, between −α and α − 1; negative skews to the left",
        default=-5.0,
        typical_range=(-100.0, 50.0),
    )
    delta: Any = parameter(
        positive,
        symbol="δ",
        unit="1/year",
        meaning="scale: all cumulants scale linearly with δ",
        default=0.5,
        typical_range=(0.005, 5.0),
    )

    def check_jointly(self) -> None:
        _, high = self.exponent_strip()
        if not np.all(np.asarray(high) > 0.0):
            raise InvalidParameterError("beta", self.beta, "β > −α")
        super().check_jointly()

    def exponent(self, u: Any) -> Any:
        g, s = _roots(u, self.alpha, self.beta)
        return self.delta * _by_delta(u, self.beta, g + s)

    @staticmethod
    def exponent_and_gradient(u: Any, alpha: Any, beta: Any, delta: Any) -> tuple[Any, Any]:
        g, s = _roots(u, alpha, beta)
        by_delta = _by_delta(u, beta, g + s)
        product = g * s
        by_alpha = -alpha * delta * by_delta / product
        by_beta = delta * (beta * by_delta + 1j * u * g) / product
        return delta * by_delta, array_namespace(u, delta).stack((by_alpha, by_beta, by_delta))

    def exponent_strip(self) -> tuple[Any, Any]:
        return self.alpha - self.beta, self.alpha + self.beta

    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        a2, b, d = self.alpha**2, self.beta, self.delta
        g2 = (self.alpha - b) * (self.alpha + b)
        g = array_namespace(g2).sqrt(g2)
        return (
            d * b / g,
            d * a2 / g**3,
            3.0 * d * b * a2 / g**5,
            3.0 * d * a2 * (a2 + 4.0 * b**2) / g**7,
        )

    def gaussian_limit(self) -> tuple[str, ...]:
        """Return α → ∞ with δ/α, the variance, fixed."""
        return "alpha → ∞", "delta → ∞"

    def scale_weights(self) -> tuple[Any, ...]:
        return -1.0, -1.0, 1.0

    def density(self, x: Any) -> Any:
        size = np.abs(x)
        scaled = k1e(self.alpha * size) * np.exp(self.beta * x - self.alpha * size)
        return self.delta * self.alpha / np.pi * scaled / size

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        scale = self.delta * maturity_years
        root = np.sqrt((self.alpha - self.beta) * (self.alpha + self.beta))
        clock = rng.wald(scale / root, scale**2, size)
        return self.beta * clock + np.sqrt(clock) * rng.standard_normal(size)

    @staticmethod
    def parameters_from_coordinates(z: Any) -> tuple[Any, Any, Any]:
        xp = array_namespace(z)
        variance, low, high = coordinates.variance_and_strip(z)
        alpha, product = 0.5 * (high + low), low * high
        delta = variance * product * xp.sqrt(product) / alpha**2
        return alpha, 0.5 * (high - low), delta

    def to_coordinates(self) -> Any:
        return coordinates.coordinates(self.annual_cumulants()[1], *self.exponent_strip())

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        return coordinates.LOW, coordinates.HIGH

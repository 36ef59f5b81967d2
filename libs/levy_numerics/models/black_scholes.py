"""Black-Scholes model, the limit without jumps that all methods are checked with."""

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from levy_numerics.models.base import Bounds, LevyModel
from levy_numerics.models.registry import register
from levy_numerics.parameters import parameter, positive
from levy_numerics.special import array_namespace


@final
@register
@dataclass(frozen=True)
class BlackScholes(LevyModel):
    """Brownian motion: ψ(u) = −σ²u²/2.

    References
    ----------
    Black and Scholes (1973), Journal of Political Economy 81(3), 637-654.
    """

    name = "BlackScholes"
    aliases = ("BS", "BSM", "Black", "BlackScholesMerton")
    title = "Black-Scholes"
    source = "Black and Scholes (1973), Journal of Political Economy 81(3), 637-654"

    sigma: Any = parameter(
        positive,
        symbol="σ",
        unit="1/√year",
        meaning="volatility",
        default=0.2,
        typical_range=(0.02, 2.0),
    )

    def exponent(self, u: Any) -> Any:
        return -0.5 * self.sigma**2 * u**2

    def exponent_gradient(self, u: Any) -> Any:
        return array_namespace(u, self.sigma).stack([-self.sigma * u**2])

    def exponent_strip(self) -> tuple[Any, Any]:
        xp = array_namespace(self.sigma)
        infinite = xp.full_like(xp.asarray(self.sigma, dtype=float), xp.inf)
        return infinite, infinite

    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        zero = 0.0 * self.sigma
        return zero, self.sigma**2, zero, zero

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        return self.sigma * np.sqrt(maturity_years) * rng.standard_normal(size)

    @classmethod
    def from_coordinates(cls, z: Any) -> Self:
        return cls(sigma=array_namespace(z).exp(0.5 * z[0]))

    def to_coordinates(self) -> Any:
        xp = array_namespace(self.sigma)
        return xp.stack([2.0 * xp.log(self.sigma)])

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        return (-11.5,), (3.2,)

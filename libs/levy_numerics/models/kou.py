"""Double exponential jump diffusion of Kou."""

from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from levy_numerics.models import coordinates
from levy_numerics.models.base import Bounds, LevyModel
from levy_numerics.models.registry import register
from levy_numerics.parameters import Interval, parameter, positive
from levy_numerics.special import array_namespace


@final
@register
@dataclass(frozen=True)
class Kou(LevyModel):
    """Brownian motion and compound Poisson jumps with a double exponential distribution.

    ψ(u) = −σ²u²/2 + λ(pη₁/(η₁ − iu) + (1 − p)η₂/(η₂ + iu) − 1).

    References
    ----------
    Kou (2002), Management Science 48(8), 1086-1101, eq. (2).
    """

    name = "Kou"
    aliases = ("DoubleExponential",)
    title = "Kou"
    source = "Kou (2002), Management Science 48(8), 1086-1101"
    # Market surfaces have separate minima with large and small jumps, with and without upward ones.
    min_repeat_hits = 4
    training_range = coordinates.jump_range(
        (coordinates.Axis(coordinates.JUMP_SHARE, -1.2, 1.5), 0.0),
        (coordinates.Axis(coordinates.UPWARD_SHARE, -4.0, 1.0), 0.0),
        (coordinates.Axis(coordinates.DECAY_DOWN, -1.0, 1.8), 1.0),
        (coordinates.Axis(coordinates.DECAY_UP, -1.2, 2.0), 1.0),
    )

    sigma: Any = parameter(
        positive,
        symbol="σ",
        unit="1/√year",
        meaning="volatility of the Brownian motion",
        default=0.15,
        typical_range=(0.02, 1.0),
    )
    lam: Any = parameter(
        positive,
        symbol="λ",
        unit="1/year",
        meaning="expected number of jumps; larger is more volatile",
        default=2.0,
        typical_range=(0.01, 20.0),
    )
    p: Any = parameter(
        Interval(0.0, 1.0),
        symbol="p",
        unit="1",
        meaning="probability that a jump is upward; smaller skews to the left",
        default=0.35,
        typical_range=(0.02, 0.98),
    )
    eta1: Any = parameter(
        Interval(1.0, np.inf),
        symbol="η₁",
        unit="1",
        meaning="decay of upward jumps; the forward exists only above 1",
        default=25.0,
        typical_range=(1.2, 100.0),
    )
    eta2: Any = parameter(
        positive,
        symbol="η₂",
        unit="1",
        meaning="decay of downward jumps; smaller is a heavier left tail",
        default=12.0,
        typical_range=(1.0, 100.0),
    )

    def exponent(self, u: Any) -> Any:
        return -0.5 * self.sigma**2 * u**2 + self.lam * self._jump_transform(u)

    def _jump_transform(self, u: Any) -> Any:
        """Return E[exp(iuJ)] − 1 of one jump, without cancellation at u = 0."""
        iu = 1j * u
        return iu * (self.p / (self.eta1 - iu) - (1.0 - self.p) / (self.eta2 + iu))

    def exponent_gradient(self, u: Any) -> Any:
        iu = 1j * u
        up, down = 1.0 / (self.eta1 - iu), 1.0 / (self.eta2 + iu)
        return array_namespace(u, self.sigma).stack(
            [
                -self.sigma * u**2 + 0j,
                self._jump_transform(u),
                self.lam * iu * (up + down),
                -self.lam * self.p * iu * up**2,
                self.lam * (1.0 - self.p) * iu * down**2,
            ]
        )

    def exponent_strip(self) -> tuple[Any, Any]:
        return self.eta1, self.eta2

    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        up = [self.lam * self.p / self.eta1**n for n in (1, 2, 3, 4)]
        down = [self.lam * (1.0 - self.p) / self.eta2**n for n in (1, 2, 3, 4)]
        return (
            up[0] - down[0],
            self.sigma**2 + 2.0 * (up[1] + down[1]),
            6.0 * (up[2] - down[2]),
            24.0 * (up[3] + down[3]),
        )

    def gaussian_limit(self) -> tuple[str, ...]:
        """Return the limit without jumps, or that of many small ones if they dominate."""
        diffusion = self.sigma**2
        return ("lam → 0",) if diffusion > 0.5 * self.annual_cumulants()[1] else ("lam → ∞",)

    def density(self, x: Any) -> Any:
        xp = array_namespace(x)
        weight = xp.where(x > 0, self.p * self.eta1, (1.0 - self.p) * self.eta2)
        return self.lam * weight * xp.exp(-xp.where(x > 0, self.eta1, self.eta2) * xp.abs(x))

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        # n exponential jumps sum to a gamma variate of shape n, which is zero for n = 0.
        n_up = rng.poisson(self.lam * self.p * maturity_years, size)
        n_down = rng.poisson(self.lam * (1.0 - self.p) * maturity_years, size)
        jumps = rng.gamma(n_up, 1.0 / self.eta1) - rng.gamma(n_down, 1.0 / self.eta2)
        return jumps + self.sigma * np.sqrt(maturity_years) * rng.standard_normal(size)

    @classmethod
    def from_coordinates(cls, z: Any) -> Self:
        """Return the model at coordinates (log v, logit j, logit p′, log η₂, log(η₁ − 1)).

        v is the variance, j the jumps' share of it and p′ the share of upward jumps in theirs.
        Quotes determine shares of variance, but not the number of jumps if these are small.
        """
        xp = array_namespace(z)
        variance, (jumps, diffusion) = xp.exp(z[0]), coordinates.split(z[1])
        upward, downward = coordinates.split(z[2])
        eta1, eta2 = 1.0 + xp.exp(z[4]), xp.exp(z[3])
        rate_up = 0.5 * variance * jumps * upward * eta1**2
        rate_down = 0.5 * variance * jumps * downward * eta2**2
        rate = rate_up + rate_down
        return cls(
            sigma=xp.sqrt(variance * diffusion), lam=rate, p=rate_up / rate, eta1=eta1, eta2=eta2
        )

    def to_coordinates(self) -> Any:
        log = array_namespace(self.sigma, self.lam, self.eta1).log
        up = 2.0 * self.lam * self.p / self.eta1**2
        down = 2.0 * self.lam * (1.0 - self.p) / self.eta2**2
        diffusion = self.sigma**2
        columns = [
            log(diffusion + up + down),
            log((up + down) / diffusion),
            log(up / down),
            log(self.eta2),
            log(self.eta1 - 1.0),
        ]
        return array_namespace(*columns).stack(columns)

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        """Return shares from 1e-6 on and decays up to 245, for which 1 − p keeps five digits."""
        low, high = coordinates.LOW, coordinates.HIGH
        return (low[0], -9.0, -14.0, -1.25, low[2]), (high[0], 9.0, 14.0, 5.5, 5.5)

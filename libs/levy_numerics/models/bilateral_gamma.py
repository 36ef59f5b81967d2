"""Bilateral gamma model."""

from dataclasses import dataclass
from typing import Any, Final, Self, final

import numpy as np

from levy_numerics.models import coordinates
from levy_numerics.models.base import Bounds, LevyModel
from levy_numerics.models.registry import register
from levy_numerics.parameters import Interval, parameter, positive
from levy_numerics.special import array_namespace, log1p

# A side with a smaller share of the variance is not reported as Gaussian.
_MIN_VARIANCE_SHARE: Final = 1e-3
# Shape αT from which a gamma law counts as Gaussian: its skewness, 2/√(αT), is then below 1/50.
_GAUSSIAN_SHAPE: Final = 1e4


@final
@register
@dataclass(frozen=True)
class BilateralGamma(LevyModel):
    """Difference of two independent gamma processes, upward and downward jumps.

    ψ(u) = −α₊ ln(1 − iu/λ₊) − α₋ ln(1 + iu/λ₋), with λ₊ and λ₋ the decay of upward and of
    downward jumps; the strip of analyticity is −λ₊ < Im u < λ₋.

    References
    ----------
    Küchler and Tappe (2008), Stochastic Processes and their Applications 118(2), 261-283,
    eq. (2.2).
    """

    name = "BilateralGamma"
    aliases = ("BG",)
    title = "Bilateral gamma"
    source = "Küchler and Tappe (2008), Stochastic Processes and their Applications 118, 261-283"
    # Index surfaces have a second minimum, in which one side is nearly Brownian.
    min_repeat_hits = 3
    training_range = coordinates.jump_range(
        (coordinates.Axis(coordinates.UPWARD_SHARE, -3.0, 1.0), 0.0),
        (coordinates.Axis(coordinates.DECAY_DOWN, -1.3, 1.8), 1.0),
        (coordinates.Axis(coordinates.DECAY_UP, -0.5, 2.5), 1.0),
    )

    alpha_p: Any = parameter(
        positive,
        symbol="α₊",
        unit="1/year",
        meaning="activity of upward jumps; larger skews to the right",
        default=5.0,
        typical_range=(0.05, 50.0),
    )
    lambda_p: Any = parameter(
        Interval(1.0, np.inf),
        symbol="λ₊",
        unit="1",
        meaning="decay of upward jumps; the forward exists only above 1",
        default=25.0,
        typical_range=(1.05, 150.0),
    )
    alpha_m: Any = parameter(
        positive,
        symbol="α₋",
        unit="1/year",
        meaning="activity of downward jumps; larger skews to the left",
        default=3.0,
        typical_range=(0.05, 50.0),
    )
    lambda_m: Any = parameter(
        positive,
        symbol="λ₋",
        unit="1",
        meaning="decay of downward jumps; smaller is a heavier left tail",
        default=10.0,
        typical_range=(0.2, 150.0),
    )

    def exponent(self, u: Any) -> Any:
        iu = 1j * u
        up, down = log1p(-iu / self.lambda_p), log1p(iu / self.lambda_m)
        return -self.alpha_p * up - self.alpha_m * down

    def exponent_gradient(self, u: Any) -> Any:
        iu = 1j * u
        return array_namespace(u, self.alpha_p).stack(
            [
                -log1p(-iu / self.lambda_p),
                -self.alpha_p * iu / (self.lambda_p * (self.lambda_p - iu)),
                -log1p(iu / self.lambda_m),
                self.alpha_m * iu / (self.lambda_m * (self.lambda_m + iu)),
            ]
        )

    def exponent_strip(self) -> tuple[Any, Any]:
        return self.lambda_p, self.lambda_m

    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        up = [self.alpha_p / self.lambda_p**n for n in (1, 2, 3, 4)]
        down = [self.alpha_m / self.lambda_m**n for n in (1, 2, 3, 4)]
        return (
            up[0] - down[0],
            up[1] + down[1],
            2.0 * (up[2] - down[2]),
            6.0 * (up[3] + down[3]),
        )

    def gaussian_limit(self) -> tuple[str, ...]:
        """Return the limit of many small jumps, for each side with a share of the variance."""
        return self._limits_above(0.0)

    def gaussian_parts(self, maturity_years: float) -> tuple[str, ...]:
        """Return the limits of sides whose gamma law has a skewness below 1/50."""
        return self._limits_above(_GAUSSIAN_SHAPE / maturity_years)

    def _limits_above(self, min_alpha: float) -> tuple[str, ...]:
        up, down = self.alpha_p / self.lambda_p**2, self.alpha_m / self.lambda_m**2
        min_variance = _MIN_VARIANCE_SHARE * (up + down)
        limits: tuple[str, ...] = ()
        if up > min_variance and self.alpha_p > min_alpha:
            limits += "alpha_p → ∞", "lambda_p → ∞"
        if down > min_variance and self.alpha_m > min_alpha:
            limits += "alpha_m → ∞", "lambda_m → ∞"
        return limits

    def density(self, x: Any) -> Any:
        xp = array_namespace(x)
        size = xp.abs(x)
        activity = xp.where(x > 0, self.alpha_p, self.alpha_m)
        return activity * xp.exp(-xp.where(x > 0, self.lambda_p, self.lambda_m) * size) / size

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        up = rng.gamma(self.alpha_p * maturity_years, 1.0 / self.lambda_p, size)
        down = rng.gamma(self.alpha_m * maturity_years, 1.0 / self.lambda_m, size)
        return up - down

    @classmethod
    def from_coordinates(cls, z: Any) -> Self:
        """Return the model at (log variance, logit of its upward share, log λ₋, log(λ₊ − 1))."""
        xp = array_namespace(z)
        variance, upward, downward = xp.exp(z[0]), *coordinates.split(z[1])
        low, high = 1.0 + xp.exp(z[3]), xp.exp(z[2])
        return cls(
            alpha_p=variance * upward * low**2,
            lambda_p=low,
            alpha_m=variance * downward * high**2,
            lambda_m=high,
        )

    def to_coordinates(self) -> Any:
        log = array_namespace(self.alpha_p, self.lambda_p).log
        up = self.alpha_p / self.lambda_p**2
        down = self.alpha_m / self.lambda_m**2
        return array_namespace(up, down).stack(
            [log(up + down), log(up / down), log(self.lambda_m), log(self.lambda_p - 1.0)]
        )

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        return (coordinates.LOW[0], -12.0, *coordinates.LOW[1:]), (
            coordinates.HIGH[0],
            12.0,
            *coordinates.HIGH[1:],
        )

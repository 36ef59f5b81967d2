"""Meixner model."""

from dataclasses import dataclass
from typing import Any, Final, Self, final

import numpy as np

from levy_numerics.models import coordinates
from levy_numerics.models.base import Bounds, LevyModel
from levy_numerics.models.inversion import sample_by_inversion
from levy_numerics.models.registry import register
from levy_numerics.parameters import Interval, parameter, positive
from levy_numerics.special import array_namespace, log1p

# |w| at which `exponent` changes its formula: log cosh loses digits near its zero, and sinh
# overflows for large arguments.
_SMALL: Final = 0.5


@final
@register
@dataclass(frozen=True)
class Meixner(LevyModel):
    """Pure jump process with semi-heavy exponential tails on both sides.

    ψ(u) = 2d(log cos(b/2) − log cosh((au − ib)/2)).

    References
    ----------
    Schoutens (2002), The Meixner process: theory and applications in finance, EURANDOM report
    2002-004, eq. (1); Grigelionis (1999), Theory of Probability and its Applications 33, 33-41.
    """

    name = "Meixner"
    title = "Meixner"
    source = "Schoutens (2002), EURANDOM report 2002-004"
    linear_parameter = "d"
    min_repeat_hits = 1
    training_range = coordinates.strip_range((-0.4, 1.9), (-1.3, 0.5))

    a: Any = parameter(
        positive,
        symbol="a",
        unit="1",
        meaning="scale of a jump; larger is more volatile",
        default=0.25,
        typical_range=(0.02, 2.0),
    )
    b: Any = parameter(
        Interval(-np.pi, np.pi),
        symbol="b",
        unit="1",
        meaning="asymmetry; negative skews to the left",
        default=-1.2,
        typical_range=(-2.8, 1.8),
    )
    d: Any = parameter(
        positive,
        symbol="d",
        unit="1/year",
        meaning="activity: all cumulants scale linearly with d",
        default=1.2,
        typical_range=(0.02, 50.0),
    )

    def exponent(self, u: Any) -> Any:
        """Return −2d log(cosh w − i tan(b/2) sinh w), w = au/2, by log1p of a small argument.

        Near 0 the argument is the bracket minus 1. Elsewhere the growth of the bracket is divided
        out, and the argument is exp(−2w + ib), which cannot overflow. Both are analytic in the
        half-plane Re w ≥ 0; the other half follows by (w, b) → (−w, −b).
        """
        xp = array_namespace(u, self.a)
        w, half, _ = self._right_half(u)
        small = xp.abs(w) < _SMALL
        decay = xp.expm1(-w)
        exponential = 1.0 + decay
        # cosh w − 1 and sinh w in terms of exp(−w) − 1, without cancellation at 0.
        near_zero = 0.5 * decay * (decay + 1j * xp.tan(half) * (2.0 + decay))
        argument = xp.where(
            small,
            near_zero / xp.where(small, exponential, 1.0),
            exponential**2 * xp.exp(2j * half),
        )
        growth = w - 1j * half - xp.log(2.0 * xp.cos(half))
        return -2.0 * self.d * (log1p(argument) + xp.where(small, 0.0, growth))

    def _right_half(self, u: Any) -> tuple[Any, Any, Any]:
        """Return (w, b/2, sign) with w = au/2; if Re w < 0, w and b are negated and sign is −1."""
        xp = array_namespace(u, self.a)
        w = 0.5 * self.a * u
        sign = xp.where(xp.real(w) < 0, -1.0, 1.0)
        return sign * w, sign * (0.5 * self.b), sign

    def exponent_gradient(self, u: Any) -> Any:
        xp = array_namespace(u, self.a)
        w, half, sign = self._right_half(u)
        decay = -xp.expm1(-2.0 * w)
        tanh = decay / (2.0 - decay)
        cos, sin = xp.cos(half), xp.sin(half)
        # tanh(w − ib/2) and i·tanh(w − ib/2) − tan(b/2) share a denominator.
        denominator = cos - 1j * sin * tanh
        by_a = -self.d * u * sign * (cos * tanh - 1j * sin) / denominator
        by_b = self.d * sign * 1j * tanh / (cos * denominator)
        return xp.stack([by_a, by_b, self.exponent(u) / self.d])

    def exponent_strip(self) -> tuple[Any, Any]:
        return (np.pi - self.b) / self.a, (np.pi + self.b) / self.a

    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        xp = array_namespace(self.a, self.b, self.d)
        tan, squared_secant = xp.tan(0.5 * self.b), xp.cos(0.5 * self.b) ** -2
        variance = 0.5 * self.a**2 * self.d * squared_secant
        return (
            self.a * self.d * tan,
            variance,
            self.a * variance * tan,
            0.5 * self.a**2 * variance * (squared_secant + 2.0 * tan**2),
        )

    def gaussian_limit(self) -> tuple[str, ...]:
        """Return a → 0 with a²d/2, the variance, fixed."""
        return "a → 0", "d → ∞"

    def scale_weights(self) -> tuple[Any, ...]:
        return 1.0, 0.0, 0.0

    def density(self, x: Any) -> Any:
        xp = array_namespace(x)
        size = xp.abs(x)
        low, high = self.exponent_strip()
        decay = xp.exp(-xp.where(x > 0, low, high) * size)
        return 2.0 * self.d * decay / (-size * xp.expm1(-2.0 * np.pi * size / self.a))

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        return sample_by_inversion(self, rng, maturity_years, size)

    @classmethod
    def from_coordinates(cls, z: Any) -> Self:
        variance, low, high = coordinates.variance_and_strip(z)
        width = low + high
        a, b = 2.0 * np.pi / width, np.pi * (high - low) / width
        cos = array_namespace(z).cos(0.5 * b)
        return cls(a=a, b=b, d=2.0 * variance * cos**2 / a**2)

    def to_coordinates(self) -> Any:
        return coordinates.coordinates(self.annual_cumulants()[1], *self.exponent_strip())

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        return coordinates.LOW, coordinates.HIGH

"""CGMY, the tempered stable model of Carr, Geman, Madan and Yor."""

from dataclasses import dataclass
from typing import Any, Final, Self, final

import numpy as np

from levy_numerics.errors import InvalidParameterError
from levy_numerics.models import coordinates
from levy_numerics.models.base import Bounds, LevyModel
from levy_numerics.models.inversion import sample_by_inversion
from levy_numerics.models.registry import register
from levy_numerics.parameters import Interval, parameter, positive
from levy_numerics.special import (
    array_namespace,
    digamma,
    expm1_ratio,
    expm1_ratio_derivative,
    expm1_ratio_with_derivative,
    gamma,
    log1p,
)

_HALF: Final = 0.5
_DOWN_AND_UP: Final = np.array([1j, -1j])


@final
@register
@dataclass(frozen=True)
class CGMY(LevyModel):
    """Pure jumps with Lévy density C·exp(−Mx)/x^{1+Y} up and C·exp(−G|x|)/|x|^{1+Y} down.

    ψ(u) = CΓ(−Y)[(M − iu)^Y − M^Y + (G + iu)^Y − G^Y], with Y = 0 (Variance Gamma) and Y = 1 as
    limits.

    References
    ----------
    Carr, Geman, Madan and Yor (2002), Journal of Business 75(2), 305-332, Theorem 1.
    """

    name = "CGMY"
    title = "CGMY"
    source = "Carr, Geman, Madan and Yor (2002), Journal of Business 75(2), 305-332"
    activity = "C"

    C: Any = parameter(
        positive,
        symbol="C",
        unit="1/year",
        meaning="level of jump activity",
        default=0.6,
        plausible=(1e-3, 20.0),
    )
    G: Any = parameter(
        positive,
        symbol="G",
        unit="1",
        meaning="decay of downward jumps; smaller is a heavier left tail",
        default=5.0,
        plausible=(0.05, 100.0),
    )
    M: Any = parameter(
        Interval(1.0, np.inf),
        symbol="M",
        unit="1",
        meaning="decay of upward jumps; the forward exists only above 1",
        default=15.0,
        plausible=(1.01, 100.0),
    )
    Y: Any = parameter(
        Interval(0.0, 2.0, includes_low=True),
        symbol="Y",
        unit="1",
        meaning="fine structure: infinite activity from 0, infinite variation from 1",
        default=0.7,
        plausible=(0.0, 1.98),
    )

    def check_jointly(self) -> None:
        super().check_jointly()
        variance = np.asarray(self.annual_cumulants()[1])
        if not np.all(np.isfinite(variance)):
            raise InvalidParameterError(
                "C, G, M, Y", tuple(self.as_mapping().values()), "a finite variance"
            )

    def exponent(self, u: Any) -> Any:
        arranged = _Arrangement.of(self.C, self.Y)
        tempering, z = self._sides(u)
        log_ratio = log1p(z)
        size = tempering**self.Y * (1.0 + arranged.share * z) * log_ratio
        total = (size * expm1_ratio(arranged.power * log_ratio)).sum(axis=0)
        return arranged.factor * (total + 1j * u * arranged.share * self._linear_term())

    def _sides(self, u: Any) -> tuple[Any, Any]:
        """G and M, and z = iu/G and −iu/M, each pair on a new first axis."""
        xp = array_namespace(u, self.G, self.M)
        pair = xp.stack(xp.broadcast_arrays(self.G, self.M))
        added = (1,) * max(np.ndim(u) + 1 - pair.ndim, 0)
        pair = pair.reshape(pair.shape[:1] + added + pair.shape[1:])
        signed = xp.asarray(_DOWN_AND_UP).reshape((2,) + (1,) * (pair.ndim - 1)) / pair
        return pair, signed * u

    def _linear_term(self) -> Any:
        """(G^ε − M^ε)/ε, ε = Y − 1."""
        log, e = array_namespace(self.G, self.M, self.Y).log, self.Y - 1.0
        g, m = log(self.G), log(self.M)
        return g * expm1_ratio(e * g) - m * expm1_ratio(e * m)

    def _linear_term_slope(self) -> Any:
        """Derivative of (G^ε − M^ε)/ε in ε."""
        log, e = array_namespace(self.G, self.M, self.Y).log, self.Y - 1.0
        g, m = log(self.G), log(self.M)
        return g**2 * expm1_ratio_derivative(e * g) - m**2 * expm1_ratio_derivative(e * m)

    def exponent_gradient(self, u: Any) -> Any:
        xp = array_namespace(u, self.Y)
        arranged = _Arrangement.of(self.C, self.Y)
        tempering, z = self._sides(u)
        log_ratio = log1p(z)
        ratio, ratio_slope = expm1_ratio_with_derivative(arranged.power * log_ratio)
        grown = log_ratio * ratio
        size = tempering**self.Y * (1.0 + arranged.share * z)
        along_y = xp.log(tempering) * grown + log_ratio**2 * ratio_slope
        linear = 1j * u * arranged.share
        value = arranged.factor * ((size * grown).sum(axis=0) + linear * self._linear_term())
        slope = (size * along_y).sum(axis=0) + linear * self._linear_term_slope()
        by_y = arranged.factor * slope + arranged.log_factor_slope * value
        by_g, by_m = tempering ** (self.Y - 1.0) * arranged.by_tempering(z, grown)
        return xp.stack(xp.broadcast_arrays(value / self.C, by_g, by_m, by_y))

    def exponent_strip(self) -> tuple[Any, Any]:
        return self.M, self.G

    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        """κ₁ of the uncompensated exponent, κₙ = CΓ(n−Y)(M^{Y−n} + (−1)ⁿ G^{Y−n}) for n ≥ 2."""
        xp = array_namespace(self.Y)
        # −i·ψ′(0) = CΓ(1−Y)(M^{Y−1} − G^{Y−1}), through its limit C·log(G/M) at Y = 1.
        first = self.C * gamma(2.0 - self.Y) * self._linear_term()
        rest = [
            self.C
            * gamma(n - self.Y)
            * (self.M ** (self.Y - n) + (-1) ** n * self.G ** (self.Y - n))
            for n in (2, 3, 4)
        ]
        return xp.asarray(first), rest[0], rest[1], rest[2]

    def scale_weights(self) -> tuple[Any, ...]:
        return self.Y, -1.0, -1.0, 0.0

    def density(self, x: Any) -> Any:
        xp = array_namespace(x)
        size = xp.abs(x)
        return self.C * xp.exp(-xp.where(x > 0, self.M, self.G) * size) / size ** (1.0 + self.Y)

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        return sample_by_inversion(self, rng, maturity_years, size)

    @classmethod
    def from_coordinates(cls, z: Any) -> Self:
        variance, low, high = coordinates.variance_and_strip(z)
        y = z[3]
        level = variance / (gamma(2.0 - y) * (low ** (y - 2.0) + high ** (y - 2.0)))
        return cls(C=level, G=high, M=low, Y=y)

    def to_coordinates(self) -> Any:
        xp = array_namespace(self.Y)
        shared = coordinates.coordinates(self.annual_cumulants()[1], self.M, self.G)
        return xp.concatenate([shared, xp.asarray(self.Y)[None]])

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        return (*coordinates.LOW, 0.0), (*coordinates.HIGH, 1.99)


@dataclass(frozen=True)
class _Arrangement:
    """CΓ(−Y)·Σ a^Y(e^{YL} − 1), L = log(1 ∓ iu/a), so arranged that nothing cancels.

    Below Y = 1/2 it is CΓ(2−Y)/(Y−1)·Σ a^Y·L·(e^{YL} − 1)/(YL), exact through Y = 0. From there
    on the terms linear in u of the two sides meet in (G^ε − M^ε)/ε, ε = Y − 1, which is finite:
    CΓ(2−Y)/Y·[iu(G^ε − M^ε)/ε + Σ a^Y(1 ∓ iu/a)·L·(e^{εL} − 1)/(εL)], exact through Y = 1. Only
    numbers tell the two apart.

    Attributes
    ----------
    share : float
        0 below Y = 1/2, 1 from there on.
    power : float
        Y or ε: what multiplies L.
    other : float
        ε or Y: what is left to divide by.
    scale : float
        CΓ(2−Y).
    log_factor_slope : float
        ∂ log `factor`/∂Y.
    """

    share: Any
    power: Any
    other: Any
    scale: Any
    log_factor_slope: Any

    @classmethod
    def of(cls, level: Any, y: Any) -> "_Arrangement":
        share = array_namespace(y).where(y < _HALF, 0.0, 1.0)
        other = y - 1.0 + share
        slope = -digamma(2.0 - y) - 1.0 / other
        return cls(share, y - share, other, level * gamma(2.0 - y), slope)

    @property
    def factor(self) -> Any:
        return self.scale / self.other

    def by_tempering(self, z: Any, grown: Any) -> Any:
        """∂ψ/∂a over a^ε, −CΓ(1−Y)·(e^{εL} − 1), from z = ∓iu/a and (e^{wL} − 1)/w, w = `power`."""
        below = 1.0 - self.share
        power = self.scale * (self.share + below * self.power / self.other)
        return (power * grown - below * self.factor * z) / (1.0 + below * z)

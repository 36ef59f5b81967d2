"""CGMY, the tempered stable model of Carr, Geman, Madan and Yor."""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from levy_numerics.errors import InvalidParameterError
from levy_numerics.models import coordinates
from levy_numerics.models.base import Bounds
from levy_numerics.models.compilable import Compilable
from levy_numerics.models.inversion import sample_by_inversion
from levy_numerics.models.registry import register
from levy_numerics.parameters import Interval, parameter, positive
from levy_numerics.special import (
    array_namespace,
    digamma,
    expm1_ratio,
    expm1_ratio_with_derivative,
    gamma,
    log1p,
    pair,
)

_HALF: Final = 0.5
_NEARLY_BROWNIAN: Final = 1.9
"""Order Y above which a Gaussian member is one of Y → 2."""


def _arranged(level: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    """How CΓ(−Y)·Σ a^Y(e^{YL} − 1), L = log(1 ∓ iu/a), is arranged so that nothing cancels.

    Below Y = 1/2 it is CΓ(2−Y)/(Y−1)·Σ a^Y·L·(e^{YL} − 1)/(YL), exact through Y = 0. From there
    on the terms linear in u of the two sides meet in (G^ε − M^ε)/ε, ε = Y − 1, which is finite:
    CΓ(2−Y)/Y·[iu(G^ε − M^ε)/ε + Σ a^Y(1 ∓ iu/a)·L·(e^{εL} − 1)/(εL)], exact through Y = 1. Only
    numbers tell the two apart.

    Returns
    -------
    share : float
        0 below Y = 1/2, 1 from there on.
    power : float
        Y or ε: what multiplies L.
    other : float
        ε or Y: what is left to divide by.
    scale : float
        CΓ(2−Y).
    """
    share = 1.0 * (y >= _HALF)
    return share, y - share, y - 1.0 + share, level * gamma(2.0 - y)


@final
@register
@dataclass(frozen=True)
class CGMY(Compilable):
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
    helpers = (_arranged,)

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
        share, power, other, scale = _arranged(self.C, self.Y)
        tempering, z = pair(self.G, self.M, u), pair(1j / self.G, -1j / self.M, u) * u
        log_ratio = log1p(z)
        size = tempering**self.Y * (1.0 + share * z) * log_ratio
        total = (size * expm1_ratio(power * log_ratio)).sum(axis=0)
        return scale / other * (total + 1j * share * u * self._linear_term())

    def _linear_term(self) -> Any:
        """(G^ε − M^ε)/ε, ε = Y − 1."""
        log, e = array_namespace(self.G, self.M, self.Y).log, self.Y - 1.0
        g, m = log(self.G), log(self.M)
        return g * expm1_ratio(e * g) - m * expm1_ratio(e * m)

    @staticmethod
    def formula(u: Any, C: Any, G: Any, M: Any, Y: Any) -> tuple[Any, Any]:
        xp = array_namespace(u, G, M, Y)
        share, power, other, scale = _arranged(C, Y)
        below, factor = 1.0 - share, scale / other
        # The sides of G and M are two rows.
        tempering, z = pair(G, M, u), pair(1j / G, -1j / M, u) * u
        log_ratio = log1p(z)
        ratio, bend = expm1_ratio_with_derivative(power * log_ratio)
        grown, linear = log_ratio * ratio, 1j * share * u
        size = tempering**Y * (1.0 + share * z)
        # Where both sides' linear terms meet: (a^ε − 1)/ε, and its derivative in ε.
        g, m = xp.log(G), xp.log(M)
        ratio_g, bend_g = expm1_ratio_with_derivative((Y - 1.0) * g)
        ratio_m, bend_m = expm1_ratio_with_derivative((Y - 1.0) * m)
        value = (size * grown).sum(axis=0) + linear * (g * ratio_g - m * ratio_m)
        along_power = xp.log(tempering) * grown + log_ratio * log_ratio * bend
        by_power = (size * along_power).sum(axis=0) + linear * (g * g * bend_g - m * m * bend_m)
        exponent = factor * value
        by_y = factor * by_power - (digamma(2.0 - Y) + 1.0 / other) * exponent
        # −CΓ(1−Y)·a^ε·(e^{εL} − 1) for either side.
        weight = scale * (share + below * power / other)
        change = (weight * grown - below * factor * z) / (1.0 + below * z)
        by_tempering = tempering ** (Y - 1.0) * change
        return exponent, xp.stack((exponent / C, by_tempering[0], by_tempering[1], by_y))

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

    def gaussian_limit(self) -> tuple[str, ...]:
        """Y → 2 with C/(2 − Y) fixed, or many small jumps where Y stays away from 2."""
        if self.Y > _NEARLY_BROWNIAN:
            return ("Y → 2",)
        return "C → ∞", "G → ∞", "M → ∞"

    def scale_weights(self) -> tuple[Any, ...]:
        return self.Y, -1.0, -1.0, 0.0

    def density(self, x: Any) -> Any:
        xp = array_namespace(x)
        size = xp.abs(x)
        return self.C * xp.exp(-xp.where(x > 0, self.M, self.G) * size) / size ** (1.0 + self.Y)

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        return sample_by_inversion(self, rng, maturity_years, size)

    @staticmethod
    def parameters_at(z: Any) -> tuple[Any, Any, Any, Any]:
        variance, low, high = coordinates.variance_and_strip(z)
        y = z[3]
        level = variance / (gamma(2.0 - y) * (low ** (y - 2.0) + high ** (y - 2.0)))
        return level, high, low, y

    def to_coordinates(self) -> Any:
        xp = array_namespace(self.Y)
        shared = coordinates.coordinates(self.annual_cumulants()[1], self.M, self.G)
        return xp.concatenate([shared, xp.asarray(self.Y)[None]])

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        return (*coordinates.LOW, 0.0), (*coordinates.HIGH, 1.99)

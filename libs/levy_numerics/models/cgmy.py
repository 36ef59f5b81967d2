"""CGMY model, a tempered stable process."""

import math
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from levy_numerics.distributions import LogNormal, Normal
from levy_numerics.errors import InvalidParameterError
from levy_numerics.models import coordinates
from levy_numerics.models.base import Bounds
from levy_numerics.models.inversion import sample_by_inversion
from levy_numerics.models.numba_model import NumbaModel
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

# At this Y the exponent changes between its two expressions.
_HALF: Final = 0.5
# A Gaussian limit with an order Y above it is Y → 2, otherwise that of many small jumps.
_NEARLY_BROWNIAN: Final = 1.9


def _scheme(level: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    """Return the numbers with which CΓ(−Y)·Σ a^Y(e^{YL} − 1), L = log(1 ∓ iu/a), does not cancel.

    Below Y = 1/2 it is CΓ(2−Y)/(Y−1)·Σ a^Y·L·(e^{YL} − 1)/(YL), exact through Y = 0. From there
    on the terms of the two sides that are linear in u are combined to (G^ε − M^ε)/ε, ε = Y − 1,
    which is finite:
    CΓ(2−Y)/Y·[iu(G^ε − M^ε)/ε + Σ a^Y(1 ∓ iu/a)·L·(e^{εL} − 1)/(εL)], exact through Y = 1. Both
    are one expression, with different numbers.

    Returns
    -------
    is_above : float
        0 below Y = 1/2, otherwise 1.
    power : float
        Y or ε: the factor of L.
    divisor : float
        ε or Y: the remaining divisor.
    scale : float
        CΓ(2−Y).
    """
    is_above = 1.0 * (y >= _HALF)
    return is_above, y - is_above, y - 1.0 + is_above, level * gamma(2.0 - y)


@final
@register
@dataclass(frozen=True)
class CGMY(NumbaModel):
    """Pure jump process with Lévy density C·exp(−Mx)/x^{1+Y} (x > 0), C·exp(−G|x|)/|x|^{1+Y}.

    ψ(u) = CΓ(−Y)[(M − iu)^Y − M^Y + (G + iu)^Y − G^Y], with Y = 0 (Variance Gamma) and Y = 1 as
    limits.

    References
    ----------
    Carr, Geman, Madan and Yor (2002), Journal of Business 75(2), 305-332, Theorem 1.
    """

    name = "CGMY"
    title = "CGMY"
    source = "Carr, Geman, Madan and Yor (2002), Journal of Business 75(2), 305-332"
    linear_parameter = "C"
    helpers = (_scheme,)
    min_repeat_hits = 1
    training_range = coordinates.strip_range(
        (-0.4, 1.6), (-1.8, 0.5), coordinates.Axis("Y", 0.0, 1.8)
    )

    # C and Y together determine the variance. Independent priors over their whole typical ranges
    # would give a volatility of 500% for one surface of ten.
    C: Any = parameter(
        positive,
        symbol="C",
        unit="1/year",
        meaning="level of jump activity",
        default=0.6,
        typical_range=(1e-3, 20.0),
        prior=LogNormal(math.log(0.3), 1.25),
    )
    G: Any = parameter(
        positive,
        symbol="G",
        unit="1",
        meaning="decay of downward jumps; smaller is a heavier left tail",
        default=5.0,
        typical_range=(0.05, 100.0),
        prior=LogNormal(math.log(5.0), 1.25),
    )
    M: Any = parameter(
        Interval(1.0, np.inf),
        symbol="M",
        unit="1",
        meaning="decay of upward jumps; the forward exists only above 1",
        default=15.0,
        typical_range=(1.01, 100.0),
        prior=LogNormal(math.log(10.0), 1.25, 1.0),
    )
    Y: Any = parameter(
        Interval(0.0, 2.0, includes_low=True),
        symbol="Y",
        unit="1",
        meaning="fine structure: infinite activity from 0, infinite variation from 1",
        default=0.7,
        typical_range=(0.0, 1.98),
        prior=Normal(0.8, 0.4),
    )

    def check_jointly(self) -> None:
        super().check_jointly()
        variance = np.asarray(self.annual_cumulants()[1])
        if not np.all(np.isfinite(variance)):
            raise InvalidParameterError(
                "C, G, M, Y", tuple(self.as_mapping().values()), "a finite variance"
            )

    def exponent(self, u: Any) -> Any:
        is_above, power, divisor, scale = _scheme(self.C, self.Y)
        tempering, z = pair(self.G, self.M, u), pair(1j / self.G, -1j / self.M, u) * u
        log_ratio = log1p(z)
        size = tempering**self.Y * (1.0 + is_above * z) * log_ratio
        total = (size * expm1_ratio(power * log_ratio)).sum(axis=0)
        return scale / divisor * (total + 1j * is_above * u * self._linear_term())

    def _linear_term(self) -> Any:
        """Return (G^ε − M^ε)/ε, ε = Y − 1, finite at ε = 0."""
        log, e = array_namespace(self.G, self.M, self.Y).log, self.Y - 1.0
        g, m = log(self.G), log(self.M)
        return g * expm1_ratio(e * g) - m * expm1_ratio(e * m)

    @staticmethod
    def exponent_and_gradient(u: Any, C: Any, G: Any, M: Any, Y: Any) -> tuple[Any, Any]:
        xp = array_namespace(u, G, M, Y)
        is_above, power, divisor, scale = _scheme(C, Y)
        is_below, factor = 1.0 - is_above, scale / divisor
        # One row for each side. Under XLA two separate expressions take half as long again.
        tempering, z = pair(G, M, u), pair(1j / G, -1j / M, u) * u
        log_ratio = log1p(z)
        ratio, slope = expm1_ratio_with_derivative(power * log_ratio)
        growth, linear = log_ratio * ratio, 1j * is_above * u
        size = tempering**Y * (1.0 + is_above * z)
        # The combined linear terms of both sides, (a^ε − 1)/ε, and their derivative in ε.
        g, m = xp.log(G), xp.log(M)
        ratio_g, slope_g = expm1_ratio_with_derivative((Y - 1.0) * g)
        ratio_m, slope_m = expm1_ratio_with_derivative((Y - 1.0) * m)
        value = (size * growth).sum(axis=0) + linear * (g * ratio_g - m * ratio_m)
        by_power = xp.log(tempering) * growth + log_ratio * log_ratio * slope
        by_power = (size * by_power).sum(axis=0) + linear * (g * g * slope_g - m * m * slope_m)
        exponent = factor * value
        by_y = factor * by_power - (digamma(2.0 - Y) + 1.0 / divisor) * exponent
        # −CΓ(1−Y)·a^ε·(e^{εL} − 1) for each side.
        weight = scale * (is_above + is_below * power / divisor)
        change = (weight * growth - is_below * factor * z) / (1.0 + is_below * z)
        by_tempering = tempering ** (Y - 1.0) * change
        return exponent, xp.stack((exponent / C, by_tempering[0], by_tempering[1], by_y))

    def exponent_strip(self) -> tuple[Any, Any]:
        return self.M, self.G

    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        """Return κ₁ of the exponent, and κₙ = CΓ(n−Y)(M^{Y−n} + (−1)ⁿ G^{Y−n}) for n ≥ 2."""
        xp = array_namespace(self.Y)
        # −i·ψ′(0) = CΓ(1−Y)(M^{Y−1} − G^{Y−1}); its limit at Y = 1 is C·log(G/M).
        first = self.C * gamma(2.0 - self.Y) * self._linear_term()
        rest = [
            self.C
            * gamma(n - self.Y)
            * (self.M ** (self.Y - n) + (-1) ** n * self.G ** (self.Y - n))
            for n in (2, 3, 4)
        ]
        return xp.asarray(first), rest[0], rest[1], rest[2]

    def gaussian_limit(self) -> tuple[str, ...]:
        """Return Y → 2, with C/(2 − Y) fixed, or if Y is not near 2 many small jumps."""
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
    def parameters_from_coordinates(z: Any) -> tuple[Any, Any, Any, Any]:
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

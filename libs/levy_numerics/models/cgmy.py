"""CGMY, the tempered stable model of Carr, Geman, Madan and Yor."""

from dataclasses import dataclass
from typing import Any, Self, final

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
    either,
    expm1_ratio,
    expm1_ratio_derivative,
    gamma,
    log1p,
)


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
        return either(self.Y < 0.5, lambda: self._about_zero(u), lambda: self._about_one(u))

    def _about_zero(self, u: Any) -> Any:
        """−CΓ(1−Y) Σ a^Y·L·(e^{YL} − 1)/(YL), L = log(1 ∓ iu/a), exact through Y = 0."""
        y = self._near_zero()
        up, down = _log_ratio(u, self.M, -1.0), _log_ratio(u, self.G, 1.0)
        bracket = self.M**y * up * expm1_ratio(y * up) + self.G**y * down * expm1_ratio(y * down)
        return -self.C * gamma(1.0 - y) * bracket

    def _about_one(self, u: Any) -> Any:
        """CΓ(2−Y)/Y times the bracket divided by Y − 1, exact through Y = 1.

        With ε = Y − 1, a^Y(e^{YL} − 1) = ∓iu·a^ε + a^Y e^L(e^{εL} − 1), and the terms linear in u
        of the two sides meet in (G^ε − M^ε)/ε, which is finite.
        """
        y = self._near_one()
        e = y - 1.0
        total = 1j * u * self._linear_term(e)
        for a, sign in ((self.M, -1.0), (self.G, 1.0)):
            log_ratio = _log_ratio(u, a, sign)
            total = total + a**e * (a + sign * 1j * u) * log_ratio * expm1_ratio(e * log_ratio)
        return self.C * gamma(2.0 - y) / y * total

    def _linear_term(self, e: Any) -> Any:
        """(G^ε − M^ε)/ε."""
        log = array_namespace(self.G, self.M, e).log
        g, m = log(self.G), log(self.M)
        return g * expm1_ratio(e * g) - m * expm1_ratio(e * m)

    def _near_zero(self) -> Any:
        return array_namespace(self.Y).where(self.Y < 0.5, self.Y, 0.0)

    def _near_one(self) -> Any:
        return array_namespace(self.Y).where(self.Y < 0.5, 1.0, self.Y)

    def exponent_gradient(self, u: Any) -> Any:
        xp = array_namespace(u, self.Y)
        value, by_y = either(
            self.Y < 0.5, lambda: self._by_y_about_zero(u), lambda: self._by_y_about_one(u)
        )
        by_m, by_g = self._by_tempering(u, self.M, -1.0), self._by_tempering(u, self.G, 1.0)
        return xp.stack(xp.broadcast_arrays(value / self.C, by_g, by_m, by_y))

    def _by_tempering(self, u: Any, a: Any, sign: float) -> Any:
        """∂ψ/∂a = −CΓ(1−Y)·a^{Y−1}·(exp((Y−1)L) − 1) = CΓ(2−Y)·a^{Y−1}·L·(e^{εL} − 1)/(εL)."""
        e = self.Y - 1.0
        log_ratio = _log_ratio(u, a, sign)
        return self.C * gamma(1.0 - e) * a**e * log_ratio * expm1_ratio(e * log_ratio)

    def _by_y_about_zero(self, u: Any) -> Any:
        """ψ and ∂ψ/∂Y, stacked."""
        xp = array_namespace(u, self.Y)
        y = self._near_zero()
        value, slope = 0.0, 0.0
        for a, sign in ((self.M, -1.0), (self.G, 1.0)):
            log_ratio = _log_ratio(u, a, sign)
            scale = a**y * log_ratio
            term = scale * expm1_ratio(y * log_ratio)
            value = value + term
            slope = slope + xp.log(a) * term
            slope = slope + scale * log_ratio * expm1_ratio_derivative(y * log_ratio)
        factor = -self.C * gamma(1.0 - y)
        return xp.stack([factor * value, factor * (slope - digamma(1.0 - y) * value)])

    def _by_y_about_one(self, u: Any) -> Any:
        """ψ and ∂ψ/∂Y, stacked."""
        xp = array_namespace(u, self.Y)
        y = self._near_one()
        e = y - 1.0
        g, m = xp.log(self.G), xp.log(self.M)
        value = 1j * u * self._linear_term(e)
        slope = 1j * u * g**2 * expm1_ratio_derivative(e * g)
        slope = slope - 1j * u * m**2 * expm1_ratio_derivative(e * m)
        for a, sign in ((self.M, -1.0), (self.G, 1.0)):
            log_ratio = _log_ratio(u, a, sign)
            scale = a**e * (a + sign * 1j * u) * log_ratio
            term = scale * expm1_ratio(e * log_ratio)
            value = value + term
            slope = slope + xp.log(a) * term
            slope = slope + scale * log_ratio * expm1_ratio_derivative(e * log_ratio)
        factor = self.C * gamma(2.0 - y) / y
        return xp.stack([factor * value, factor * (slope - (digamma(2.0 - y) + 1.0 / y) * value)])

    def exponent_strip(self) -> tuple[Any, Any]:
        return self.M, self.G

    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        """κ₁ of the uncompensated exponent, κₙ = CΓ(n−Y)(M^{Y−n} + (−1)ⁿ G^{Y−n}) for n ≥ 2."""
        xp = array_namespace(self.Y)
        # −i·ψ′(0) = CΓ(1−Y)(M^{Y−1} − G^{Y−1}), through its limit C·log(G/M) at Y = 1.
        first = self.C * gamma(2.0 - self.Y) * self._linear_term(self.Y - 1.0)
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


def _log_ratio(u: Any, a: Any, sign: float) -> Any:
    """log(1 ± iu/a), principal: exact for small u, and on the right branch off the cut."""
    return log1p(sign * 1j * u / a)

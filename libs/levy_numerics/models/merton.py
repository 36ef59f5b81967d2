"""Jump diffusion of Merton."""

import math
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np

from levy_numerics.errors import InvalidParameterError
from levy_numerics.models import coordinates
from levy_numerics.models.base import Bounds
from levy_numerics.models.numba_model import NumbaModel
from levy_numerics.models.registry import register
from levy_numerics.parameters import parameter, positive, real
from levy_numerics.special import array_namespace, expm1

# Half-angles tried for the sector, widest first: those at which contours change.
_ANGLES: Final[tuple[float, ...]] = tuple(0.25 * math.pi * 2.0 ** (-0.5 * k) for k in range(1, 14))
_SHARES: Final = tuple(10.0 ** (-4.0 + k / 12.0) for k in range(49))


def _largest_growth(angle: float, sigma: Any, lam: Any, mu_j: Any, sigma_j: Any) -> float:
    """Return the maximum of log|φ_T(ξ)|/T on a ray, from the parameters of Merton's model.

    At |ξ| = ρ it is λ(exp(E) cos p − 1) − σ²ρ² cos 2a/2, with the angle a,
    E = |μ_J|ρ sin a − σ_J²ρ² cos 2a/2 and p = |μ_J|ρ cos a. Beyond a quarter turn of the phase p
    its cosine is replaced by 1. E is negative for ρ above 2|μ_J| sin a/(σ_J² cos 2a).
    """
    cosine, slope = math.cos(2.0 * angle), abs(mu_j) * math.sin(angle)
    end = 2.0 * slope / (cosine * sigma_j * sigma_j)
    largest = -math.inf
    for share in _SHARES:
        rho = share * end
        phase = abs(mu_j) * rho * math.cos(angle)
        turned = math.cos(phase) if phase < 0.5 * math.pi else 1.0
        jump = slope * rho - 0.5 * cosine * (sigma_j * rho) ** 2
        # Far above any admissible growth, and no overflow.
        growth = lam * (math.exp(min(jump, 600.0)) * turned - 1.0)
        largest = max(largest, growth - 0.5 * cosine * (sigma * rho) ** 2)
    return largest


@final
@register
@dataclass(frozen=True)
class Merton(NumbaModel):
    """Brownian motion and compound Poisson jumps with a normal distribution.

    ψ(u) = −σ²u²/2 + λ(exp(iuμ_J − σ_J²u²/2) − 1), with μ_J and σ_J the mean and the standard
    deviation of a jump of the log-price.

    References
    ----------
    Merton (1976), Journal of Financial Economics 3, 125-144.
    """

    name = "Merton"
    aliases = ("MJD", "MertonJumpDiffusion")
    title = "Merton"
    source = "Merton (1976), Journal of Financial Economics 3, 125-144"
    # Many surfaces have a second minimum, in which jumps are larger and vary less.
    min_repeat_hits = 5
    helpers = (_largest_growth,)
    training_range = coordinates.jump_range(
        (coordinates.Axis(coordinates.JUMP_SHARE, -1.5, 2.5), 0.0),
        (coordinates.Axis(coordinates.JUMP_SIZE, -0.8, 1.3), -1.0),
        (coordinates.Axis(coordinates.JUMP_DIRECTION, -1.8, 0.8), 0.0),
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
        default=0.8,
        typical_range=(0.01, 10.0),
    )
    mu_j: Any = parameter(
        real,
        symbol="μ_J",
        unit="1",
        meaning="mean jump; negative skews to the left",
        default=-0.1,
        typical_range=(-0.5, 0.3),
    )
    sigma_j: Any = parameter(
        positive,
        symbol="σ_J",
        unit="1",
        meaning="standard deviation of a jump; larger is more volatile",
        default=0.12,
        typical_range=(0.03, 0.5),
    )

    def check_jointly(self) -> None:
        with np.errstate(over="ignore"):
            growth = self.lam * np.exp(np.asarray(self.mu_j) + 0.5 * np.square(self.sigma_j))
        if not np.all(np.isfinite(growth)):
            raise InvalidParameterError(
                "mu_j, sigma_j", (self.mu_j, self.sigma_j), "exp(μ_J + σ_J²/2) is finite"
            )
        super().check_jointly()

    def exponent(self, u: Any) -> Any:
        jump = 1j * self.mu_j * u - 0.5 * (self.sigma_j * u) ** 2
        return -0.5 * (self.sigma * u) ** 2 + self.lam * expm1(jump)

    @staticmethod
    def exponent_and_gradient(
        u: Any, sigma: Any, lam: Any, mu_j: Any, sigma_j: Any
    ) -> tuple[Any, Any]:
        xp = array_namespace(u, sigma)
        square = u * u
        jump = 1j * mu_j * u - 0.5 * sigma_j**2 * square
        by_lam = expm1(jump)
        # e^E·u and e^E·u²: u² could overflow before the small exponential multiplies it.
        weighted = lam * xp.exp(jump) * u
        exponent = lam * by_lam - 0.5 * sigma**2 * square
        by_sigma = -sigma * square + 0j
        return exponent, xp.stack((by_sigma, by_lam, 1j * weighted, -sigma_j * weighted * u))

    def exponent_strip(self) -> tuple[Any, Any]:
        xp = array_namespace(self.sigma)
        infinite = xp.full_like(xp.asarray(self.sigma, dtype=float), xp.inf)
        return infinite, infinite

    def sector(self, maturity_years: Any) -> Any:
        return np.vectorize(self.half_angle)(maturity_years, *self.as_mapping().values())

    @staticmethod
    def half_angle(maturity_years: float, sigma: Any, lam: Any, mu_j: Any, sigma_j: Any) -> float:
        """Return the half-angle within which log|φ_T(ξ)| stays below 1.

        Without diffusion, which is known in closed form; jumps of nearly equal sizes then leave a
        small angle only. Where they are many and small, or diffusion outweighs them, it is larger.
        """
        g = 2.0 * math.log1p(1.0 / (lam * maturity_years)) * sigma_j * sigma_j
        known = math.asin(math.sqrt(g / (mu_j * mu_j + 2.0 * g)))
        for angle in _ANGLES:
            if angle <= known:
                break
            if _largest_growth(angle, sigma, lam, mu_j, sigma_j) * maturity_years <= 1.0:
                return angle
        return known

    def log_oscillating_part(self, u: Any, maturity_years: Any) -> Any:
        """Return the log of λT·exp(iμ_Ju − σ_J²u²/2)."""
        log_years = array_namespace(u, self.lam).log(maturity_years)
        return self.log_oscillation(u, *self.as_mapping().values()) + log_years

    @staticmethod
    def log_oscillation(u: Any, sigma: Any, lam: Any, mu_j: Any, sigma_j: Any) -> Any:
        log_lam = array_namespace(u, lam).log(lam)
        return 1j * mu_j * u - 0.5 * (sigma_j * u) ** 2 + log_lam

    def annual_cumulants(self) -> tuple[Any, Any, Any, Any]:
        lam, m, s2 = self.lam, self.mu_j, self.sigma_j**2
        return (
            lam * m,
            self.sigma**2 + lam * (m**2 + s2),
            lam * m * (m**2 + 3.0 * s2),
            lam * (m**4 + 6.0 * m**2 * s2 + 3.0 * s2**2),
        )

    def gaussian_limit(self) -> tuple[str, ...]:
        """Return the limit without jumps, or that of many small ones if they dominate."""
        diffusion = self.sigma**2
        return ("lam → 0",) if diffusion > 0.5 * self.annual_cumulants()[1] else ("lam → ∞",)

    def density(self, x: Any) -> Any:
        xp = array_namespace(x)
        gaussian = xp.exp(-0.5 * ((x - self.mu_j) / self.sigma_j) ** 2)
        return self.lam * gaussian / (self.sigma_j * np.sqrt(2.0 * np.pi))

    def sample(self, rng: np.random.Generator, maturity_years: float, size: int) -> Any:
        # Given n jumps the increment is normal.
        n = rng.poisson(self.lam * maturity_years, size)
        spread = np.sqrt(self.sigma**2 * maturity_years + self.sigma_j**2 * n)
        return self.mu_j * n + spread * rng.standard_normal(size)

    @staticmethod
    def parameters_from_coordinates(z: Any) -> tuple[Any, Any, Any, Any]:
        """Return the parameters at (log v, logit j, log √E[J²], asinh(μ_J/σ_J)).

        v is the variance and j the jumps' share of it. Kurtosis determines the size of jumps and
        skewness their direction; mean and standard deviation as coordinates are nearly collinear.
        """
        xp = array_namespace(z)
        variance, (jumps, diffusion) = xp.exp(z[0]), coordinates.split(z[1])
        size = xp.exp(z[2])
        return (
            xp.sqrt(variance * diffusion),
            variance * jumps / size**2,
            size * xp.tanh(z[3]),
            size / xp.cosh(z[3]),
        )

    def to_coordinates(self) -> Any:
        diffusion = self.sigma**2
        square = self.mu_j**2 + self.sigma_j**2
        jumps = self.lam * square
        xp = array_namespace(diffusion, jumps)
        return xp.stack(
            [
                xp.log(diffusion + jumps),
                xp.log(jumps / diffusion),
                0.5 * xp.log(square),
                xp.asinh(self.mu_j / self.sigma_j),
            ]
        )

    @classmethod
    def coordinate_bounds(cls) -> Bounds:
        """Return jumps of 1% to 500%, with a mean of up to twenty standard deviations."""
        return (-11.5, -9.0, -4.6, -3.7), (3.2, 9.0, 1.6, 3.7)

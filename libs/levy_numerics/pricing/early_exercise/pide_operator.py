"""Generator of a Lévy process on a uniform grid of the log price.

Jumps of at least one spacing h are moved to the nodes by linear interpolation, with the weights
ω_j = ∫ Λ(y/h − j)k(y) dy over |y| > h, Λ the hat function. Smaller jumps are replaced by a
diffusion (Asmussen and Rosiński), whose variance is such that the second moment of the whole is
exact. It then also cancels the excess second moment of the interpolation, which would leave an
error of order h^(2−Y) for jumps of order Y; what remains is of order h^(4−Y) and h².

The drift makes exp(x) a martingale on the grid. It is not discretised: x moves with it, so that the
kink of a payoff stays at its node.

References
----------
Asmussen and Rosiński (2001), Journal of Applied Probability 38(2), 482-493; Cont and Voltchkova
(2005), SIAM Journal on Numerical Analysis 43(4), 1596-1626, section 4; Wang, Wan and Forsyth
(2007), Journal of Computational Finance 10(4), 31-69, section 3.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy import fft

from levy_numerics.pricing.early_exercise.conv_grid import Side

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_POINTS, _WEIGHTS = 0.5 * (_POINTS + 1.0), 0.5 * _WEIGHTS
_CIRCLE: Final = np.exp(2j * np.pi * np.arange(64) / 64.0)


@dataclass(frozen=True)
class Generator:
    """Discrete generator without drift and discounting: D·δ²/h² + Σ_j ω_j (shift by j − 1).

    Attributes
    ----------
    spacing : float
        h.
    jumps : ndarray, shape (2m + 1,)
        ω_j per year, j = −m … m; ω_0 = 0.
    diffusion : float
        D per year, half the variance that jumps do not have; negative if interpolation adds more
        variance than small jumps have.
    drift : float
        Of x per year, without carry.
    """

    spacing: float
    jumps: np.ndarray
    diffusion: float
    drift: float

    @classmethod
    def of(cls, side: Side, spacing: float, reach: float) -> "Generator":
        """Return the generator with jumps up to a distance."""
        m = int(np.ceil(reach / spacing))
        jumps = np.zeros(2 * m + 1)
        cells = np.arange(1, m)
        for sign in (1, -1):
            y = spacing * (cells[:, None] + _POINTS)
            rate = spacing * _WEIGHTS * _density(side, sign * y)
            mass, far = rate.sum(axis=1), (rate * _POINTS).sum(axis=1)
            jumps[m + sign * cells] += mass - far
            jumps[m + sign * (cells + 1)] += far
        j = np.arange(-m, m + 1)
        diffusion = 0.5 * (_variance(side) - float(np.sum(jumps * (j * spacing) ** 2)))
        growth = diffusion * (2.0 * np.cosh(spacing) - 2.0) / spacing**2
        drift = -growth - float(np.sum(jumps * np.expm1(j * spacing)))
        return cls(spacing, jumps, diffusion, drift)

    @cached_property
    def implicit_diffusion(self) -> float:
        """Part of the diffusion that is stepped implicitly: all, unless negative."""
        return max(self.diffusion, 0.0)

    def explicit_symbol(self, n_nodes: int) -> np.ndarray:
        """Return the multiplier of the transform over a period, shape (n_nodes/2 + 1,)."""
        m = self.jumps.size // 2
        kernel = np.zeros(n_nodes)
        # V(x + jh) is a convolution with the reflected weights.
        np.add.at(kernel, np.arange(m, -m - 1, -1) % n_nodes, self.jumps)
        explicit = min(self.diffusion, 0.0) / self.spacing**2
        kernel[0] -= self.jumps.sum() + 2.0 * explicit
        kernel[1] += explicit
        kernel[-1] += explicit
        return np.asarray(fft.rfft(kernel))

    def largest_step(self, symbol: np.ndarray, n_nodes: int) -> float:
        """Return the longest stable step of the two-step scheme, in years.

        With rates a and e of decay of a frequency in the implicit and the explicit part, the root
        at −1 of (3/2)ζ² − 2ζ + 1/2 = −dt(aζ² + e(2ζ − 1)) is at dt = 4/(3e − a).
        """
        angle = np.pi * np.arange(symbol.size) / n_nodes
        implicit = 4.0 * self.implicit_diffusion * np.sin(angle) ** 2 / self.spacing**2
        excess = 3.0 * np.abs(symbol) - implicit
        return float(4.0 / max(excess.max(), 1e-300))


def _density(side: Side, y: np.ndarray) -> np.ndarray:
    """Return the Lévy density of the state, per year and unit of y ≠ 0."""
    if side.is_call:
        return np.asarray(side.model.density(-y) * np.exp(-y))
    return np.asarray(side.model.density(y))


def _variance(side: Side) -> float:
    """Return the second cumulant of the state per year, −ψ″(0), by Cauchy's integral."""
    low, high = (float(end) for end in side.model.exponent_strip())
    distance = min(low - 1.0, high + 1.0) if side.is_call else min(low, high)
    radius = min(0.5 * distance, 1.0 / side.standard_deviation(1.0))
    moments = side.exponent(radius * _CIRCLE) / _CIRCLE**2
    return float(-2.0 * np.mean(moments).real / radius**2)

"""Coordinates of models that a variance and a strip determine, and ranges for training data.

Variance Gamma, CGMY, NIG and Meixner have in common the annual variance v and the ends of the strip
−λ₋ < Im u < λ₊. Least squares in (log v, log λ₊, log(λ₋ − 1)) is far better conditioned than in the
papers' parameters, and λ₋ > 1, the condition for a finite E[S_T], holds by construction.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from levy_numerics.special import array_namespace

# v = 1e-5 (a volatility of 0.3%), λ₊ and λ₋ − 1 = 1e-4.
LOW: Final = (-11.5, -9.0, -9.0)
# v = 25, λ₊ and λ₋ − 1 = 22,000, at which the model is Gaussian to eight digits.
HIGH: Final = (3.2, 10.0, 10.0)


def variance_and_strip(z: Any) -> tuple[Any, Any, Any]:
    """Return (v, λ₋, λ₊) at coordinates `z`, shape (3 or more, …)."""
    xp = array_namespace(z)
    return xp.exp(z[0]), 1.0 + xp.exp(z[2]), xp.exp(z[1])


def coordinates(variance: Any, low: Any, high: Any) -> Any:
    """Return the inverse of `variance_and_strip`, shape (3, …)."""
    xp = array_namespace(variance, low, high)
    return xp.stack([xp.log(variance), xp.log(high), xp.log(low - 1.0)])


def split(z: Any) -> tuple[Any, Any]:
    """Return (1/(1 + e⁻ᶻ), 1/(1 + eᶻ)), two shares that add up to 1, without cancellation."""
    xp = array_namespace(z)
    return 1.0 / (1.0 + xp.exp(-z)), 1.0 / (1.0 + xp.exp(z))


@dataclass(frozen=True)
class Axis:
    """Shape coordinate: its name and its range."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class TrainingRange:
    """Box of realistic models in shape coordinates w = A·z, from which data sets are drawn.

    Tails are measured in standard deviations of a year. A box thus has the same kurtosis and
    skewness at a volatility of 8% as at 60%.

    Attributes
    ----------
    axes : tuple of Axis
        One for each coordinate.
    matrix : ndarray, shape (p, p)
        A.
    """

    axes: tuple[Axis, ...]
    matrix: np.ndarray


VOLATILITY: Final = "log volatility"
TAILS: Final = "log tail decay in deviations"
LEAN: Final = "lean of the tails"
JUMP_SHARE: Final = "logit of the jumps' share"
JUMP_SIZE: Final = "log jump size in deviations"
UPWARD_SHARE: Final = "logit of the upward share"
DECAY_UP: Final = "log decay of upward jumps in deviations"
DECAY_DOWN: Final = "log decay of downward jumps in deviations"
JUMP_DIRECTION: Final = "asinh(mean jump / deviation of jumps)"

_LOG_VOLATILITY: Final = Axis(VOLATILITY, math.log(0.07), math.log(1.2))
# The volatility range of Sato processes.
CALM_VOLATILITY: Final = Axis(VOLATILITY, math.log(0.07), math.log(0.6))
# From (log v, log λ₊, log(λ₋ − 1)) to (w₀, w₁, w₂) of `strip_range`.
_STRIP_TO_SHAPE: Final = np.array([[0.5, 0.0, 0.0], [0.5, 0.5, 0.5], [0.0, 0.5, -0.5]])


def strip_range(
    tails: tuple[float, float],
    skewness: tuple[float, float],
    *others: Axis,
    volatility: Axis = _LOG_VOLATILITY,
) -> TrainingRange:
    """Return the range of a model that variance and strip determine.

    Shape coordinates are ½·log v (volatility), ½·log(λ₊√v) + ½·log((λ₋ − 1)√v) (decay of the tails)
    and ½·log(λ₊/(λ₋ − 1)) (skewness), then `others`, which are coordinates themselves.
    """
    axes = (volatility, Axis(TAILS, *tails), Axis(LEAN, *skewness), *others)
    matrix = np.eye(len(axes))
    matrix[:3, :3] = _STRIP_TO_SHAPE
    return TrainingRange(axes, matrix)


def jump_range(*axes: tuple[Axis, float]) -> TrainingRange:
    """Return the range of a model with coordinates (log v, z₁, …), as axes of w = z + k·½·log v.

    Each axis is given with its k: 1 measures a decay, and −1 a size, in deviations of a year.
    """
    matrix = np.eye(len(axes) + 1)
    matrix[:, 0] = [0.5, *(0.5 * k for _, k in axes)]
    return TrainingRange((_LOG_VOLATILITY, *(axis for axis, _ in axes)), matrix)

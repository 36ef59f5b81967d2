"""Realistic ranges of each model's parameters, for data sets and networks.

A range is a box in *shape coordinates*, an affine change of the model's own well-conditioned
coordinates z. Models known by a variance v and a strip (λ₊ the decay of the left tail, λ₋ that of
the right) have

    w₀ = ½·log v                                      volatility,
    w₁ = ½·log(λ₊√v) + ½·log((λ₋ − 1)√v)              decay of the tails,
    w₂ = ½·log(λ₊/(λ₋ − 1))                           skewness,

all linear in z = (log v, log λ₊, log(λ₋ − 1)). Tails are thus measured in annual standard
deviations, and a box has the same kurtosis and skewness at a volatility of 8% as at 60%; λ₋ > 1,
without which the forward is infinite, holds throughout. Networks learn the position in the box,
the *target* in [0, 1].
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np

from levy_numerics import models
from levy_numerics.errors import UnsupportedError
from levy_numerics.models.base import Model


@dataclass(frozen=True)
class Axis:
    """One shape coordinate: its name and its range."""

    name: str
    low: float
    high: float


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
_STRIP: Final = np.array([[0.5, 0.0, 0.0], [0.5, 0.5, 0.5], [0.0, 0.5, -0.5]])
"""From (log v, log λ₊, log(λ₋ − 1)) to (w₀, w₁, w₂)."""


@dataclass(frozen=True)
class Box:
    """A box in shape coordinates w = A·z of one model.

    Attributes
    ----------
    model_type : type of Model
    axes : tuple of Axis
        One for each parameter.
    matrix : ndarray, shape (p, p)
        A.
    """

    model_type: type[Model]
    axes: tuple[Axis, ...]
    matrix: np.ndarray

    @classmethod
    def of(cls, name: str) -> Self:
        """Return the ranges of the model of that name.

        Raises
        ------
        UnknownModelError
            There is no such model.
        UnsupportedError
            No ranges are declared for it.
        """
        model_type = models.get(name)
        if name not in _DECLARED:
            raise UnsupportedError(
                f"no ranges are declared for {name}; known are {', '.join(_DECLARED)}",
                known=tuple(_DECLARED),
            )
        axes, matrix = _DECLARED[name]
        return cls(model_type, axes, matrix)

    @cached_property
    def low(self) -> np.ndarray:
        """Lower ends, shape (p,)."""
        return np.array([axis.low for axis in self.axes])

    @cached_property
    def high(self) -> np.ndarray:
        """Upper ends, shape (p,)."""
        return np.array([axis.high for axis in self.axes])

    @cached_property
    def _inverse(self) -> np.ndarray:
        return np.asarray(np.linalg.inv(self.matrix))

    def coordinates(self, targets: np.ndarray) -> np.ndarray:
        """Return the model's coordinates z at positions in the box.

        Parameters
        ----------
        targets : ndarray, shape (n, p)
            In [0, 1]; others are clipped to the nearest face, so that every output of a network is
            a model with a finite forward.

        Returns
        -------
        ndarray, shape (p, n)
            For `Model.from_coordinates`.
        """
        inside = np.clip(np.asarray(targets, dtype=float), 0.0, 1.0)
        shape = self.low + inside * (self.high - self.low)
        return np.asarray(self._inverse @ shape.T)

    def model(self, targets: np.ndarray) -> Model:
        """Return models, fields of shape (n,), at positions in the box, shape (n, p)."""
        return self.model_type.from_coordinates(self.coordinates(targets))

    def targets(self, model: Model) -> np.ndarray:
        """Return positions in the box, shape (n, p), of models with fields of shape (n,).

        Inverse of `model`; a parameter set outside the box has entries outside [0, 1].
        """
        z = np.asarray(model.to_coordinates(), dtype=float).reshape(len(self.axes), -1)
        return np.asarray(((self.matrix @ z).T - self.low) / (self.high - self.low))

    def spread(self, targets: np.ndarray) -> np.ndarray:
        """Return standard deviations in z, shape (n, p), of those in targets, shape (n, p).

        Errors of the targets are assumed to be independent.
        """
        width = self._inverse * (self.high - self.low)
        return np.asarray(np.sqrt(np.asarray(targets, dtype=float) ** 2 @ (width**2).T))

    def as_mapping(self) -> dict[str, Any]:
        """Return axes and matrix, for manifests."""
        return {
            "axes": [{"name": a.name, "low": a.low, "high": a.high} for a in self.axes],
            "matrix": self.matrix.tolist(),
        }


def known() -> tuple[str, ...]:
    """Return the names of the models that have ranges."""
    return tuple(_DECLARED)


def sobol_targets(n_axes: int, n: int, *, seed: int, start: int = 0) -> np.ndarray:
    """Return points `start` … `start + n − 1` of a scrambled Sobol sequence, shape (n, n_axes).

    The sequence depends only on the seed, so that parts of it can be drawn independently.

    References
    ----------
    Owen (1998), Journal of Complexity 14(4), 466-489 (scrambling).
    """
    from scipy.stats import qmc  # imported on use: it takes half a second

    sampler = qmc.Sobol(n_axes, rng=np.random.default_rng(seed))
    if start:
        sampler.fast_forward(start)
        return np.asarray(sampler.random(n))
    # SciPy warns unless the first draw is a power of two.
    return np.asarray(sampler.random_base2((n - 1).bit_length())[:n])


def sobol_models(name: str, n: int, *, seed: int, start: int = 0) -> Model:
    """Return n parameter sets in a model's box, fields of shape (n,).

    Parameters
    ----------
    name : str
    n, start : int
        Number of sets, and the position of the first in the sequence.
    seed : int
        Seed of the scrambling.
    """
    box = Box.of(name)
    return box.model(sobol_targets(len(box.axes), n, seed=seed, start=start))


_Declared = tuple[tuple[Axis, ...], np.ndarray]


def _strip(
    tails: tuple[float, float],
    lean: tuple[float, float],
    *others: Axis,
    volatility: Axis = _LOG_VOLATILITY,
) -> _Declared:
    """Return the ranges of a model with variance and strip; `others` are used unchanged."""
    axes = (volatility, Axis(TAILS, *tails), Axis(LEAN, *lean), *others)
    matrix = np.eye(len(axes))
    matrix[:3, :3] = _STRIP
    return axes, matrix


def _in_deviations(*axes: tuple[Axis, float]) -> _Declared:
    """Return the ranges of a model with first coordinate log v, the others w = z + k·½·log v.

    With k = 1 a decay, and with k = −1 a size, is measured in annual standard deviations.
    """
    matrix = np.eye(len(axes) + 1)
    matrix[:, 0] = [0.5, *(0.5 * k for _, k in axes)]
    return (_LOG_VOLATILITY, *(axis for axis, _ in axes)), matrix


_CALM: Final = Axis(VOLATILITY, math.log(0.07), math.log(0.6))
_GAMMA: Final = Axis("gamma", 0.35, 0.7)
"""Range in which tails decay fast enough for a finite forward beyond three years."""

_DECLARED: Final[Mapping[str, _Declared]] = MappingProxyType(
    {
        "VarianceGamma": _strip((0.0, 2.1), (-1.2, 0.5)),
        "CGMY": _strip((-0.4, 1.6), (-1.8, 0.5), Axis("Y", 0.0, 1.8)),
        "NIG": _strip((-0.5, 1.7), (-1.6, 0.5)),
        "Meixner": _strip((-0.4, 1.9), (-1.3, 0.5)),
        "Merton": _in_deviations(
            (Axis(JUMP_SHARE, -1.5, 2.5), 0.0),
            (Axis(JUMP_SIZE, -0.8, 1.3), -1.0),
            (Axis(JUMP_DIRECTION, -1.8, 0.8), 0.0),
        ),
        "Kou": _in_deviations(
            (Axis(JUMP_SHARE, -1.2, 1.5), 0.0),
            (Axis(UPWARD_SHARE, -4.0, 1.0), 0.0),
            (Axis(DECAY_DOWN, -1.0, 1.8), 1.0),
            (Axis(DECAY_UP, -1.2, 2.0), 1.0),
        ),
        "BilateralGamma": _in_deviations(
            (Axis(UPWARD_SHARE, -3.0, 1.0), 0.0),
            (Axis(DECAY_DOWN, -1.3, 1.8), 1.0),
            (Axis(DECAY_UP, -0.5, 2.5), 1.0),
        ),
        "VarianceGammaSato": _strip((-0.1, 1.9), (-1.2, 0.2), _GAMMA, volatility=_CALM),
        "NIGSato": _strip((-0.3, 1.8), (-1.6, 0.0), _GAMMA, volatility=_CALM),
        "MeixnerSato": _strip((-0.2, 1.8), (-1.2, 0.0), _GAMMA, volatility=_CALM),
        "CGMYSato": _strip((-0.3, 1.6), (-1.5, 0.0), Axis("Y", 0.0, 1.7), _GAMMA, volatility=_CALM),
    }
)

"""Unit coordinates of each model's training range, from which data sets are drawn.

A model declares its `training_range`, a box in shape coordinates w = A·z; z are the model's own
coordinates. Networks predict the relative position in the box, the *target* in [0, 1].
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from levy_numerics import models
from levy_numerics.errors import UnsupportedError
from levy_numerics.models.base import Model
from levy_numerics.models.coordinates import Axis


@dataclass(frozen=True)
class Box:
    """Training range of one model, a box in shape coordinates w = A·z.

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
        """Return the training range of the model of that name.

        Raises
        ------
        UnknownModelError
            The model does not exist.
        UnsupportedError
            The model declares no training range.
        """
        model_type = models.get(name)
        declared = model_type.training_range
        if declared is None:
            raise UnsupportedError(
                f"{name} declares no training range; choose one of {', '.join(model_names())}",
                known=model_names(),
            )
        return cls(model_type, declared.axes, declared.matrix)

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
            In [0, 1]; others are moved to the nearest face, so that each prediction of a network
            is a model with finite E[S_T].

        Returns
        -------
        ndarray, shape (p, n)
            For `Model.from_coordinates`.
        """
        inside = np.clip(np.asarray(targets, dtype=float), 0.0, 1.0)
        shape = self.low + inside * (self.high - self.low)
        return np.asarray(self._inverse @ shape.T)

    def model(self, targets: np.ndarray) -> Model:
        """Return a batch of models, fields of shape (n,), at positions in the box, (n, p)."""
        return self.model_type.from_coordinates(self.coordinates(targets))

    def targets(self, model: Model) -> np.ndarray:
        """Return positions in the box, shape (n, p), of a model with fields (n,) or numbers.

        Inverse of `model`; a parameter set outside the box has entries outside [0, 1].
        """
        z = np.asarray(model.to_coordinates(), dtype=float).reshape(len(self.axes), -1)
        return np.asarray(((self.matrix @ z).T - self.low) / (self.high - self.low))

    def spread(self, targets: np.ndarray) -> np.ndarray:
        """Return standard deviations of z, shape (n, p), from those of independent targets."""
        width = self._inverse * (self.high - self.low)
        return np.asarray(np.sqrt(np.asarray(targets, dtype=float) ** 2 @ (width**2).T))

    def as_mapping(self) -> dict[str, Any]:
        """Return axes and matrix for manifests."""
        return {
            "axes": [{"name": a.name, "low": a.low, "high": a.high} for a in self.axes],
            "matrix": self.matrix.tolist(),
        }


def model_names() -> tuple[str, ...]:
    """Return the names of the models with a training range."""
    return tuple(name for name in models.names() if models.get(name).training_range is not None)


def sobol_targets(n_axes: int, n: int, *, seed: int, start: int = 0) -> np.ndarray:
    """Return points `start` … `start + n − 1` of a scrambled Sobol sequence, shape (n, n_axes).

    The sequence depends on the seed only, so that parts of it can be drawn in any process.

    References
    ----------
    Owen (1998), Journal of Complexity 14(4), 466-489 (scrambling).
    """
    from scipy.stats import qmc  # The import takes half a second.

    sampler = qmc.Sobol(n_axes, rng=np.random.default_rng(seed))
    if start:
        sampler.fast_forward(start)
        return np.asarray(sampler.random(n))
    # At the start of a sequence SciPy warns of numbers that are not powers of two.
    return np.asarray(sampler.random_base2((n - 1).bit_length())[:n])


def sobol_models(name: str, n: int, *, seed: int, start: int = 0) -> Model:
    """Return n models of a training range, fields of shape (n,).

    Parameters
    ----------
    name : str
    n, start : int
        Number of models, and the index of the first in the sequence.
    seed : int
        Seed of the scrambling.
    """
    box = Box.of(name)
    return box.model(sobol_targets(len(box.axes), n, seed=seed, start=start))

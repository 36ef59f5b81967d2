"""Members of every registered model for tests of its properties."""

import zlib
from typing import Any

import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.errors import InvalidParameterError
from levy_numerics.models import LevyModel, Model

MODELS = tuple(models.get(name) for name in models.names())
LEVY_MODELS = tuple(cls for cls in MODELS if issubclass(cls, LevyModel))

ASTRONOMICAL = 300.0

every_model = pytest.mark.parametrize("cls", MODELS, ids=lambda cls: cls.name)
every_levy_model = pytest.mark.parametrize("cls", LEVY_MODELS, ids=lambda cls: cls.name)


def generator(cls: type[Model], purpose: str) -> np.random.Generator:
    """Return a generator that depends only on model and purpose."""
    return np.random.default_rng(zlib.crc32(f"{cls.name} {purpose}".encode()))


def typical_members(cls: type[Model], count: int, purpose: str) -> list[Model]:
    """The example, and members drawn from the typical range of every parameter.

    Uniformly in the logarithm where a range is positive and spans a factor of ten.
    """
    rng = generator(cls, purpose)
    actual = [cls.example()]
    while len(actual) <= count:
        model = cls(**{p.name: _draw(rng, *p.typical_range) for p in cls.parameters()})
        try:
            model.check()
        except InvalidParameterError:
            continue
        actual.append(model)
    return actual


def _draw(rng: np.random.Generator, low: float, high: float) -> float:
    if low > 0 and high > 10 * low:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return float(rng.uniform(low, high))


def points_in_boxes(cls: type[Model], count: int, purpose: str) -> np.ndarray:
    """Return coordinates from the box, including its corners; shape (n_parameters, …)."""
    low, high = (np.asarray(end) for end in cls.coordinate_bounds())
    rng = generator(cls, purpose)
    inside = low[:, None] + (high - low)[:, None] * rng.random((low.size, count))
    corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(low.size, -1)
    return np.concatenate([inside, corners], axis=1)


def horizons(model: Model) -> list[float]:
    """Return a day, half a year and five years, up to which the forward is finite."""
    return [t for t in (1 / 365, 0.5, 5.0) if np.all(np.asarray(model.strip(t)[0]) > 1.0)]


def strip_inside(model: Model, fraction: float, t: float = 1.0) -> tuple[float, float]:
    """Return (−low, high), the part of the strip where E[exp(±sX)] is not huge."""
    ends = []
    for sign, end in zip((-1.0, 1.0), model.strip(t), strict=True):
        reach = min(float(end), 20.0 / float(np.sqrt(model.cumulants(t)[1])))
        with np.errstate(over="ignore", invalid="ignore"):
            while not np.real(model.log_cf(np.asarray(0.999j * sign * reach), t)) < ASTRONOMICAL:
                reach *= 0.5
        ends.append(sign * fraction * reach)
    return ends[0], ends[1]


def frequencies(model: Model, count: int, purpose: str, reach: float = 1e4) -> np.ndarray:
    """Return complex points of the strip, of both signs of Re u and of all magnitudes."""
    rng = generator(type(model), purpose)
    low, high = strip_inside(model, 0.9)
    size = np.exp(rng.uniform(np.log(1e-9), np.log(reach), count))
    side = rng.choice([-1.0, 1.0], count)
    share = np.minimum(1.0, size) * rng.uniform(0.0, 1.0, count)
    return side * size + 1j * np.where(rng.random(count) < 0.5, low, high) * share


def values(model: Model) -> list[Any]:
    return list(model.as_mapping().values())

"""Random but realistic parameter sets, which calibrations must recover."""

import math
from typing import Final

import numpy as np

from levy_numerics import models
from levy_numerics.errors import LevyError
from levy_numerics.models import Model
from levy_numerics.parameters import Parameter

VOLATILITY: Final = (0.05, 0.8)
"""Annual standard deviation of log-returns."""
HORIZON_YEARS: Final = 5.0
"""The forward is finite up to here."""
MANY: Final = 10.0


def draw(name: str, n: int, seed: int) -> list[Model]:
    """Draw n admissible parameter sets from their typical ranges.

    Scale parameters are drawn evenly in the logarithm. Sets without a finite forward, or with a
    volatility outside `VOLATILITY`, are drawn again.
    """
    rng = np.random.default_rng(seed)
    cls = models.get(name)
    found: list[Model] = []
    while len(found) < n:
        candidate = cls(**{p.name: _draw(p, rng) for p in cls.parameters()})
        if _realistic(candidate):
            found.append(candidate)
    return found


def _draw(parameter: Parameter, rng: np.random.Generator) -> float:
    low, high = parameter.typical_range
    if low > 0 and high / low > MANY:
        return math.exp(rng.uniform(math.log(low), math.log(high)))
    return float(rng.uniform(low, high))


def _realistic(model: Model) -> bool:
    try:
        model.check()
    except LevyError:
        return False
    _, variance, _, _ = model.cumulants(1.0)
    if not np.all(model.forward_exists(HORIZON_YEARS)):
        return False
    return VOLATILITY[0] < math.sqrt(variance) < VOLATILITY[1]

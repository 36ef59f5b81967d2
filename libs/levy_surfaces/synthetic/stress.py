"""Stress scenarios, for tests of calibrators.

A scenario restricts the model's ranges or the maturities; prices are exact.
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np

from levy_numerics.models import coordinates
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.datasets import Examples
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box, sobol_targets


class Scenario(StrEnum):
    """A stress scenario."""

    CRASH_SKEW = "crash_skew"
    VOL_SPIKE = "vol_spike"
    NEAR_EXPIRY = "near_expiry"


NEAR_EXPIRY_DAYS: Final = 61
"""Longest maturity of the scenario; the grid has three up to it."""

_PARTS: Final[Mapping[Scenario, Mapping[str, tuple[float, float]]]] = MappingProxyType(
    {
        Scenario.CRASH_SKEW: {
            coordinates.LEAN: (0.0, 0.25),
            coordinates.TAILS: (0.0, 0.5),
            coordinates.JUMP_DIRECTION: (0.0, 0.25),
            coordinates.JUMP_SIZE: (0.5, 1.0),
            coordinates.UPWARD_SHARE: (0.0, 0.25),
            coordinates.DECAY_DOWN: (0.0, 0.5),
            coordinates.DECAY_UP: (0.25, 1.0),
        },
        Scenario.VOL_SPIKE: {coordinates.VOLATILITY: (0.65, 1.0)},
        Scenario.NEAR_EXPIRY: {},
    }
)
"""Part of each axis, as positions in the box: the most volatile third, from 44% (Sato processes:
28%); the quarter with the most negative skewness, and of these the fatter tails."""


def stressed_targets(box: Box, scenario: Scenario, targets: np.ndarray) -> np.ndarray:
    """Map positions in the box, shape (n, p), into the part of it that the scenario selects."""
    moved = np.array(targets, dtype=float)
    for k, axis in enumerate(box.axes):
        low, high = _PARTS[scenario].get(axis.name, (0.0, 1.0))
        moved[:, k] = low + (high - low) * moved[:, k]
    return moved


def near_expiry(surfaces: PricedSurfaces, days: float = NEAR_EXPIRY_DAYS) -> PricedSurfaces:
    """Return surfaces without maturities beyond `days`."""
    present = surfaces.present & (surfaces.maturity_years <= days / 365.0 + 1e-12)
    return replace(
        surfaces,
        present=present,
        price=np.where(present, surfaces.price, 0.0),
        half_spread=np.where(present, surfaces.half_spread, 0.0),
    )


def stressed_examples(
    name: str, scenario: Scenario, n: int, *, seed: int, tolerance: float = 1e-8
) -> Examples:
    """Return n surfaces of a model on the standard grid under a scenario."""
    box = Box.of(name)
    targets = stressed_targets(box, scenario, sobol_targets(len(box.axes), n, seed=seed))
    model = box.model(targets)
    price = SinhPricer(grid.grid_contracts(), tolerance).price(model).value
    surfaces = PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price)
    if scenario is Scenario.NEAR_EXPIRY:
        surfaces = near_expiry(surfaces)
    return Examples(surfaces, model, targets)

"""Models that a model is compared with, and their errors on several surfaces."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics import models
from levy_numerics.calibration import Comparison, compare_one
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_validation.setting import DatedQuotes, Setting
from levy_validation.simulation import two_listings

_RIVALS: Final = (
    "BlackScholes",
    "Merton",
    "VarianceGamma",
    "NIG",
    "CGMY",
    "NIGSato",
    "NIGAdditive",
)


@dataclass(frozen=True)
class Contest:
    """Fits of several models to several surfaces; models that could not be fitted are left out.

    Attributes
    ----------
    surfaces : tuple of str
    fits : mapping of str to tuple of Comparison
        By model, in the order of the surfaces.
    not_fitted : tuple of str
        A sentence for each model.
    """

    surfaces: tuple[str, ...]
    fits: dict[str, tuple[Comparison, ...]]
    not_fitted: tuple[str, ...]

    def losses(self) -> dict[str, np.ndarray]:
        """Return the out-of-sample errors of volatility in basis points, by model."""
        return {
            name: 1e4 * np.array([comparison.score for comparison in of_model])
            for name, of_model in self.fits.items()
        }


def rivals(model: type[Model]) -> tuple[type[Model], ...]:
    """Return the model itself, and the models that it is compared with."""
    return tuple(dict.fromkeys((model, *(models.get(name) for name in _RIVALS))))


def contest(
    surfaces: tuple[DatedQuotes, ...],
    competitors: tuple[type[Model], ...],
    progress: Callable[[int, int], None],
) -> Contest:
    """Fit every model to every surface, in and out of sample."""
    fits: dict[str, tuple[Comparison, ...]] = {}
    not_fitted: list[str] = []
    n_steps = len(competitors) * len(surfaces)
    done = 0
    for model in competitors:
        of_model = []
        for surface in surfaces:
            try:
                of_model.append(compare_one(model, surface.quotes))
            except LevyError as error:
                not_fitted.append(f"{model.name} on {surface.name}: {error.message}")
            done += 1
            progress(done, n_steps)
        if len(of_model) == len(surfaces):
            fits[model.name] = tuple(of_model)
    return Contest(tuple(s.name for s in surfaces), fits, tuple(not_fitted))


def market_surfaces(setting: Setting, fewest: int) -> tuple[tuple[DatedQuotes, ...], bool]:
    """Return the setting's surfaces, and whether there are as many as required.

    Otherwise they are replaced by simulated ones of Bates's model, which no competitor contains.
    """
    if len(setting.surfaces) >= fewest:
        return setting.surfaces, True
    simulated = (_bates(setting.seed, k) for k in range(fewest))
    return tuple(DatedQuotes(f"Bates {k}", quotes) for k, quotes in enumerate(simulated)), False


def _bates(seed: int, number: int) -> Quotes:
    return two_listings("Bates", 1000 * seed + number)[0]

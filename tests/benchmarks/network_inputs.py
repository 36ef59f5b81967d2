"""Comparison of network inputs: the same regression from several features and grids.

Ridge regression on random features needs no training and has no training noise; a map that it
cannot invert is hard for a small network too. Parameters are represented by their coordinates in
the model's ranges.
"""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from levy_numerics.pricing import SinhPricer
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.features import PRICE_FLOOR, log_vols
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box, model_names, sobol_targets
from tests.benchmarks.report import Section, Size

COLUMNS: Final = ("strikes", "features", "noise", "1 − R², worst", "1 − R², mean", "median error")
_SETS: Final = (12_288, 4_096)
_QUICK: Final = (512, 256)
_HIDDEN: Final = 1200
_RIDGE: Final = {False: 1e-7, True: 1e-4}
_NOISE: Final = (0.01, 1e-5)
"""Noise relative to the price, and to the forward."""

_YEARS: Final = grid.MATURITY_YEARS[:, None]
GRIDS: Final = {
    "fixed": np.tile(grid.LOG_STRIKES, (grid.SHAPE[0], 1)),
    "× T^⅓": _YEARS ** (1 / 3) * grid.LOG_STRIKES * 1.25,
    "× √T": np.sqrt(_YEARS) * grid.LOG_STRIKES * 1.15,
}
"""ln(K/F), shape (10, 20)."""

FEATURES: Final[dict[str, Callable[[PricedSurfaces], np.ndarray]]] = {
    "price": lambda s: s.price,
    "log price": lambda s: np.log(np.maximum(s.price, PRICE_FLOOR)),
    "total variance": lambda s: np.exp(2.0 * log_vols(s)) * s.maturity_years,
    "vol": lambda s: np.exp(log_vols(s)),
    "log vol": log_vols,
}


def run(size: Size) -> Iterator[Section]:
    """Yield one table per model: features on the standard grid, then other grids."""
    n_sets = _QUICK if size.quick else _SETS
    for name in model_names():
        section = Section(f"{name}: recovered from 200 prices by the same regression", COLUMNS)
        for strikes in GRIDS:
            examples = [_examples(name, strikes, n, seed) for seed, n in enumerate(n_sets, 1)]
            for features in FEATURES if strikes == "fixed" else ("log vol",):
                for noisy in (False, True):
                    _add(section, strikes, features, noisy, examples)
        yield section


def _examples(name: str, strikes: str, n: int, seed: int) -> tuple[PricedSurfaces, np.ndarray]:
    """Return surfaces, and the coordinates of their parameters in the box."""
    box = Box.of(name)
    targets = sobol_targets(len(box.axes), n, seed=seed)
    log_strike, years = GRIDS[strikes].ravel(), grid.flat_maturity_years()
    price = SinhPricer(grid.otm_contracts(log_strike, years), 1e-8).price(box.model(targets)).value
    return PricedSurfaces.of_grid(log_strike, years, price), targets


def _add(
    section: Section,
    strikes: str,
    features: str,
    noisy: bool,
    examples: list[tuple[PricedSurfaces, np.ndarray]],
) -> None:
    rng = np.random.default_rng(0)
    surfaces = [_noisy(s, rng) if noisy else s for s, _ in examples]
    (train, test), (known_, wanted) = map(FEATURES[features], surfaces), (t for _, t in examples)
    error = _regression(train, known_, _RIDGE[noisy])(test) - wanted
    unexplained = (error**2).mean(axis=0) / wanted.var(axis=0)
    section.add(
        strikes,
        features,
        "1% + 1e-5" if noisy else "",
        float(unexplained.max()),
        float(unexplained.mean()),
        float(np.median(np.abs(error))),
    )


def _noisy(surfaces: PricedSurfaces, rng: np.random.Generator) -> PricedSurfaces:
    relative, absolute = _NOISE
    factor = 1.0 + relative * rng.standard_normal(surfaces.price.shape)
    price = surfaces.price * factor + absolute * rng.standard_normal(surfaces.price.shape)
    return PricedSurfaces.of_grid(
        surfaces.log_strike[0], surfaces.maturity_years[0], np.maximum(price, 0.0)
    )


def _regression(
    features: np.ndarray, targets: np.ndarray, ridge: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit ridge regression on standardised features and tanh of random projections of them."""
    rng = np.random.default_rng(0)
    mean, deviation = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)
    directions = 1.5 / np.sqrt(mean.size) * rng.standard_normal((mean.size, _HIDDEN))
    offsets = 0.5 * rng.standard_normal(_HIDDEN)

    def lifted(x: np.ndarray) -> np.ndarray:
        scaled = (x - mean) / deviation
        return np.hstack([np.tanh(scaled @ directions + offsets), scaled, np.ones((len(x), 1))])

    design = lifted(features)
    normal = design.T @ design + ridge * len(design) * np.eye(design.shape[1])
    weights = np.linalg.solve(normal, design.T @ targets)
    return lambda x: np.asarray(lifted(x) @ weights)

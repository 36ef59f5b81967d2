"""Fixtures: artifacts of untrained networks, sufficient for serving."""

from pathlib import Path

import numpy as np
import pytest

from levy_calibration.networks import registry
from levy_calibration.registry.artifact import Artifact
from levy_calibration.training.examples import MOST_POINTS, shuffled
from levy_calibration.training.export import files_of
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.features import grid_features, point_features
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box, sobol_targets
from levy_surfaces.synthetic.scaling import StandardScaler

MODEL = "VarianceGamma"


@pytest.fixture(scope="session")
def surfaces() -> PricedSurfaces:
    """Return 70 exact surfaces on the grid."""
    box = Box.of(MODEL)
    price = SinhPricer(grid.grid_contracts(), 1e-8).price(
        box.model(sobol_targets(len(box.axes), 70, seed=8))
    )
    return PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price.value)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory, surfaces: PricedSurfaces) -> Path:
    """Create a registry with two multilayer perceptrons and a set network."""
    folder = tmp_path_factory.mktemp("registry")
    on_grid = grid_features(surfaces)
    points, _ = point_features(shuffled(surfaces, np.random.default_rng(0), MOST_POINTS))
    for name, seed, seen in (("mlp", 1, on_grid), ("cnn", 2, on_grid), ("set", 3, points)):
        architecture = registry.get(name)()
        built = architecture.build(len(Box.of(MODEL).axes), StandardScaler.fit(seen), seed)
        manifest = {"model": MODEL, "network": name, "reads": architecture.reads}
        Artifact.write(folder, manifest, files_of(built, [seen]))
    return folder

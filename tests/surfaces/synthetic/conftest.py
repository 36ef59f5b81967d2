"""Fixtures: small data sets, generated once."""

from pathlib import Path

import pytest

from levy_surfaces.synthetic.generation import generate
from levy_surfaces.synthetic.manifest import Plan

SIZE, CHUNK = 40, 16


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with a data set of three files in each layout."""
    root = tmp_path_factory.mktemp("data")
    for layout in ("grid", "scattered"):
        generate(Plan("VarianceGamma", SIZE, layout=layout, chunk=CHUNK), root)
    return root

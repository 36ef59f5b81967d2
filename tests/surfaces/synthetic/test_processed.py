import numpy as np
import pytest

from levy_numerics.errors import InvalidInputError
from levy_surfaces.synthetic.datasets import DataSet
from levy_surfaces.synthetic.features import grid_features, point_features
from levy_surfaces.synthetic.generation import generate
from levy_surfaces.synthetic.layouts import LAYOUTS
from levy_surfaces.synthetic.manifest import Plan
from levy_surfaces.synthetic.processed import read_processed


@pytest.mark.parametrize("layout", LAYOUTS)
def test_features_and_targets_read_back_are_those_of_the_prices(tmp_path, layout):
    generate(Plan("NIG", 10, layout=layout, chunk=5), tmp_path, features=True)
    features, present, targets = read_processed(tmp_path, "NIG", layout=layout)
    for k, part in enumerate(DataSet.open(tmp_path, "NIG", layout=layout).parts()):
        rows = slice(5 * k, 5 * k + 5)
        if layout == "grid":
            expected, there = grid_features(part.surfaces), part.surfaces.present
        else:
            expected, there = point_features(part.surfaces)
        width = there.shape[1]
        assert np.array_equal(features[rows, :width], expected)
        assert np.array_equal(present[rows, :width], there)
        assert targets[rows] == pytest.approx(part.targets, abs=1e-12)


def test_features_can_be_added_to_prices_that_are_there(tmp_path):
    plan = Plan("NIG", 6, chunk=4)
    generate(plan, tmp_path)
    with pytest.raises(InvalidInputError, match="does not contain a complete data set"):
        read_processed(tmp_path, "NIG")
    generate(plan, tmp_path, features=True)
    assert read_processed(tmp_path, "NIG")[0].shape == (6, 200)

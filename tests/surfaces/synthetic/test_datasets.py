import json

import numpy as np
import pytest

from levy_numerics.errors import InvalidInputError
from levy_surfaces.synthetic.datasets import DataSet, folds, holdout
from levy_surfaces.synthetic.generation import generate
from levy_surfaces.synthetic.manifest import MANIFEST, Plan
from levy_surfaces.synthetic.ranges import sobol_targets
from tests.surfaces.synthetic.conftest import SIZE


def test_targets_read_back_are_the_sequence_that_was_drawn(data):
    made = DataSet.open(data, "VarianceGamma")
    targets = np.concatenate([part.targets for part in made.parts()])
    assert made.size == SIZE == len(targets)
    assert targets == pytest.approx(sobol_targets(3, SIZE, seed=0), abs=1e-9)
    assert [len(part.targets) for part in made.parts()] == [16, 16, 8]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda text: "{", "is not a manifest"),
        (lambda text: text.replace('"size": 4', '"size": "4"'), "is not a manifest"),
        (lambda text: text.replace('"low": -', '"low": -1'), "generated with other ranges"),
        (lambda text: text.replace('"data_hash": "', '"data_hash": "0'), "data_hash does not"),
    ],
)
def test_manifests_that_do_not_fit_are_rejected(tmp_path, spoil, complaint):
    plan = Plan("NIG", 4)
    generate(plan, tmp_path)
    path = plan.folder(tmp_path) / MANIFEST
    path.write_text(spoil(path.read_text()))
    with pytest.raises(InvalidInputError, match=complaint):
        DataSet.open(tmp_path, "NIG")


def test_a_manifest_describes_how_the_data_were_generated(data):
    folder = DataSet.open(data, "VarianceGamma").folder
    document = json.loads((folder / MANIFEST).read_text())
    assert document["size"] == SIZE
    assert len(document["log_strikes"]) == 20
    assert len(document["files"]) == 3
    assert document["versions"]["numpy"] == np.__version__


def test_holdouts_and_folds_share_nothing_with_what_is_trained_on():
    for train, held in [holdout(101), *folds(101)]:
        assert not set(train) & set(held)
        assert len(train) + len(held) == 101
    assert holdout(101)[1].tolist() != holdout(101, seed=1)[1].tolist()

import numpy as np
import pyarrow.parquet as pq
import pytest

from levy_numerics.errors import InvalidInputError
from levy_numerics.pricing.reference import lewis
from levy_surfaces.synthetic.datasets import DataSet
from levy_surfaces.synthetic.executors import DaskExecutor, ProcessExecutor
from levy_surfaces.synthetic.generation import generate
from levy_surfaces.synthetic.grid import otm_contracts
from levy_surfaces.synthetic.layouts import LAYOUTS
from levy_surfaces.synthetic.manifest import MANIFEST, Plan
from levy_surfaces.synthetic.processed import read_processed
from tests.surfaces.synthetic.conftest import CHUNK, SIZE


class _Interrupted(Exception):
    pass


def _plan(layout="grid", **changes):
    return Plan(
        **({"model": "VarianceGamma", "size": SIZE, "layout": layout, "chunk": CHUNK} | changes)
    )


def _contents(plan, root):
    return {path.name: path.read_bytes() for path in plan.folder(root).glob("*.parquet")}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_written_prices_are_those_of_the_referee(data, layout):
    examples = next(DataSet.open(data, "VarianceGamma", layout=layout).parts())
    surfaces = examples.surfaces
    for k in (0, 7, 15):
        there = np.flatnonzero(surfaces.present[k])[::17]
        strikes = np.broadcast_to(surfaces.log_strike, surfaces.price.shape)[k, there]
        years = np.broadcast_to(surfaces.maturity_years, surfaces.price.shape)[k, there]
        exact = lewis.price(examples.model.select(k), otm_contracts(strikes, years))
        assert np.abs(surfaces.price[k, there] - exact.value).max() < 1e-8


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_interrupted_run_continues_to_the_same_bytes(data, tmp_path, layout):
    def interrupt(done, total):
        if done >= CHUNK:
            raise _Interrupted

    plan = _plan(layout)
    with pytest.raises(_Interrupted):
        generate(plan, tmp_path, progress=interrupt)
    assert len(_contents(plan, tmp_path)) == 1
    with pytest.raises(InvalidInputError, match="does not contain a complete data set"):
        DataSet.open(tmp_path, plan.model, layout=layout)
    seen = []
    generate(plan, tmp_path, progress=lambda done, total: seen.append(done))
    assert seen[0] == CHUNK
    assert _contents(plan, tmp_path) == _contents(plan, data)


def test_a_data_set_grows_without_making_again_what_is_there(data, tmp_path):
    small, large = _plan(size=CHUNK + 3), _plan()
    generate(small, tmp_path)
    first = small.folder(tmp_path) / small.chunk_name(0)
    written = first.stat().st_mtime_ns
    generate(large, tmp_path)
    assert first.stat().st_mtime_ns == written
    assert _contents(large, tmp_path) == _contents(large, data)


def test_data_of_another_plan_are_not_mixed_in(tmp_path):
    generate(_plan(size=4), tmp_path)
    with pytest.raises(InvalidInputError, match="other ranges, grid, tolerance"):
        generate(_plan(size=4, tolerance=1e-6), tmp_path)


def test_a_changed_file_is_noticed(tmp_path):
    plan = _plan(size=4)
    generate(plan, tmp_path)
    path = plan.folder(tmp_path) / plan.chunk_name(0)
    table = pq.read_table(path)
    pq.write_table(table, path)
    with pytest.raises(InvalidInputError, match="not the file that the manifest describes"):
        DataSet.open(tmp_path, plan.model)


@pytest.mark.parametrize("is_finished", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_part_in_the_place_of_another_is_rejected(tmp_path, layout, is_finished):
    # Two full parts of one plan have the same plan and number of surfaces.
    plan = _plan(layout, size=2 * CHUNK)
    generate(plan, tmp_path)
    first, second = (plan.folder(tmp_path) / plan.chunk_name(k) for k in (0, 1))
    second.write_bytes(first.read_bytes())
    complaint = "not the file that the manifest describes"
    if not is_finished:
        # An interrupted run has no manifest to compare with.
        (plan.folder(tmp_path) / MANIFEST).unlink()
        complaint = "does not contain surfaces from number 16 on"
    with pytest.raises(InvalidInputError, match=complaint):
        generate(plan, tmp_path)


def test_a_part_of_another_seed_is_rejected(tmp_path):
    ours, theirs = _plan(size=CHUNK), _plan(size=CHUNK, seed=5)
    for plan in (ours, theirs):
        generate(plan, tmp_path)
    (ours.folder(tmp_path) / MANIFEST).unlink()
    part = ours.folder(tmp_path) / ours.chunk_name(0)
    part.write_bytes((theirs.folder(tmp_path) / theirs.chunk_name(0)).read_bytes())
    with pytest.raises(InvalidInputError, match="chunks or seed"):
        generate(ours, tmp_path)


def test_a_swapped_part_of_features_is_rejected(tmp_path):
    plan = _plan(size=2 * CHUNK)
    generate(plan, tmp_path, features=True)
    folder = plan.folder(tmp_path, "processed")
    paths = [folder / "features" / plan.chunk_name(k) for k in (0, 1)]
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, reversed(contents), strict=True):
        path.write_bytes(content)
    with pytest.raises(InvalidInputError, match="not the file that the manifest describes"):
        generate(plan, tmp_path, features=True)
    with pytest.raises(InvalidInputError, match="not the file that the manifest describes"):
        read_processed(tmp_path, plan.model)
    (folder / MANIFEST).unlink()
    with pytest.raises(InvalidInputError, match="does not contain surfaces from number 0 on"):
        generate(plan, tmp_path, features=True)


def test_swapped_parts_are_rejected_when_read_without_hashes(tmp_path):
    plan = _plan(size=2 * CHUNK)
    generate(plan, tmp_path)
    first, second = (plan.folder(tmp_path) / plan.chunk_name(k) for k in (0, 1))
    first.write_bytes(second.read_bytes())
    data_set = DataSet.open(tmp_path, plan.model, verify=False)
    with pytest.raises(InvalidInputError, match="does not contain surfaces from number 0 on"):
        next(data_set.parts())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_seeds_and_layouts_give_other_surfaces(data, tmp_path, layout):
    generate(_plan(layout, seed=5), tmp_path)
    here = next(DataSet.open(tmp_path, "VarianceGamma", layout=layout, seed=5).parts())
    there = next(DataSet.open(data, "VarianceGamma", layout=layout).parts())
    assert not np.any(here.targets == there.targets)


@pytest.mark.parametrize("changes", [{"size": 0}, {"seed": -1}, {"chunk": 0}, {"layout": "round"}])
def test_plans_that_make_no_sense_are_rejected(changes):
    with pytest.raises(InvalidInputError):
        _plan(**changes).check()


@pytest.mark.system
@pytest.mark.parametrize(
    "executor", [ProcessExecutor(2), DaskExecutor("local", 2)], ids=["pool", "dask"]
)
def test_two_workers_write_the_bytes_of_one(data, tmp_path, executor):
    for layout in LAYOUTS:
        plan = _plan(layout)
        manifest = generate(plan, tmp_path, executor=executor)
        assert _contents(plan, tmp_path) == _contents(plan, data)
        assert (
            manifest.data_hash == DataSet.open(data, plan.model, layout=layout).manifest.data_hash
        )


def test_a_data_set_is_not_cut_down(tmp_path):
    generate(_plan(size=6), tmp_path)
    with pytest.raises(InvalidInputError, match="already contains 6 surfaces"):
        generate(_plan(size=5), tmp_path)


def test_an_incomplete_data_set_is_rejected(tmp_path):
    def interrupt(done, total):
        if done > CHUNK:
            raise _Interrupted

    generate(_plan(size=CHUNK), tmp_path)
    with pytest.raises(_Interrupted):
        generate(_plan(), tmp_path, progress=interrupt)
    with pytest.raises(InvalidInputError, match="does not contain a complete data set"):
        DataSet.open(tmp_path, "VarianceGamma")

"""Features and targets of a data set, in files under `data/processed`.

They are neither noisy nor standardised: noise is drawn at each epoch, and the scaling is fitted to
the training set, which is chosen later.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from levy_surfaces.synthetic.datasets import check_surfaces, flat, model_of, presence, surfaces_of
from levy_surfaces.synthetic.features import POINT_CHANNELS, grid_features, point_features
from levy_surfaces.synthetic.layouts import Layout
from levy_surfaces.synthetic.manifest import Manifest, Plan
from levy_surfaces.synthetic.ranges import Box


def feature_tables(plan: Plan, table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return features and targets of a table of prices.

    The first has `surface` and `features`, a list: 200 log volatilities on the grid, or five
    channels of each quote, one quote after the other. The second has `surface` and one column for
    each axis of the model's box.
    """
    surfaces = surfaces_of(table, plan)
    if plan.layout == "grid":
        found = grid_features(surfaces)
        lists = pa.FixedSizeListArray.from_arrays(found.ravel(), found.shape[1])
    else:
        points, present = point_features(surfaces)
        ends = np.cumsum(present.sum(axis=1)) * len(POINT_CHANNELS)
        offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
        lists = pa.ListArray.from_arrays(offsets, points[present].ravel())
    box = Box.of(plan.model)
    targets = box.targets(model_of(table, plan))
    columns = {axis.name: targets[:, k] for k, axis in enumerate(box.axes)}
    surface = table["surface"]
    return (
        pa.table({"surface": surface, "features": lists}),
        pa.table({"surface": surface, **columns}),
    )


def read_processed(
    root: str | Path, model: str, *, layout: Layout = "grid", seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, their mask and targets of a whole data set.

    Returns
    -------
    features : ndarray of float32, shape (n, 200) or (n, width, 5)
        On the grid, or for each quote and padded.
    present : ndarray of bool, shape (n, 200) or (n, width)
    targets : ndarray, shape (n, p)

    Raises
    ------
    InvalidInputError
        They do not exist, or a file differs from the manifest.
    """
    folder = Plan(model, 1, seed=seed, layout=layout).folder(root, "processed")
    manifest = Manifest.read(folder)
    manifest.verify(folder)
    names = [manifest.plan.chunk_name(k) for k in range(manifest.plan.n_chunks)]
    features, targets = (
        pa.concat_tables([pq.read_table(folder / kind / name) for name in names]).combine_chunks()
        for kind in ("features", "targets")
    )
    for table in (features, targets):
        check_surfaces(folder, table["surface"].to_numpy(), 0)
    values = flat(features, "features")
    columns = [axis.name for axis in Box.of(model).axes]
    wanted = np.stack([targets[name].to_numpy() for name in columns], axis=1)
    if layout == "grid":
        on_grid = values.reshape(features.num_rows, -1)
        return on_grid, np.ones(on_grid.shape, dtype=bool), wanted
    lengths = np.asarray(features["features"].combine_chunks().value_lengths())
    present = presence(lengths // len(POINT_CHANNELS))
    points = np.zeros((*present.shape, len(POINT_CHANNELS)), dtype=np.float32)
    points[present] = values.reshape(-1, len(POINT_CHANNELS))
    return points, present, wanted

"""Compute one chunk of a data set, independently of all others."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from levy_numerics.errors import InvalidInputError
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import layouts
from levy_surfaces.synthetic.datasets import check_surfaces
from levy_surfaces.synthetic.layouts import Block
from levy_surfaces.synthetic.manifest import Plan
from levy_surfaces.synthetic.processed import feature_tables
from levy_surfaces.synthetic.ranges import sobol_models

QUANTUM: Final = 2.0**-32
"""Prices are rounded to multiples of 2.3e-10: far below their tolerance, and compressible."""
_DIGEST: Final = b"levy.plan"


def files_of_chunk(plan: Plan, features: bool, number: int) -> dict[str, bytes]:
    """Return the files of one chunk, contents by path under the data folder.

    They depend only on the plan and on `number`; the paths are those of `paths_of_chunk`.
    """
    # The order of a sum, and so its last digit, may depend on the number of threads.
    with threadpool_limits(1):
        table = chunk_table(plan, *plan.chunk_range(number))
        tables = (table, *feature_tables(plan, table)) if features else (table,)
    paths = paths_of_chunk(plan, features, number)
    return {path: as_parquet(one, plan.digest) for path, one in zip(paths, tables, strict=True)}


def paths_of_chunk(plan: Plan, features: bool, number: int) -> list[str]:
    """Return the paths of a chunk under the data folder: prices, then features and targets."""
    name = plan.chunk_name(number)
    prices = plan.folder("") / name
    processed = plan.folder("", "processed")
    wanted = (prices, processed / "features" / name, processed / "targets" / name)
    return [path.as_posix() for path in (wanted if features else wanted[:1])]


def is_written(plan: Plan, path: Path, start: int, stop: int) -> bool:
    """Return whether a file exists and contains surfaces `start` … `stop − 1` of this plan.

    Raises
    ------
    InvalidInputError
        The file is damaged, or contains data of another plan or other surfaces of this one.
    """
    try:
        found = pq.read_metadata(path)
        surfaces = pq.read_table(path, columns=["surface"])["surface"].to_numpy()
    except FileNotFoundError:
        return False
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(f"{path} is damaged: {error}; delete it") from None
    if (found.metadata or {}).get(_DIGEST) != plan.digest.encode():
        raise InvalidInputError(
            f"{path.parent} holds data with other ranges, grid, tolerance, chunks or seed; "
            "delete it, or choose another folder or seed"
        )
    check_surfaces(path, surfaces, start)
    # The last chunk of a data set that has since grown is short.
    return bool(surfaces.size == stop - start)


def as_parquet(table: pa.Table, digest: str) -> bytes:
    """Return a table as a Parquet file that carries the digest of its plan."""
    floats = [
        field.name + (".list.element" if pa.types.is_nested(field.type) else "")
        for field in table.schema
        if field.type != pa.int64()
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({_DIGEST: digest.encode()}),
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        # Byte-stream split: exponents compress well, mantissas do not.
        use_byte_stream_split=floats,
    )
    return bytes(sink.getvalue())


def chunk_table(plan: Plan, start: int, stop: int) -> pa.Table:
    """Return surfaces `start` … `stop − 1` as a table.

    Columns: `surface` (place in the Sobol sequence), the model's parameters, and `price`, a list
    for each surface; a scattered layout adds `block`, `log_strike` and `maturity_years`.
    """
    model = sobol_models(plan.model, stop - start, seed=plan.seed, start=start)
    columns: dict[str, Any] = {"surface": np.arange(start, stop)}
    columns |= {name: np.asarray(value) for name, value in model.as_mapping().items()}
    parts = [
        (
            block,
            _prices(plan, model.select(np.arange(block.start - start, block.stop - start)), block),
        )
        for block in layouts.blocks(plan.layout, start, stop, seed=plan.seed)
    ]
    columns |= _COLUMNS[plan.layout](parts)
    return pa.table(columns)


def _prices(plan: Plan, model: Model, block: Block) -> np.ndarray:
    """Return rounded prices over the forward, shape (n_sets, n_contracts)."""
    # A new pricer for each block: tables cached from other blocks would change the last digits.
    found = SinhPricer(block.contracts, plan.tolerance).price(model)
    if not np.all(found.error <= plan.tolerance):
        raise InvalidInputError(
            f"error {np.nanmax(found.error):g} of prices of {plan.model} exceeds the tolerance "
            f"{plan.tolerance:g}"
        )
    return np.asarray(np.rint(found.value / QUANTUM) * QUANTUM)


def _grid_columns(parts: list[tuple[Block, np.ndarray]]) -> dict[str, Any]:
    prices = np.concatenate([found for _, found in parts])
    return {"price": pa.FixedSizeListArray.from_arrays(prices.ravel(), prices.shape[1])}


def _scattered_columns(parts: list[tuple[Block, np.ndarray]]) -> dict[str, Any]:
    sizes = [found.shape[0] for _, found in parts]
    widths = np.repeat([found.shape[1] for _, found in parts], sizes)
    offsets = pa.array(np.concatenate([[0], np.cumsum(widths)]).astype(np.int32))

    def lists(rows: list[np.ndarray]) -> pa.ListArray:
        return pa.ListArray.from_arrays(offsets, np.concatenate(rows))

    contracts = [block.contracts for block, _ in parts]
    return {
        "block": np.repeat([block.number for block, _ in parts], sizes),
        "log_strike": lists(
            [np.tile(-c.log_moneyness, n) for c, n in zip(contracts, sizes, strict=True)]
        ),
        "maturity_years": lists(
            [np.tile(c.maturity_years, n) for c, n in zip(contracts, sizes, strict=True)]
        ),
        "price": lists([found.ravel() for _, found in parts]),
    }


_COLUMNS: Final = {"grid": _grid_columns, "scattered": _scattered_columns}

"""One file of a data set: drawn, priced and written by itself, whoever does it and when."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from levy_numerics.errors import InvalidInputError
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import layouts
from levy_surfaces.synthetic.layouts import Block
from levy_surfaces.synthetic.manifest import Plan, write_atomically
from levy_surfaces.synthetic.ranges import sobol_models

QUANTUM: Final = 2.0**-32
"""Prices are written as multiples of 2.3e-10: far below their tolerance, and zeros compress."""
_DIGEST: Final = b"levy.plan"


def write_chunk(plan: Plan, root: str | Path, number: int) -> int:
    """Make one file, unless it is there already, and return the number of its surfaces.

    The file appears whole or not at all. What it holds depends on the plan and on `number` alone.
    """
    start, stop = plan.chunk_range(number)
    path = plan.folder(root) / plan.chunk_name(number)
    if not is_written(plan, root, number):
        table = chunk_table(plan, start, stop)
        sink = pa.BufferOutputStream()
        pq.write_table(
            table,
            sink,
            compression="zstd",
            compression_level=1,
            use_dictionary=False,
            use_byte_stream_split=_FLOATS[plan.layout],
        )
        write_atomically(path, sink.getvalue())
    return stop - start


def is_written(plan: Plan, root: str | Path, number: int) -> bool:
    """Whether a file is there, of this plan, and full.

    Raises
    ------
    InvalidInputError
        Data of another plan is in its place.
    """
    start, stop = plan.chunk_range(number)
    path = plan.folder(root) / plan.chunk_name(number)
    try:
        found = pq.read_metadata(path)
    except FileNotFoundError:
        return False
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(f"{path} is damaged: {error}; delete it") from None
    if (found.metadata or {}).get(_DIGEST) != plan.digest.encode():
        raise InvalidInputError(
            f"{path.parent} holds a data set with other ranges, grid, tolerance or chunks; "
            "delete it, or choose another folder or seed"
        )
    # The last chunk of a data set that has since grown is short.
    return bool(found.num_rows == stop - start)


def chunk_table(plan: Plan, start: int, stop: int) -> pa.Table:
    """Surfaces `start` … `stop − 1` as a table.

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
    return pa.table(columns).replace_schema_metadata({_DIGEST: plan.digest.encode()})


def _prices(plan: Plan, model: Model, block: Block) -> np.ndarray:
    """Prices over the forward, shape (n_sets, n_contracts), as they are written."""
    # A pricer of its own: tables kept from other blocks would change the last digits.
    found = SinhPricer(block.contracts, plan.tolerance).price(model)
    if not np.all(found.error <= plan.tolerance):
        raise InvalidInputError(
            f"prices of {plan.model} miss {plan.tolerance:g}: {np.nanmax(found.error):g}"
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
_FLOATS: Final[dict[str, list[str]]] = {
    "grid": ["price.list.element"],
    "scattered": ["price.list.element"],
}

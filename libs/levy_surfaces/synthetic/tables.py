"""Convert Arrow tables of a data set to arrays."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from levy_numerics.errors import InvalidInputError
from levy_numerics.models.base import Model
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.manifest import Plan
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box


def model_of(table: pa.Table, plan: Plan) -> Model:
    """Return the parameters of a table, fields of shape (n,)."""
    model_type = Box.of(plan.model).model_type
    names = [p.name for p in model_type.parameters()]
    return model_type(**{name: table[name].to_numpy() for name in names})


def surfaces_of(table: pa.Table, plan: Plan) -> PricedSurfaces:
    """Return the surfaces of a table of prices."""
    if plan.layout == "grid":
        price = flat(table, "price").reshape(table.num_rows, -1)
        return PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price)
    present = presence(np.asarray(table["price"].combine_chunks().value_lengths()))

    def padded(name: str, filling: float) -> np.ndarray:
        array = np.full(present.shape, filling)
        array[present] = flat(table, name)
        return array

    return PricedSurfaces(
        log_strike=padded("log_strike", 0.0),
        maturity_years=padded("maturity_years", 1.0),
        price=padded("price", 0.0),
        half_spread=np.zeros(present.shape),
        present=present,
    )


def presence(lengths: np.ndarray) -> np.ndarray:
    """Return the mask, shape (n, longest), of rows of those lengths."""
    return np.asarray(np.arange(lengths.max()) < lengths[:, None])


def flat(table: pa.Table, name: str) -> np.ndarray:
    """Return all values of a column of lists, concatenated."""
    return np.asarray(table[name].combine_chunks().flatten())


def check_surfaces(path: Path, surfaces: np.ndarray, start: int) -> None:
    """Raise `InvalidInputError` unless the surfaces of a file are numbered from `start` on."""
    if not np.array_equal(surfaces, np.arange(start, start + surfaces.size)):
        raise InvalidInputError(
            f"{path} does not contain surfaces from number {start} on: it is another part of the "
            "data set, or damaged; delete it and run levy dataset again"
        )

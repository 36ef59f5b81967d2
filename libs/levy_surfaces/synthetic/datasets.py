"""Read data sets: verification, splits, and arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from levy_numerics.errors import InvalidInputError
from levy_numerics.models.base import Model
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.layouts import Layout
from levy_surfaces.synthetic.manifest import Manifest, Plan
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box


@dataclass(frozen=True)
class Examples:
    """Surfaces and the parameters that generated them.

    Attributes
    ----------
    surfaces : PricedSurfaces
        n of them.
    model : Model
        Fields of shape (n,).
    targets : ndarray, shape (n, p)
        Positions in the model's box, in [0, 1].
    """

    surfaces: PricedSurfaces
    model: Model
    targets: np.ndarray


@dataclass(frozen=True)
class DataSet:
    """A finished data set on disk.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
    """

    folder: Path
    manifest: Manifest

    @classmethod
    def open(
        cls,
        root: str | Path,
        model: str,
        *,
        layout: Layout = "grid",
        seed: int = 0,
        verify: bool = True,
    ) -> Self:
        """Open the data set of a model, layout and seed under the data folder `root`.

        Raises
        ------
        InvalidInputError
            It does not exist or is incomplete, or (if `verify`) a file differs from the manifest.
        """
        folder = Plan(model, 1, seed=seed, layout=layout).folder(root)
        manifest = Manifest.read(folder)
        if verify:
            manifest.verify(folder)
        return cls(folder, manifest)

    @property
    def plan(self) -> Plan:
        """The plan that generated it."""
        return self.manifest.plan

    @property
    def box(self) -> Box:
        """The ranges of its parameters."""
        return Box.of(self.plan.model)

    @property
    def size(self) -> int:
        """Number of surfaces."""
        return self.plan.size

    def parts(self) -> Iterator[Examples]:
        """Yield the examples of one file after the other, to limit memory.

        Raises
        ------
        InvalidInputError
            A file contains other surfaces than its name implies.
        """
        for number in range(self.plan.n_chunks):
            path = self.folder / self.plan.chunk_name(number)
            table = pq.read_table(path)
            check_surfaces(path, table["surface"].to_numpy(), self.plan.chunk_range(number)[0])
            yield self._examples(table)

    def _examples(self, table: pa.Table) -> Examples:
        model = model_of(table, self.plan)
        targets = np.clip(self.box.targets(model), 0.0, 1.0)
        return Examples(surfaces_of(table, self.plan), model, targets)


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


def holdout(n: int, share: float = 0.2, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of a training set and of a held-out set.

    Examples
    --------
    >>> train, test = holdout(10)
    >>> len(train), len(test), len(set(train) | set(test))
    (8, 2, 10)
    """
    order = np.random.default_rng(seed).permutation(n)
    n_held = round(share * n)
    return np.sort(order[n_held:]), np.sort(order[:n_held])


def folds(n: int, n_folds: int = 5, *, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the indices (training, held out) of each fold; each example is held out once.

    Examples
    --------
    >>> sorted(int(i) for _, held in folds(7, 3) for i in held)
    [0, 1, 2, 3, 4, 5, 6]
    """
    pieces = np.array_split(np.random.default_rng(seed).permutation(n), n_folds)
    return [
        (np.sort(np.concatenate(pieces[:k] + pieces[k + 1 :])), np.sort(held))
        for k, held in enumerate(pieces)
    ]

"""Training examples: surfaces with random noise and gaps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np

from levy_schemas.networks import Reads
from levy_surfaces.synthetic.augmentation import SpreadNoise, random_subsets
from levy_surfaces.synthetic.datasets import DataSet
from levy_surfaces.synthetic.features import grid_features, point_features
from levy_surfaces.synthetic.layouts import Layout
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box

LAYOUTS_READ: Final[dict[Reads, tuple[Layout, ...]]] = {
    "grid": ("grid",),
    "points": ("grid", "scattered"),
}
MAX_POINTS: Final = 200
"""Maximum quotes of one surface in the input of a set network during training."""
_POINT_COUNTS: Final = (24, 24, 48, 48, 96, 96, MAX_POINTS)
_NOISE_RANGE: Final = (1e-4, 2e-2)
_P_SPREAD, _P_NOISE, _P_SUBSET = 0.3, 0.3, 0.5
"""Fractions of surfaces with spreads, with errors without spreads, and with missing quotes."""


@dataclass(frozen=True)
class Source:
    """Exact surfaces of one layout, with their unit parameters (positions in the box)."""

    surfaces: PricedSurfaces
    targets: np.ndarray

    @classmethod
    def of(cls, data: DataSet, most: int | None = None) -> Self:
        """Load a data set, or the first `most` of its surfaces."""
        parts, left = [], data.size if most is None else min(most, data.size)
        for examples in data.parts():
            if left <= 0:
                break
            parts.append((examples.surfaces.select(slice(left)), examples.targets[:left]))
            left -= len(examples.targets)
        targets = np.concatenate([values for _, values in parts]).astype(np.float32)
        return cls(_joined([surfaces for surfaces, _ in parts]), targets)

    @property
    def size(self) -> int:
        """Number of surfaces."""
        return len(self.targets)

    def select(self, which: np.ndarray) -> "Source":
        """Return a subset of the surfaces."""
        return Source(self.surfaces.select(which), self.targets[which])


@dataclass(frozen=True)
class Examples:
    """Features and unit parameters of surfaces, as a network reads them."""

    features: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class TrainingData:
    """The data sets of a training run.

    Attributes
    ----------
    box : Box
    sources : tuple of Source
        Surfaces of each layout.
    data_hash : mapping
        Hash of each layout's data set, and of others.
    """

    box: Box
    sources: tuple[Source, ...]
    data_hash: Mapping[str, str]

    @classmethod
    def open(
        cls, root: str | Path, model: str, reads: Reads, *, seed: int = 0, most: int | None = None
    ) -> Self:
        """Load the data sets for a network's input format, verified by their manifests."""
        sets = [
            DataSet.open(root, model, layout=layout, seed=seed) for layout in LAYOUTS_READ[reads]
        ]
        hashes: dict[str, str] = {d.plan.layout: d.manifest.data_hash for d in sets}
        return cls(Box.of(model), tuple(Source.of(data, most) for data in sets), hashes)


def make_examples(
    source: Source, reads: Reads, rng: np.random.Generator, *, exact: bool = False
) -> Examples:
    """Return the features of surfaces with random noise and gaps.

    Parameters
    ----------
    source : Source
    reads : {"grid", "points"}
    rng : numpy Generator
    exact : bool
        Use exact prices and all quotes.
    """
    surfaces = source.surfaces if exact else augmented(source.surfaces, reads, rng)
    if reads == "grid":
        return Examples(grid_features(surfaces), source.targets)
    points, _ = point_features(shuffled(surfaces, rng, MAX_POINTS))
    return Examples(points, source.targets)


def augmented(surfaces: PricedSurfaces, reads: Reads, rng: np.random.Generator) -> PricedSurfaces:
    """Return surfaces with noise and, for networks that read points, with gaps."""
    noisy = with_noise(surfaces, rng)
    return noisy if reads == "grid" else _with_gaps(noisy, rng)


def with_noise(surfaces: PricedSurfaces, rng: np.random.Generator) -> PricedSurfaces:
    """Return surfaces with mids in a spread, with errors without a spread, or exact, at random."""
    n = surfaces.n_surfaces
    spread = SpreadNoise()(surfaces, rng)
    low, high = _NOISE_RANGE
    deviation = low * (high / low) ** rng.random((n, 1))
    kind = rng.random((n, 1))
    in_spread, in_error = kind < _P_SPREAD, kind > 1.0 - _P_NOISE
    perturbed = surfaces.price * (1.0 + deviation * rng.standard_normal(surfaces.price.shape))
    price = np.where(in_spread, spread.price, np.where(in_error, perturbed, surfaces.price))
    half = np.where(in_spread, spread.half_spread, 0.0)
    return replace(surfaces, price=np.maximum(price, 0.0), half_spread=half)


def _with_gaps(surfaces: PricedSurfaces, rng: np.random.Generator) -> PricedSurfaces:
    cut = random_subsets(surfaces, rng)
    kept = rng.random((surfaces.n_surfaces, 1)) >= _P_SUBSET
    present = np.where(kept, surfaces.present, cut.present)
    return replace(
        surfaces,
        present=present,
        price=np.where(present, surfaces.price, 0.0),
        half_spread=np.where(present, surfaces.half_spread, 0.0),
    )


def shuffled(surfaces: PricedSurfaces, rng: np.random.Generator, width: int) -> PricedSurfaces:
    """Return at most `width` quotes of each surface in random order, missing ones last."""
    shape = surfaces.price.shape
    order = np.argsort(rng.random(shape, dtype=np.float32) + ~surfaces.present, axis=1)[:, :width]

    def taken(values: np.ndarray) -> np.ndarray:
        return np.take_along_axis(np.broadcast_to(values, shape), order, axis=1)

    return PricedSurfaces(
        taken(surfaces.log_strike),
        taken(surfaces.maturity_years),
        taken(surfaces.price),
        taken(surfaces.half_spread),
        taken(surfaces.present),
    )


def batches(
    data: Sequence[Examples], size: int, rng: np.random.Generator, replicas: int = 1
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield every surface once, in random order, in batches of about `size` of one source.

    A batch of points has the first few of each surface, which are in random order. Replicas get
    equal shares of a batch; a remainder is left to other epochs.
    """
    cuts = [
        (k, piece)
        for k, examples in enumerate(data)
        for piece in np.array_split(
            rng.permutation(len(examples.targets)), max(1, len(examples.targets) // size)
        )
    ]
    for i in rng.permutation(len(cuts)):
        k, piece = cuts[i]
        which = np.sort(piece[: len(piece) // replicas * replicas])
        features = data[k].features[which]
        if features.ndim == 3:
            features = features[:, : rng.choice(_POINT_COUNTS)]
        yield features, data[k].targets[which]


def _joined(parts: Sequence[PricedSurfaces]) -> PricedSurfaces:
    """Concatenate surfaces of several files, padded to the widest."""
    first = parts[0]
    if first.log_strike.shape[0] == 1 and first.width == parts[-1].width:
        return PricedSurfaces(
            first.log_strike,
            first.maturity_years,
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("price", "half_spread", "present")
            ),
        )
    width = max(part.width for part in parts)

    def padded(name: str, value: float) -> np.ndarray:
        return np.concatenate(
            [
                np.pad(
                    getattr(part, name),
                    ((0, 0), (0, width - part.width)),
                    constant_values=value,
                )
                for part in parts
            ]
        )

    return PricedSurfaces(
        padded("log_strike", 0.0),
        padded("maturity_years", 1.0),
        padded("price", 0.0),
        padded("half_spread", 0.0),
        padded("present", False),
    )

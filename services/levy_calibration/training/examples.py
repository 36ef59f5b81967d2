"""What a network is shown: surfaces with noise and gaps, drawn anew each round."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np

from levy_calibration.networks.architecture import Reads
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
MOST_POINTS: Final = 200
"""Quotes of one surface that a set network sees at a time in training."""
_FEWER_POINTS: Final = (24, 24, 48, 48, 96, 96, MOST_POINTS)
_RELATIVE: Final = (1e-4, 2e-2)
_SEE_SPREAD, _SEE_NOISE, _SEE_SUBSET = 0.3, 0.3, 0.5
"""Shares of surfaces with spreads, with errors that no spread tells, and with listings cut down."""


@dataclass(frozen=True)
class Source:
    """Exact surfaces of one layout, with their places in the box."""

    surfaces: PricedSurfaces
    targets: np.ndarray

    @classmethod
    def of(cls, data: DataSet, most: int | None = None) -> Self:
        """Read a data set, or the first `most` of its surfaces, into memory."""
        parts, left = [], data.size if most is None else min(most, data.size)
        for examples in data.parts():
            if left <= 0:
                break
            parts.append((examples.surfaces.select(slice(left)), examples.targets[:left]))
            left -= len(examples.targets)
        targets = np.concatenate([each for _, each in parts]).astype(np.float32)
        return cls(_joined([surfaces for surfaces, _ in parts]), targets)

    @property
    def size(self) -> int:
        """Number of surfaces."""
        return len(self.targets)

    def select(self, which: np.ndarray) -> "Source":
        """Some of the surfaces."""
        return Source(self.surfaces.select(which), self.targets[which])


@dataclass(frozen=True)
class Shown:
    """Features and places of many surfaces, as a network reads them."""

    features: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class TrainingData:
    """All that a training run needs of data sets on disk.

    Attributes
    ----------
    box : Box
    sources : tuple of Source
        One for each layout.
    data_hash : mapping
        Of each layout.
    """

    box: Box
    sources: tuple[Source, ...]
    data_hash: Mapping[Layout, str]

    @classmethod
    def open(
        cls, root: str | Path, model: str, reads: Reads, *, seed: int = 0, most: int | None = None
    ) -> Self:
        """Open what a network that reads this needs, checked against its manifest."""
        sets = [
            DataSet.open(root, model, layout=layout, seed=seed) for layout in LAYOUTS_READ[reads]
        ]
        hashes = {one.plan.layout: one.manifest.data_hash for one in sets}
        return cls(Box.of(model), tuple(Source.of(one, most) for one in sets), hashes)


def shown(source: Source, reads: Reads, rng: np.random.Generator, *, exact: bool = False) -> Shown:
    """Draw noise and gaps, and make features.

    Parameters
    ----------
    source : Source
    reads : {"grid", "points"}
    rng : numpy Generator
    exact : bool
        Leave prices and listings as they are.
    """
    surfaces = source.surfaces if exact else as_seen(source.surfaces, reads, rng)
    if reads == "grid":
        return Shown(grid_features(surfaces), source.targets)
    points, _ = point_features(shuffled(surfaces, rng, MOST_POINTS))
    return Shown(points, source.targets)


def as_seen(surfaces: PricedSurfaces, reads: Reads, rng: np.random.Generator) -> PricedSurfaces:
    """Surfaces with noise, and for those who read any quotes with gaps."""
    noisy = with_noise(surfaces, rng)
    return noisy if reads == "grid" else _with_gaps(noisy, rng)


def with_noise(surfaces: PricedSurfaces, rng: np.random.Generator) -> PricedSurfaces:
    """Exact prices for some, mids in a spread for others, errors that nothing tells for more."""
    n = surfaces.n_surfaces
    spread = SpreadNoise()(surfaces, rng)
    low, high = _RELATIVE
    deviation = low * (high / low) ** rng.random((n, 1))
    kind = rng.random((n, 1))
    in_spread, in_error = kind < _SEE_SPREAD, kind > 1.0 - _SEE_NOISE
    erring = surfaces.price * (1.0 + deviation * rng.standard_normal(surfaces.price.shape))
    price = np.where(in_spread, spread.price, np.where(in_error, erring, surfaces.price))
    half = np.where(in_spread, spread.half_spread, 0.0)
    return replace(surfaces, price=np.maximum(price, 0.0), half_spread=half)


def _with_gaps(surfaces: PricedSurfaces, rng: np.random.Generator) -> PricedSurfaces:
    cut = random_subsets(surfaces, rng)
    kept = rng.random((surfaces.n_surfaces, 1)) >= _SEE_SUBSET
    present = np.where(kept, surfaces.present, cut.present)
    return replace(
        surfaces,
        present=present,
        price=np.where(present, surfaces.price, 0.0),
        half_spread=np.where(present, surfaces.half_spread, 0.0),
    )


def shuffled(surfaces: PricedSurfaces, rng: np.random.Generator, width: int) -> PricedSurfaces:
    """Quotes in random order, those that are missing last, and no more than `width` of them."""
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
    data: Sequence[Shown], size: int, rng: np.random.Generator, replicas: int = 1
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every surface once, in random order, `size` of one source at a time.

    Of points, each batch sees the first few: they are in random order already. Where replicas share
    a batch, each has as many; the few that cannot be shared are left to other epochs.
    """
    cuts = [
        (k, piece)
        for k, one in enumerate(data)
        for piece in np.array_split(
            rng.permutation(len(one.targets)), max(1, len(one.targets) // size)
        )
    ]
    for place in rng.permutation(len(cuts)):
        k, piece = cuts[place]
        which = np.sort(piece[: len(piece) // replicas * replicas])
        features = data[k].features[which]
        if features.ndim == 3:
            features = features[:, : rng.choice(_FEWER_POINTS)]
        yield features, data[k].targets[which]


def _joined(parts: Sequence[PricedSurfaces]) -> PricedSurfaces:
    """Surfaces of several files, padded to the widest."""
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

    def padded(name: str, filling: float) -> np.ndarray:
        return np.concatenate(
            [
                np.pad(
                    getattr(part, name),
                    ((0, 0), (0, width - part.width)),
                    constant_values=filling,
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

"""What markets do to exact prices: spreads, gaps, listings of their own.

All take a generator and return new surfaces; none changes what it is given. Networks learn from
exact prices and from these, drawn anew at each epoch.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from levy_surfaces.synthetic.priced import PricedSurfaces

FEWEST: Final = 5
"""Quotes that every surface keeps."""


@dataclass(frozen=True)
class SpreadNoise:
    """Half-spreads as on listed index options, and mids anywhere inside them.

    A surface draws its own half-spread, `relative`·c + `absolute`, log-uniformly; its mids then err
    by a normal fraction of it, a third of the half-spread in deviation and never beyond it.

    Attributes
    ----------
    relative : tuple of float
        Of the price: 0.3% for liquid, 5% for illiquid options.
    absolute : tuple of float
        Of the forward: a tick of 0.05 on an index at 3,000 is 1.7e-5.
    """

    relative: tuple[float, float] = (0.003, 0.05)
    absolute: tuple[float, float] = (2e-6, 2e-4)

    def __call__(self, surfaces: PricedSurfaces, rng: np.random.Generator) -> PricedSurfaces:
        """Surfaces with noisy prices, and the half-spreads that they were drawn in."""
        n = surfaces.n_surfaces
        relative, absolute = (
            low * (high / low) ** rng.random((n, 1)) for low, high in (self.relative, self.absolute)
        )
        half = np.where(surfaces.present, relative * surfaces.price + absolute, 0.0)
        share = np.clip(rng.standard_normal(half.shape) / 3.0, -1.0, 1.0)
        noisy = np.maximum(surfaces.price + half * share, 0.0)
        return replace(surfaces, price=noisy, half_spread=half)


def with_relative_noise(
    surfaces: PricedSurfaces, deviation: float, rng: np.random.Generator
) -> PricedSurfaces:
    """Prices times 1 + a normal error of that deviation: the 1% of robustness tables."""
    factor = 1.0 + deviation * rng.standard_normal(surfaces.price.shape)
    return replace(surfaces, price=np.maximum(surfaces.price * factor, 0.0))


def without(surfaces: PricedSurfaces, share: float, rng: np.random.Generator) -> PricedSurfaces:
    """Surfaces of which that share of the quotes is missing, here and there.

    Each keeps its number of quotes less the share, rounded, and at least `FEWEST`.
    """
    counts = surfaces.present.sum(axis=1)
    return _keeping(surfaces, np.rint((1.0 - share) * counts).astype(int), rng)


def random_subsets(
    surfaces: PricedSurfaces, rng: np.random.Generator, *, fewest: int = 2 * FEWEST
) -> PricedSurfaces:
    """Surfaces cut down to listings of their own.

    Each keeps a random set of its maturities, a random window of moneyness, and of what is left a
    random number of quotes; whoever would be left with less than `fewest` keeps that many anyway.
    """
    n, width = surfaces.price.shape
    years = np.broadcast_to(surfaces.maturity_years, (n, width))
    strikes = np.broadcast_to(surfaces.log_strike, (n, width))
    wanted = _some_maturities(years, rng) & _some_strikes(strikes, surfaces.present, rng)
    counts = (surfaces.present & wanted).sum(axis=1)
    kept = np.ceil(counts * rng.uniform(0.3, 1.0, n)).astype(int)
    return _keeping(surfaces, np.maximum(kept, fewest), rng, preferred=wanted)


def _some_maturities(years: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which quotes expire at a maturity that is kept: half of the surfaces keep all."""
    n = years.shape[0]
    order = np.argsort(years, axis=1)
    ascending = np.take_along_axis(years, order, axis=1)
    is_new = np.diff(ascending, axis=1, prepend=ascending[:, :1]) > 0.0
    number = np.empty(years.shape, dtype=int)
    np.put_along_axis(number, order, np.cumsum(is_new, axis=1), axis=1)
    share = np.where(rng.random(n) < 0.5, 1.0, rng.random(n))
    kept = rng.random((n, int(number.max()) + 1)) < share[:, None]
    return np.asarray(np.take_along_axis(kept, number, axis=1))


def _some_strikes(strikes: np.ndarray, present: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which quotes lie in a window that always holds the money."""
    n = strikes.shape[0]
    low = np.where(present, strikes, 0.0).min(axis=1) * rng.uniform(0.3, 1.0, n)
    high = np.where(present, strikes, 0.0).max(axis=1) * rng.uniform(0.3, 1.0, n)
    return np.asarray((strikes >= low[:, None]) & (strikes <= high[:, None]))


def _keeping(
    surfaces: PricedSurfaces,
    counts: np.ndarray,
    rng: np.random.Generator,
    preferred: np.ndarray | None = None,
) -> PricedSurfaces:
    """Keep so many quotes of each surface, drawn at random, preferred ones first."""
    order = rng.random(surfaces.price.shape)
    if preferred is not None:
        order = order + ~preferred
    order = np.where(surfaces.present, order, np.inf)
    rank = np.argsort(np.argsort(order, axis=1), axis=1)
    present = surfaces.present & (rank < np.maximum(counts, FEWEST)[:, None])
    return replace(
        surfaces,
        present=present,
        price=np.where(present, surfaces.price, 0.0),
        half_spread=np.where(present, surfaces.half_spread, 0.0),
    )

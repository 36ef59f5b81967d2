"""Data augmentation: bid-ask noise, missing quotes and irregular listings.

Each function takes a random generator and returns new surfaces. Networks are trained on exact
prices and on augmented ones, which are drawn again at each epoch.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from levy_surfaces.synthetic.priced import PricedSurfaces

MIN_QUOTES: Final = 5
"""Least number of quotes of a surface."""


@dataclass(frozen=True)
class SpreadNoise:
    """Add bid-ask noise as in listed index options.

    Each surface has a half-spread `relative`·c + `absolute`, with log-uniform coefficients. The
    error of a mid is normal, with a third of the half-spread as its standard deviation, and cut at
    the half-spread.

    Attributes
    ----------
    relative : tuple of float
        Range, as a fraction of the price: 0.3% for liquid, 5% for illiquid options.
    absolute : tuple of float
        Range, as a fraction of the forward: a tick of 0.05 on an index at 3,000 is 1.7e-5.
    """

    relative: tuple[float, float] = (0.003, 0.05)
    absolute: tuple[float, float] = (2e-6, 2e-4)

    def __call__(self, surfaces: PricedSurfaces, rng: np.random.Generator) -> PricedSurfaces:
        """Return surfaces with noisy prices and their half-spreads."""
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
    """Return prices times 1 + ε, ε normal with that standard deviation."""
    factor = 1.0 + deviation * rng.standard_normal(surfaces.price.shape)
    return replace(surfaces, price=np.maximum(surfaces.price * factor, 0.0))


def drop_quotes(surfaces: PricedSurfaces, share: float, rng: np.random.Generator) -> PricedSurfaces:
    """Return surfaces without a random share of their quotes; at least `MIN_QUOTES` are kept."""
    counts = surfaces.present.sum(axis=1)
    return _keep_random(surfaces, np.rint((1.0 - share) * counts).astype(int), rng)


def random_subsets(
    surfaces: PricedSurfaces, rng: np.random.Generator, *, fewest: int = 2 * MIN_QUOTES
) -> PricedSurfaces:
    """Return surfaces reduced to random listings.

    Each keeps a random set of its maturities, a random window of moneyness, and a random number of
    the remaining quotes, at least `fewest`.
    """
    n, width = surfaces.price.shape
    years = np.broadcast_to(surfaces.maturity_years, (n, width))
    strikes = np.broadcast_to(surfaces.log_strike, (n, width))
    wanted = _some_maturities(years, rng) & _some_strikes(strikes, surfaces.present, rng)
    counts = (surfaces.present & wanted).sum(axis=1)
    kept = np.ceil(counts * rng.uniform(0.3, 1.0, n)).astype(int)
    return _keep_random(surfaces, np.maximum(kept, fewest), rng, preferred=wanted)


def _some_maturities(years: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a mask of the quotes at maturities that are kept; half of the surfaces keep all."""
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
    """Return a mask of the quotes in a random window of strikes around the forward."""
    n = strikes.shape[0]
    low = np.where(present, strikes, 0.0).min(axis=1) * rng.uniform(0.3, 1.0, n)
    high = np.where(present, strikes, 0.0).max(axis=1) * rng.uniform(0.3, 1.0, n)
    return np.asarray((strikes >= low[:, None]) & (strikes <= high[:, None]))


def _keep_random(
    surfaces: PricedSurfaces,
    counts: np.ndarray,
    rng: np.random.Generator,
    preferred: np.ndarray | None = None,
) -> PricedSurfaces:
    """Return surfaces with `counts` random quotes each, preferred ones first."""
    order = rng.random(surfaces.price.shape)
    if preferred is not None:
        order = order + ~preferred
    order = np.where(surfaces.present, order, np.inf)
    rank = np.argsort(np.argsort(order, axis=1), axis=1)
    present = surfaces.present & (rank < np.maximum(counts, MIN_QUOTES)[:, None])
    return replace(
        surfaces,
        present=present,
        price=np.where(present, surfaces.price, 0.0),
        half_spread=np.where(present, surfaces.half_spread, 0.0),
    )

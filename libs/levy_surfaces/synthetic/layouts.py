"""Layouts of the options in a data set: the standard grid, or irregular listings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from levy_numerics.market import Contracts
from levy_surfaces.synthetic.grid import grid_contracts, otm_contracts

Layout = Literal["grid", "scattered"]
LAYOUTS: Final[tuple[Layout, ...]] = ("grid", "scattered")

BLOCK: Final = 128
"""Surfaces of a scattered data set that share a listing."""

_EXPIRIES: Final = (3, 12)
"""Range of the number of expiries of a listing."""
_STRIKES: Final = (5, 40)
"""Range of the number of strikes of an expiry."""
MATURITY_YEARS: Final = (4.0 / 365.0, 3.0)
"""Range of maturities of a scattered data set."""
_LISTED_VOL: Final = (0.08, 0.6)
"""Volatility that sets the range of listed strikes; not that of the model."""
_DEVIATIONS_DOWN: Final = (1.5, 4.5)
"""Lowest strike, in standard deviations below the forward."""
_DEVIATIONS_UP: Final = (1.0, 3.0)
"""Highest strike, in standard deviations above the forward."""
_LOG_STRIKE: Final = (-1.6, 0.9)
"""K/F from 0.2 to 2.5; few options are listed beyond."""


@dataclass(frozen=True)
class Block:
    """Consecutive surfaces that share a listing.

    Attributes
    ----------
    number : int
        Number of the listing.
    start, stop : int
        Range of the surfaces in the Sobol sequence.
    contracts : Contracts
        Out-of-the-money options in forward units.
    """

    number: int
    start: int
    stop: int
    contracts: Contracts


def blocks(layout: Layout, start: int, stop: int, *, seed: int) -> Iterator[Block]:
    """Yield blocks that cover surfaces `start` … `stop − 1`, independent of the range's limits."""
    return _BLOCKS[layout](start, stop, seed)


def _grid_blocks(start: int, stop: int, seed: int) -> Iterator[Block]:
    yield Block(0, start, stop, grid_contracts())


def _scattered_blocks(start: int, stop: int, seed: int) -> Iterator[Block]:
    for number in range(start // BLOCK, -(-stop // BLOCK)):
        first, last = number * BLOCK, (number + 1) * BLOCK
        yield Block(number, max(first, start), min(last, stop), listing(seed, number))


_BLOCKS: Final[dict[Layout, Callable[[int, int, int], Iterator[Block]]]] = {
    "grid": _grid_blocks,
    "scattered": _scattered_blocks,
}


def listing(seed: int, number: int) -> Contracts:
    """Draw a listing: 3 to 12 expiries of 5 to 40 strikes each.

    Strikes of an expiry are evenly spaced, as exchanges list them, over a range that widens with
    the root of time; maturities are log-uniform from 4 days to 3 years.
    """
    rng = np.random.default_rng([seed, number])
    n_expiries = rng.integers(*_EXPIRIES, endpoint=True)
    maturities = np.sort(_log_uniform(rng, MATURITY_YEARS, int(n_expiries)))
    vol = _log_uniform(rng, _LISTED_VOL, 1)[0]
    strikes = [_strikes(rng, vol * np.sqrt(years)) for years in maturities]
    sizes = [row.size for row in strikes]
    return otm_contracts(np.concatenate(strikes), np.repeat(maturities, sizes))


def _log_uniform(rng: np.random.Generator, between: tuple[float, float], n: int) -> np.ndarray:
    low, high = between
    return np.asarray(low * (high / low) ** rng.random(n))


def _strikes(rng: np.random.Generator, deviation: float) -> np.ndarray:
    """Return ln(K/F) of one expiry."""
    low = max(-rng.uniform(*_DEVIATIONS_DOWN) * deviation, _LOG_STRIKE[0])
    high = min(rng.uniform(*_DEVIATIONS_UP) * deviation, _LOG_STRIKE[1])
    n = rng.integers(*_STRIKES, endpoint=True)
    return np.asarray(np.log(np.linspace(np.exp(low), np.exp(high), n)))

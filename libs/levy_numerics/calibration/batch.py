"""Calibrate many surfaces, each from an initial guess that is probably good.

Every surface is fitted as a single one would be (`local_fit.solve_from`), in threads: compiled code
runs without the interpreter lock. Surfaces with the same maturities and strikes relative to the
forward share tables of phase factors.
"""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.calibration.local_fit import LocalSolution, solve_from
from levy_numerics.calibration.objective import TOLERANCE, Objective
from levy_numerics.errors import InvalidInputError, OutsideStripError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer

# Initial guesses priced to find the tables that a listing needs.
_SAMPLE: Final = 8
# Surfaces handed to a thread at a time: handing over one takes as long as a tenth of a fit.
_BLOCK: Final = 16


@dataclass(frozen=True)
class BatchResult:
    """Fits of many surfaces.

    Attributes
    ----------
    model : Model
        Fields of shape (n_sets,).
    coordinates : ndarray, shape (n_coordinates, n_sets)
    cost : ndarray, shape (n_sets,)
        Half the sum of squared weighted errors.
    converged : ndarray of bool, shape (n_sets,)
        Inside the search box or on its boundary.
    n_evaluations : ndarray of int, shape (n_sets,)
    start_accepted : ndarray of bool, shape (n_sets,)
        Whether the initial guess led to the best fit found.
    """

    model: Model
    coordinates: np.ndarray
    cost: np.ndarray
    converged: np.ndarray
    n_evaluations: np.ndarray
    start_accepted: np.ndarray


def calibrate_batch(
    surfaces: Sequence[Quotes], starts: Model, *, weights: str | None = None, threads: int = 1
) -> BatchResult:
    """Fit each surface from its initial guess, and from other ones where that fit is not close.

    Parameters
    ----------
    surfaces : sequence of Quotes
    starts : Model
        Fields of shape (n_sets,).
    weights : {"price", "vega", "bid_ask"}, optional
        As in `calibrate`.
    threads : int
        Surfaces fitted at the same time.

    Raises
    ------
    InvalidInputError
        There are no surfaces, or not as many as starts; or one has too few quotes.
    """
    z = np.asarray(starts.to_coordinates(), dtype=float)
    if not surfaces or z.shape[1:] != (len(surfaces),):
        raise InvalidInputError(
            f"{len(surfaces)} surfaces and initial guesses of shape {z.shape[1:]}: "
            "one guess per surface is required"
        )
    model = type(starts)
    pricers = pricers_with_shared_tables(surfaces, starts)

    def solve(block: range) -> list[LocalSolution]:
        # Objectives first: alternating with fits, each step would find its code out of the cache.
        objectives = [Objective.of(surfaces[k], weights, pricers[k]) for k in block]
        for objective in objectives:
            objective.problem(model)
        return [
            solve_from(model, objective, z[:, k])
            for k, objective in zip(block, objectives, strict=True)
        ]

    blocks = [range(len(surfaces))[k : k + _BLOCK] for k in range(0, len(surfaces), _BLOCK)]
    with ThreadPoolExecutor(threads) as pool:
        solutions = [solution for block in pool.map(solve, blocks) for solution in block]
    coordinates = np.stack([solution.best.point for solution in solutions], axis=1)
    return BatchResult(
        model.from_coordinates(coordinates),
        coordinates,
        np.array([solution.best.cost for solution in solutions]),
        np.array([solution.best.status in ("converged", "at_bound") for solution in solutions]),
        np.array([solution.n_evaluations for solution in solutions]),
        np.array([solution.start_accepted for solution in solutions]),
    )


def pricers_with_shared_tables(surfaces: Sequence[Quotes], starts: Model) -> list[SinhPricer]:
    """Return a pricer for each surface; those of one listing share tables of phase factors.

    Parameters
    ----------
    surfaces : sequence of Quotes
    starts : Model
        Fields of shape (n_sets,): the initial guess of each surface. Some guesses of each listing
        decide which tables are computed; a fit adds those that it needs beyond.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    for k, quotes in enumerate(surfaces):
        groups[_listing(quotes)].append(k)
    pricers: dict[int, SinhPricer] = {}
    for members in groups.values():
        shared = SinhPricer(surfaces[members[0]].contracts, TOLERANCE, is_repeated=True)
        # Guesses without a forward leave no tables.
        with suppress(OutsideStripError):
            shared.price(starts.select(members[:_SAMPLE]))
        pricers |= {k: shared.for_contracts(surfaces[k].contracts) for k in members}
    return [pricers[k] for k in range(len(surfaces))]


def _listing(quotes: Quotes) -> bytes:
    """Return a key that surfaces share whose maturities and ln(F/K) agree to rounding."""
    c = quotes.contracts
    return bytes((np.round(np.stack([c.maturity_years, c.log_moneyness]), 12) + 0.0).tobytes())

"""Initial guesses of least squares: a few parameter sets of the right variance, best first."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from levy_numerics.calibration.objective import Objective
from levy_numerics.calibration.weights import atm_vol_estimate
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.parameters import Parameter
from levy_numerics.pricing.sinh import SinhPricer

# Candidates are compared, not fitted: rough prices of a few contracts suffice.
_SCREENING_TOLERANCE: Final = 1e-4
_SCREENING_MATURITIES: Final = 4
_SCREENING_STRIKES: Final = 8
_LEAST_CANDIDATES: Final = 16
_TINY: Final = 1e-12


def initial_guesses(
    model: type[Model], objective: Objective, *, n_starts: int, seed: int
) -> list[np.ndarray]:
    """Return `n_starts` good candidates far apart, in coordinates, best first.

    Candidates are the model's example and scrambled Sobol points of its typical ranges, all
    moved to the variance that the quotes near the money imply; their rough prices, at a few
    maturities and strikes, cost one batch.
    """
    variance = atm_vol_estimate(objective.quotes) ** 2
    candidates = _candidates(model, max(_LEAST_CANDIDATES, 2 * n_starts), seed).copy()
    candidates[0] = np.log(variance)
    few = spread_over(objective.quotes.contracts, _SCREENING_MATURITIES, _SCREENING_STRIKES)
    pricer = SinhPricer(objective.quotes.contracts.select(few), _SCREENING_TOLERANCE)
    prices = pricer.price(model.from_coordinates(candidates), refine=False).value
    cost = np.sum(objective.weighting.select(few).residuals(prices) ** 2, axis=-1)
    order = np.argsort(np.nan_to_num(cost, nan=np.inf), kind="stable")
    return [candidates[:, k] for k in _farthest_points(candidates, order, n_starts)]


def spread_over(contracts: Contracts, n_maturities: int, n_strikes: int) -> np.ndarray:
    """Return indices of contracts spread evenly over maturities, and over strikes of each."""
    years, group = np.unique(contracts.maturity_years, return_inverse=True)
    chosen = []
    for k in _evenly(years.size, n_maturities):
        members = np.flatnonzero(group == k)
        members = members[np.argsort(contracts.log_moneyness[members], kind="stable")]
        chosen.append(members[_evenly(members.size, n_strikes)])
    return np.concatenate(chosen)


def _evenly(n: int, most: int) -> np.ndarray:
    """Return up to `most` of the indices 0 to n − 1, including both ends."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(int)


def _farthest_points(candidates: np.ndarray, order: np.ndarray, n: int) -> list[int]:
    """Return the best candidate, then candidates of the better half farthest from those taken.

    Close candidates lead to the same local minimum; agreement of distant ones is evidence.
    """
    pool = order[: max(n, order.size // 2)]
    spread = (candidates / np.maximum(candidates.std(axis=1, keepdims=True), _TINY))[:, pool]
    taken = [0]
    gap = np.full(pool.size, np.inf)
    while len(taken) < min(n, pool.size):
        gap = np.minimum(gap, np.linalg.norm(spread - spread[:, taken[-1], None], axis=0))
        taken.append(int(gap.argmax()))
    return [int(pool[k]) for k in taken]


@lru_cache(maxsize=64)
def _candidates(model: type[Model], n: int, seed: int) -> np.ndarray:
    """Coordinates of the example and n − 1 typical sets, shape (n_coordinates, n)."""
    from scipy.stats import qmc  # Half a second to import: only those who need starts pay.

    example = np.asarray(model.example().to_coordinates(), dtype=float)
    accepted = [example]
    sampler = qmc.Sobol(len(model.parameters()), rng=np.random.default_rng(seed))
    low, high = (np.array(end) for end in model.coordinate_bounds())
    while len(accepted) < n:
        for point in sampler.random(_next_power_of_two(n)):
            values = _plausible(model.parameters(), point)
            with np.errstate(all="ignore"):
                z = np.asarray(model(**values).to_coordinates(), dtype=float)
            if np.all((z >= low) & (z <= high)):
                accepted.append(z)
    return np.stack(accepted[:n], axis=1)


def _plausible(parameters: Sequence[Parameter], point: np.ndarray) -> dict[str, float]:
    """Return values at a point of the unit cube: log-uniform where the range is positive."""
    values = {}
    for p, share in zip(parameters, point, strict=True):
        low, high = p.typical_range
        log_uniform = low > 0
        values[p.name] = float(
            low * (high / low) ** share if log_uniform else low + (high - low) * share
        )
    return values


def _next_power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()

"""Thousands of surfaces at once, each from a start that is probably good.

Surfaces with one listing in forward terms share tables, and their least squares advance in step:
one pricing with its Jacobian for all that have not arrived. What does not arrive, or arrives at a
poor fit, is fitted alone, as any single surface is.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from levy_numerics.calibration.polish import polish
from levy_numerics.calibration.solvers.levenberg_marquardt import NEGLIGIBLE_GAIN
from levy_numerics.calibration.weights import error_scale
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.factors import BY_PARAMETER
from levy_numerics.pricing.sinh import SinhPricer
from levy_numerics.pricing.sinh_sums import Covered, SinhTable, covered

_TOLERANCE: Final = 1e-9
"""Of prices, as a share of the forward: as in the fit of one surface."""
_AMISS: Final = 100.0
"""Tolerances by which prices may miss on a table that was made for the starts."""
_POOR_FIT: Final = 1e-3
"""Root-mean-square error, as a share of the forward, that asks for several starts."""
_TABLE_SETS: Final = 128
_BLOCK_SETS: Final = 24
"""Priced at a time, so that what they need stays in the cache."""
_MOST_STEPS: Final = 16
_FIRST_DAMPING: Final = 1e-8
_LEAST_DAMPING: Final = 1e-15
_STEP_TOLERANCE: Final = 1e-9
_GAIN_TOLERANCE: Final = 1e-12
_WITHIN_NOISE: Final = 1e-8
_LONGEST_STEP: Final = 2.0
_LINEAR: Final = ("price", "bid_ask")


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
        In the box or on its edge.
    n_evaluations : ndarray of int, shape (n_sets,)
    alone : ndarray of bool, shape (n_sets,)
        Which were fitted one by one in the end.
    """

    model: Model
    coordinates: np.ndarray
    cost: np.ndarray
    converged: np.ndarray
    n_evaluations: np.ndarray
    alone: np.ndarray


def calibrate_batch(
    surfaces: Sequence[Quotes], starts: Model, *, weights: str = "price", threads: int = 1
) -> BatchResult:
    """Fit each surface from its start.

    Parameters
    ----------
    surfaces : sequence of Quotes
        Those with the same maturities and ln(F/K), in the same order, are fitted together.
    starts : Model
        Fields of shape (n_sets,).
    weights : {"price", "bid_ask", "vega"}
        With `vega`, whose errors are not linear in prices, surfaces are fitted one by one.
    threads : int
        Tables worked on at once.

    Raises
    ------
    InvalidInputError
        There are no surfaces, or not as many as starts; or one has too few quotes.
    """
    z = np.asarray(starts.to_coordinates(), dtype=float)
    if not surfaces or z.shape[1:] != (len(surfaces),):
        raise InvalidInputError(
            f"{len(surfaces)} surfaces, and starts of shape {z.shape[1:]}: give one start for each"
        )
    found = _Fits.none(z)
    groups = _by_listing(surfaces) if weights in _LINEAR else ()

    def fit_together(which: np.ndarray) -> None:
        listing = _Listing.of([surfaces[int(k)] for k in which], weights)
        found.put(which, _fit_together(starts.select(which), listing))

    def fit_alone(k: int) -> None:
        result = polish(surfaces[k], starts.select(k), weights=weights).result
        found.z[:, k] = np.asarray(result.model.to_coordinates(), dtype=float)
        found.cost[k], found.arrived[k] = result.cost, result.status in ("converged", "at_bound")
        found.n_evaluations[k] += result.n_evaluations

    with ThreadPoolExecutor(threads) as pool:
        # Reading the results raises what went wrong.
        for which in groups:
            contracts = _in_forward_terms(surfaces[int(which[0])].contracts)
            list(pool.map(fit_together, _tiles(starts, contracts, which, pool)))
        alone = np.flatnonzero(~found.arrived)
        list(pool.map(fit_alone, alone.tolist()))
    return BatchResult(
        type(starts).from_coordinates(found.z),
        found.z,
        found.cost,
        found.arrived,
        found.n_evaluations,
        np.isin(np.arange(len(surfaces)), alone),
    )


@dataclass(frozen=True)
class _Listing:
    """Quotes of several surfaces for the same options, in forward units: D = F = 1.

    Attributes
    ----------
    contracts : Contracts
        n puts below the forward and calls above.
    price : ndarray, shape (n_sets, n)
    weight : ndarray, shape (n_sets, n)
        One over what a unit of error is worth.
    """

    contracts: Contracts
    price: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, surfaces: Sequence[Quotes], weights: str) -> Self:
        contracts = _in_forward_terms(surfaces[0].contracts)
        price = [_otm_price(quotes) for quotes in surfaces]
        unit = [q.contracts.discount * q.contracts.forward for q in surfaces]
        weight = [u / error_scale(q, weights) for q, u in zip(surfaces, unit, strict=True)]
        return cls(contracts, np.stack(price), np.stack(weight))


def _in_forward_terms(contracts: Contracts) -> Contracts:
    """The out-of-the-money options of the same strikes, with D = F = 1."""
    x = contracts.log_moneyness
    return Contracts.of(
        maturity_years=contracts.maturity_years, strike=np.exp(-x), forward=1.0, is_call=x < 0.0
    )


def _otm_price(quotes: Quotes) -> np.ndarray:
    """Price over D·F of the out-of-the-money option of each strike, by parity."""
    c = quotes.contracts
    price = quotes.price / (c.discount * c.forward)
    parity = 1.0 - np.exp(-c.log_moneyness)  # of a call less a put
    wants_call = c.log_moneyness < 0.0
    # A put becomes a call by adding parity, a call a put by taking it away.
    return np.asarray(price + (wants_call.astype(float) - c.is_call) * parity)


@dataclass
class _Fits:
    """Where each surface has got to; the last axis, or the only one, is theirs."""

    z: np.ndarray
    cost: np.ndarray
    arrived: np.ndarray
    n_evaluations: np.ndarray

    @classmethod
    def none(cls, z: np.ndarray) -> Self:
        n = z.shape[-1]
        return cls(z.copy(), np.full(n, np.inf), np.zeros(n, bool), np.zeros(n, int))

    def put(self, which: np.ndarray, part: "_Fits") -> None:
        self.z[:, which] = part.z
        self.cost[which] = part.cost
        self.arrived[which] = part.arrived
        self.n_evaluations[which] = part.n_evaluations


def _by_listing(surfaces: Sequence[Quotes]) -> list[np.ndarray]:
    """Indices of surfaces that share a listing, to rounding."""
    found: dict[bytes, list[int]] = {}
    for k, quotes in enumerate(surfaces):
        c = quotes.contracts
        key = np.round(np.stack([c.maturity_years, c.log_moneyness]), 12) + 0.0
        found.setdefault(key.tobytes(), []).append(k)
    return [np.array(which) for which in found.values() if len(which) > 1]


def _tiles(
    starts: Model, contracts: Contracts, which: np.ndarray, pool: ThreadPoolExecutor
) -> list[np.ndarray]:
    """Sets of one listing cut into those that share a table: alike in what they ask of one."""
    pricer = SinhPricer(contracts, _TOLERANCE)
    pieces = _cut(which)
    flatness, nodes = np.concatenate(
        list(pool.map(lambda piece: pricer.demand(starts.select(piece)), pieces)), axis=1
    )
    variance = np.broadcast_to(starts.cumulants(1.0)[1], starts.to_coordinates().shape[1:])[which]
    return _cut(which[np.lexsort([variance, nodes, flatness])])


def _cut(which: np.ndarray) -> list[np.ndarray]:
    return np.array_split(which, -(-which.size // _TABLE_SETS))


def _fit_together(starts: Model, listing: _Listing) -> _Fits:
    """Levenberg-Marquardt in step; sets whose steps have become small stay where they are."""
    problem = _Together.of(starts, listing)
    found = _Fits.none(np.clip(starts.to_coordinates(), *problem.box))
    every = np.arange(found.cost.size)
    found.cost, normal, slope, priced = problem.evaluate(found.z, every)
    found.n_evaluations += 1
    damping = np.full(every.size, _FIRST_DAMPING)
    going = every[np.isfinite(found.cost)]
    for _ in range(_MOST_STEPS):
        going = going[~(np.sqrt(2.0 * found.cost[going]) <= problem.floor[going])]
        z = found.z[:, going]
        step, promised = _steps(z, normal[going], slope[going], damping[going], problem.box)
        worthwhile = promised > NEGLIGIBLE_GAIN * found.cost[going]
        worthwhile |= damping[going] > _FIRST_DAMPING  # which may be why little is promised
        going, z = going[worthwhile], z[:, worthwhile]
        step, promised = step[:, worthwhile], promised[worthwhile]
        if not going.size:
            break
        trial = np.clip(z + step, *problem.box)
        cost, its_normal, its_slope, its_priced = problem.evaluate(trial, going)
        found.n_evaluations[going] += 1
        gain = found.cost[going] - cost
        better = gain > 0.0  # NaN is not
        damping[going] *= np.where(better, 0.1, 10.0)
        damping[going] = np.maximum(damping[going], _LEAST_DAMPING)
        done = np.linalg.norm(trial - z, axis=0) <= _STEP_TOLERANCE
        done |= better & (gain <= _GAIN_TOLERANCE * found.cost[going])
        done |= ~better & (promised <= _WITHIN_NOISE * found.cost[going])
        taken = going[better]
        found.z[:, taken], found.cost[taken] = trial[:, better], cost[better]
        normal[taken], slope[taken] = its_normal[better], its_slope[better]
        priced[taken] = its_priced[better]
        going = going[~done]
    found.arrived = priced & (problem.error_of(found.cost) <= _POOR_FIT)
    found.arrived[going[~(np.sqrt(2.0 * found.cost[going]) <= problem.floor[going])]] = False
    return found


def _steps(
    z: np.ndarray,
    normal: np.ndarray,
    slope: np.ndarray,
    damping: np.ndarray,
    box: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Damped Gauss-Newton steps, shape (n, n_sets), and the gain that each promises.

    What lies on the edge of the box and would leave it is held.
    """
    low, high = box
    held = (((z <= low) & (slope.T > 0.0)) | ((z >= high) & (slope.T < 0.0))).T
    free = ~held
    matrix = normal * (free[:, :, None] & free[:, None, :])
    scale = np.maximum(np.trace(matrix, axis1=1, axis2=2), np.finfo(float).tiny)
    diagonal = np.where(held, 1.0, damping[:, None]) * scale[:, None]
    n = diagonal.shape[1]
    matrix[:, np.arange(n), np.arange(n)] += diagonal
    downhill = -np.where(free, slope, 0.0)
    step = np.linalg.solve(matrix, downhill[:, :, None])[:, :, 0]
    length = np.linalg.norm(step, axis=1)
    step *= np.minimum(1.0, _LONGEST_STEP / np.maximum(length, _LONGEST_STEP))[:, None]
    curved = np.einsum("bi,bij,bj->b", step, normal, step)
    return step.T, np.einsum("bi,bi->b", step, downhill) - 0.5 * curved


@dataclass(frozen=True)
class _Together:
    """Weighted errors of sets that share a table.

    Attributes
    ----------
    model_type : type of Model
    listing : _Listing
    table : SinhTable
    box : tuple of ndarray, shape (n_coordinates, 1)
    floor : ndarray, shape (n_sets,)
        Norm of the residuals below which they are rounding.
    """

    model_type: type[Model]
    listing: _Listing
    table: SinhTable
    box: tuple[np.ndarray, np.ndarray]
    floor: np.ndarray

    @classmethod
    def of(cls, starts: Model, listing: _Listing) -> Self:
        low, high = (np.array(end)[:, None] for end in starts.coordinate_bounds())
        table = SinhPricer(listing.contracts, _TOLERANCE).shared_table(starts)
        floor = 0.1 * _TOLERANCE * np.linalg.norm(listing.weight, axis=1)
        return cls(type(starts), listing, table, (low, high), floor)

    def error_of(self, cost: np.ndarray) -> np.ndarray:
        """Root-mean-square error as a share of the forward, roughly: by the mean weight."""
        n = self.listing.price.shape[1]
        return np.asarray(np.sqrt(2.0 * cost / n) / self.listing.weight.mean(axis=1))

    def evaluate(
        self, z: np.ndarray, which: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """½‖r‖², JᵀJ, Jᵀr, and whether prices are as right as asked, of some of the sets.

        Parameters
        ----------
        z : ndarray, shape (n_coordinates, n_which)
        which : ndarray of int, shape (n_which,)
        """
        parts = [
            self._block(z[:, start : start + _BLOCK_SETS], which[start : start + _BLOCK_SETS])
            for start in range(0, which.size, _BLOCK_SETS)
        ]
        cost, normal, slope, priced = (
            np.concatenate(column) for column in zip(*parts, strict=True)
        )
        return cost, normal, slope, priced

    def _block(
        self, z: np.ndarray, which: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        with np.errstate(all="ignore"):
            found = covered(self.table, self.model_type.from_coordinates(z), BY_PARAMETER)
            residuals, jacobian = self._linearised(found, z, which)
            cost = 0.5 * np.einsum("bn,bn->b", residuals, residuals)
        good = np.isfinite(cost) & np.isfinite(jacobian).all(axis=(1, 2))
        jacobian[~good] = 0.0
        turned = np.swapaxes(jacobian, 1, 2)
        slope = (turned @ np.where(good[:, None], residuals, 0.0)[:, :, None])[:, :, 0]
        layout = self.listing.contracts.by_maturity
        error = self.listing.contracts.strike * layout.flat(found.error)
        priced = good & (error.max(axis=-1) <= _AMISS * _TOLERANCE)
        return np.where(good, cost, np.inf), turned @ jacobian, slope, priced

    def _linearised(
        self, found: Covered, z: np.ndarray, which: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Weighted errors, shape (n_which, n), and their derivatives in coordinates."""
        c = self.listing.contracts
        flat = c.by_maturity.flat
        weight = self.listing.weight[which]
        price = np.where(c.is_call, 1.0, c.strike) - c.strike * flat(found.value)
        by_parameter = np.moveaxis(-(c.strike * weight) * flat(found.terms), 0, -1)
        by_coordinate = np.moveaxis(self.model_type.coordinate_jacobian(z), -1, 0)
        return (price - self.listing.price[which]) * weight, by_parameter @ by_coordinate

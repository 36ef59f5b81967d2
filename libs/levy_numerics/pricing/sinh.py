"""European options by sinh-acceleration, the default method.

Parameter sets share tables of exp(iξ·ln(F/K)), one for each tilt of the wings. What misses the
tolerance is priced again on a table of its own, with finer steps and flatter wings.
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.pricing.contour import TILT, Contour, sinh_contour, step_for
from levy_numerics.pricing.drift import drift_or_nan, require_forward
from levy_numerics.pricing.factors import NO_FACTORS, Factors
from levy_numerics.pricing.result import PriceGradient, Prices
from levy_numerics.pricing.single_sums import ARRAYS, SingleSums, Table
from levy_numerics.pricing.sinh_sums import Covered, SinhTable, covered, node_count

_REFINEMENTS: Final = ((1.0, 0.5), (0.5, 0.25), (0.5, 0.1), (0.0, 0.1), (0.0, 0.03))
"""Fractions of the model's tilt and of the step that belongs to it, tried in turn."""
_TILTS: Final = TILT * 2.0 ** (-0.5 * np.arange(14))
"""Tilts of shared tables: down to those for jumps of one size, give or take a hundredth. The last
is for all sectors narrower still."""
_MAX_NODES: Final = 8192
_BATCH_ELEMENTS: Final = 8000
"""Complex numbers in one batch of amplitudes: just under 128 KB. Larger arrays are given back to
the system when freed, and fetching them again page by page takes longer than filling them."""
_SPARE: Final = 1.1
"""The next parameter set often needs a few nodes more; a new table costs more than they do."""
_SHORTENED: Final = 0.75
_BATCH_STEPS: Final = (1.0, 1.0, 0.6, 0.6)
"""Shares of the usual step with which the missed of a batch are priced again, together."""
_SAMPLED: Final = 12
_MOST: Final = 0.9
_TOLERANCES: Final = (1e-13, 1e-2)


def price(model: Model, contracts: Contracts, *, tolerance: float = 1e-10) -> Prices:
    """Present values by sinh-acceleration.

    Parameters
    ----------
    model : Model
        Fields are numbers, or arrays of shape (n_sets,) for a batch.
    contracts : Contracts
        n of them.
    tolerance : float
        Wanted error, as a fraction of the forward's present value.

    Returns
    -------
    Prices
        Shapes (n,) or (n_sets, n). Where the tolerance could not be met, `error` says so; sets of a
        batch without a forward have NaN.

    Raises
    ------
    OutsideStripError
        A single parameter set has no forward at one of the maturities.
    """
    return SinhPricer(contracts, tolerance).price(model)


def price_gradient(
    model: Model, contracts: Contracts, *, tolerance: float = 1e-10
) -> PriceGradient:
    """Present values and their derivatives in every parameter, to about the same digits."""
    return SinhPricer(contracts, tolerance).price_gradient(model)


@dataclass
class SinhPricer:
    """Prices the same contracts again and again; tables are kept between calls.

    Parameters
    ----------
    contracts : Contracts
    tolerance : float
        Wanted error, as a fraction of the forward's present value; 1e-13 to 1e-2.
    single : SingleSums
        How single parameter sets are priced.
    """

    contracts: Contracts
    tolerance: float = 1e-10
    single: SingleSums = ARRAYS
    _latest: dict[int, Table] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        low, high = _TOLERANCES
        if not (low <= self.tolerance <= high):
            raise InvalidInputError(f"tolerance = {self.tolerance:g} must lie in [{low}, {high}]")
        self._steps = list(_usual_steps(self.tolerance))
        layout, c = self.contracts.by_maturity, self.contracts
        # Errors come in units of the strike; the tolerance is in units of the forward.
        self._wanted = np.where(
            layout.occupied, self.tolerance * np.exp(layout.log_moneyness), np.inf
        )
        self._scale = c.discount * c.strike
        self._other = np.where(c.is_call, c.discount * c.forward, self._scale)

    def price(self, model: Model) -> Prices:
        """Present values, shape (n,), or (n_sets, n) for a batch."""
        n_sets = _count(model)
        found = self.evaluate(model) if n_sets is None else self._evaluate_batch(model, n_sets)
        return self._present_values(found.value, found.error)

    def rough_price(self, model: Model) -> Prices:
        """Present values of a batch, shape (n_sets, n), where missing the tolerance is fine."""
        found = self._evaluate_together(model, _count(model) or 1)
        return self._present_values(found.value, found.error)

    def price_gradient(self, model: Model) -> PriceGradient:
        """Present values and derivatives of one parameter set."""
        prices, terms = self.price_with_terms(model, self.single.by_parameter)
        return PriceGradient(prices.value, prices.error, terms * -self._scale)

    def price_with_terms(self, model: Model, factors: Factors) -> tuple[Prices, np.ndarray]:
        """Present values, and derivatives of E[min(S, K)]/K, shape (n_terms, n)."""
        found = self.evaluate(model, factors)
        layout = self.contracts.by_maturity
        return self._present_values(found.value, found.error), layout.flat(found.terms)

    def demand(self, model: Model) -> np.ndarray:
        """What each set of a batch asks of a table: flatness of wings, and nodes; (2, n_sets).

        Sets alike in both share a table at no loss. Those without a forward ask for the least.
        """
        drift, flatness = self._drift(model), _flatness(self._sector(model))
        flatness = np.broadcast_to(flatness, drift.shape[:1])
        nodes = np.zeros(flatness.shape, dtype=int)
        known = np.isfinite(drift).all(axis=-1)
        for k in np.unique(flatness):
            members = np.flatnonzero((flatness == k) & known)
            nodes[members] = self._needed(model.select(members), drift[members], int(k))
        return np.stack([flatness, nodes])

    def shared_table(self, model: Model, *, order: int = 0) -> SinhTable:
        """One table for all sets of a batch, with a few nodes to spare for their neighbours.

        Parameters
        ----------
        model : Model
            Fields of shape (n_sets,); sets without a forward are left out.
        order : int
            Highest power of ξ with which factors will grow.

        Raises
        ------
        OutsideStripError
            No set has a forward at every maturity.
        """
        drift = self._drift(model)
        known = np.flatnonzero(np.isfinite(drift).all(axis=-1))
        if not known.size:
            require_forward(model, self.contracts.by_maturity.maturity_years, drift)
        model, drift = model.select(known), drift[known]
        flatness = int(_flatness(self._sector(model)).max())
        needed = self._needed(model, drift, flatness, order).max()
        contour = self._contour(flatness, math.ceil(_SPARE * needed))
        return SinhTable.of_layout(contour, self.contracts.by_maturity, _middle(drift))

    def evaluate(self, model: Model, factors: Factors = NO_FACTORS) -> Covered:
        """E[min(S, K)]/K of one parameter set, by maturity; refined where necessary."""
        sector = float(_least(model.sector(self.contracts.by_maturity.maturity_years)))
        flatness = _flatness_of_one(sector)
        with np.errstate(over="ignore", invalid="ignore"):
            table = self._latest.get(flatness) or self._scanned_table(
                model, flatness, factors.order
            )
            found = table.covered(model, factors)
            require_forward(model, table.maturity_years, found.drift)
            failing = self._failing(found.error).any()
            if failing:
                scanned = self._scanned_table(model, flatness, factors.order)
                if scanned is not table:
                    found = scanned.covered(model, factors)
                    failing = self._failing(found.error).any()
            if failing:
                self._refine(found, model, factors, sector)
                self._shorten_step(flatness)
        return found

    def _refine(self, found: Covered, model: Model, factors: Factors, sector: float) -> None:
        """Price the maturities that miss the tolerance again, with finer steps, flatter wings."""
        for refinement in _REFINEMENTS:
            bad = np.flatnonzero(self._failing(found.error).any(axis=-1))
            if not bad.size:
                break
            table = self._own_table(model, found.drift, bad, sector, refinement, factors.order)
            _keep_better(found, table.covered(model, factors), bad)

    def _shorten_step(self, flatness: int) -> None:
        """Make the next table finer: who missed the tolerance once will price the neighbours."""
        shortest = 0.5 * step_for(self.tolerance, float(_TILTS[flatness]))
        if self._steps[flatness] > shortest:
            self._steps[flatness] *= _SHORTENED
            self._latest.pop(flatness, None)

    def _evaluate_batch(self, model: Model, n_sets: int) -> Covered:
        """All sets together; what misses the tolerance again, with a finer step, then alone."""
        found = self._evaluate_together(model, n_sets)
        for step in _BATCH_STEPS:
            missed = self._missed(found)
            if not missed.size:
                return found
            self._fill_by_tilt(found, model, missed, step)
        for k in self._missed(found):
            alone = self.evaluate(model.select(k))
            found.value[k], found.error[k] = alone.value, alone.error
        return found

    def _missed(self, found: Covered) -> np.ndarray:
        """Indices of the sets that have a forward, and an error above the tolerance."""
        failing = self._failing(found.error) & ~np.isnan(found.drift)[..., None]
        return np.flatnonzero(failing.any(axis=(1, 2)))

    def _evaluate_together(self, model: Model, n_sets: int) -> Covered:
        """Sets of the same tilt share a table that suffices for most."""
        shape = (n_sets, *self.contracts.by_maturity.log_moneyness.shape)
        found = Covered(
            np.empty(shape), np.empty(shape), np.empty((0, *shape)), np.empty(shape[:-1])
        )
        self._fill_by_tilt(found, model, np.arange(n_sets))
        return found

    def _fill_by_tilt(
        self, found: Covered, model: Model, sets: np.ndarray, step: float = 1.0
    ) -> None:
        flatness = np.broadcast_to(_flatness(self._sector(model)), len(found.value))[sets]
        for k in np.unique(flatness):
            self._fill(found, model, sets[flatness == k], int(k), step)

    def _fill(
        self, found: Covered, model: Model, members: np.ndarray, flatness: int, step: float
    ) -> None:
        """Price members of a batch on one table, as many at a time as stay allocated.

        The table is as large as most of a sample need; `step` is its share of the usual step.
        """
        chosen = model.select(members[:: max(1, members.size // _SAMPLED)])
        drift = self._drift(chosen)
        step *= self._steps[flatness]
        needed = np.sort(self._needed(chosen, drift, flatness, step=step))
        n_nodes = int(needed[int(_MOST * needed.size)])
        contour = self._contour(flatness, n_nodes, step)
        table = SinhTable.of_layout(contour, self.contracts.by_maturity, _middle(drift))
        size = max(1, _BATCH_ELEMENTS // (2 * drift.shape[-1] * n_nodes))
        for start in range(0, members.size, size):
            which = members[start : start + size]
            with np.errstate(over="ignore", invalid="ignore"):
                part = covered(table, model.select(which))
            found.value[which], found.error[which] = part.value, part.error
            found.drift[which] = part.drift

    def _drift(self, model: Model) -> np.ndarray:
        """ω_T by maturity; NaN where the forward does not exist."""
        return drift_or_nan(model.expanded(1), self.contracts.by_maturity.maturity_years)

    def _failing(self, error: np.ndarray) -> np.ndarray:
        return ~(error <= self._wanted)

    def _sector(self, model: Model) -> Any:
        """Angle up to which the wings may rise at every maturity, shape of the sets, or ()."""
        return _least(model.expanded(1).sector(self.contracts.by_maturity.maturity_years))

    def _needed(
        self,
        model: Model,
        drift: np.ndarray,
        flatness: int,
        order: int = 0,
        step: float | None = None,
    ) -> np.ndarray:
        """Nodes for the most demanding maturity, shape of the parameter sets."""
        count = node_count(
            model,
            self.contracts.by_maturity,
            drift,
            tolerance=self.tolerance,
            step=step or self._steps[flatness],
            tilt=float(_TILTS[flatness]),
            order=order,
        )
        return np.asarray(np.minimum(count, _MAX_NODES))

    def _scanned_table(self, model: Model, flatness: int, order: int) -> Table:
        """Table as large as this model needs, about its drift; the latest if that is one."""
        layout = self.contracts.by_maturity
        drift, needed = self.single.scan(
            model,
            layout,
            tolerance=self.tolerance,
            step=self._steps[flatness],
            tilt=float(_TILTS[flatness]),
            order=order,
        )
        require_forward(model, layout.maturity_years, drift)
        needed = min(needed, _MAX_NODES)
        latest = self._latest.get(flatness)
        if latest is not None and latest.contour.n_nodes >= needed and latest.reaches(drift):
            return latest
        spare = 1.0 if latest is None else _SPARE
        contour = self._contour(flatness, math.ceil(spare * needed))
        self._latest[flatness] = self.single.table_of(contour, layout, drift)
        return self._latest[flatness]

    def _contour(self, flatness: int, n_nodes: int, step: float | None = None) -> Contour:
        # Sets that share the flattest wings may have any room above them, or none.
        room = 0.0 if flatness == len(_TILTS) - 1 else None
        step = step or self._steps[flatness]
        return sinh_contour(float(_TILTS[flatness]), step, n_nodes + n_nodes % 2, room)

    def _own_table(
        self,
        model: Model,
        drift: np.ndarray,
        rows: np.ndarray,
        sector: float,
        refinement: tuple[float, float],
        order: int,
    ) -> Table:
        """Table about the drift of one parameter set, for the maturities that need it."""
        part = self.contracts.by_maturity.rows(rows)
        flatness = int(_flatness(sector))
        tilt, step = refinement[0] * float(_TILTS[flatness]), refinement[1] * self._steps[flatness]
        count = node_count(
            model,
            part,
            drift[rows],
            tolerance=self.tolerance,
            step=step,
            tilt=tilt,
            order=order,
        )
        contour = sinh_contour(tilt, step, min(int(count), _MAX_NODES), max(sector - tilt, 0.0))
        return self.single.table_of(contour, part, drift[rows])

    def _present_values(self, covered_value: np.ndarray, error: np.ndarray) -> Prices:
        """Prices from E[min(S, K)]/K and its error, shapes (…, n_maturities, n_columns)."""
        flat, c = self.contracts.by_maturity.flat, self.contracts
        value = self._other - flat(covered_value) * self._scale
        bounded = np.minimum(np.maximum(value, c.lower_bound), c.upper_bound)
        return Prices(bounded, flat(error) * self._scale)


@lru_cache(maxsize=64)
def _usual_steps(tolerance: float) -> tuple[float, ...]:
    return tuple(step_for(tolerance, float(tilt)) for tilt in _TILTS)


def _count(model: Model) -> int | None:
    """Sets of a batch; None for one parameter set."""
    arrays = [value for value in model.as_mapping().values() if getattr(value, "ndim", 0)]
    return np.broadcast(*arrays).shape[0] if arrays else None


def _least(sector: Any) -> Any:
    """The narrowest over the maturities."""
    return sector.min(axis=-1) if getattr(sector, "ndim", 0) else sector


@lru_cache(maxsize=1024)
def _flatness_of_one(sector: float) -> int:
    return int(_flatness(sector))


def _flatness(sector: np.ndarray | float) -> np.ndarray:
    """Index into `_TILTS` of the steepest wings with as much room again above them."""
    steps = np.ceil(2.0 * np.log2(2.0 * TILT / sector) - 1e-9)
    return np.asarray(np.clip(steps, 0, len(_TILTS) - 1), dtype=int)


def _middle(drift: np.ndarray) -> np.ndarray:
    """Median over the sets of each maturity's ω_T, of those that have one; shape (n_rows,)."""
    ordered = np.sort(drift, axis=0)  # NaN goes last
    known = np.isfinite(ordered).sum(axis=0)
    middle = np.take_along_axis(ordered, np.maximum(known - 1, 0)[None] // 2, axis=0)[0]
    return np.where(known > 0, middle, 0.0)


def _keep_better(found: Covered, refined: Covered, rows: np.ndarray) -> None:
    better = refined.error < found.error[rows]
    for kept, new in ((found.value, refined.value), (found.error, refined.error)):
        kept[rows] = np.where(better, new, kept[rows])
    found.terms[:, rows] = np.where(better, refined.terms, found.terms[:, rows])

"""European options by sinh-acceleration, the default method.

The sums are those of `sinh_kernel`. A pricer chooses the contour: its tilt by the sector in which
the model's characteristic function stays moderate, its number of nodes by where the integrand has
decayed. Maturities whose estimated error misses the tolerance are priced again, with finer steps
and less tilted wings.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Final, NamedTuple

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.jit import compiled
from levy_numerics.market import Contracts, MaturityTable
from levy_numerics.models.base import Model
from levy_numerics.pricing.drift import require_forward
from levy_numerics.pricing.integrand_factors import BY_PARAMETER, VALUE_ONLY, Factors, Integrand
from levy_numerics.pricing.result import PriceGradient, Prices
from levy_numerics.pricing.sinh_contour import (
    STATED_SAFETY,
    TILTS,
    Contour,
    sinh_contour,
    step_for,
    tilt_index,
)
from levy_numerics.pricing.sinh_kernel import fourier_sums
from levy_numerics.pricing.sinh_phases import phase_factors

_REFINEMENTS: Final = ((1.0, 0.5), (0.5, 0.25), (0.5, 0.1), (0.0, 0.1), (0.0, 0.03))
"""Fractions of the model's tilt and of the step that belongs to it, tried in turn."""
_FIRST_LENGTH: Final = 7.5
"""y of the last node at first: |ξ| of 1,300, enough for a total volatility of 0.7%."""
_FIRST_LENGTH_OF_MANY: Final = 9.0
"""The same where many evaluations follow: the next parameter set often needs a few nodes more, and
a new table costs more than they do."""
_GROWTH: Final = 1.25
_SHORTEST_LENGTH: Final = 3.0
_FINE_GROWTH: Final = 1.1
"""Where nodes cost in proportion to their number, no more are used than necessary."""
_LONGEST: Final = 40.0
"""exp(−40) of an integrand that decays no faster than the payoff is below any tolerance."""
_NODE_MULTIPLE: Final = 8
TRUNCATION: Final = 0.3
"""Share of the tolerance that truncation may use before nodes are added."""
_SHORTENED: Final = 0.75
_SHORTEST: Final = 0.5
_TOLERANCES: Final = (1e-13, 1e-2)
_BLOCK_SETS: Final = 64
"""Parameter sets evaluated at a time, so that their rows stay in the processor's cache."""
_NO_PHASES: Final = np.empty((0, 0, 2, 2, 2, 0))


def price(model: Model, contracts: Contracts, *, tolerance: float = 1e-10) -> Prices:
    """Return present values by sinh-acceleration.

    Parameters
    ----------
    model : Model
        Fields are numbers, or arrays of shape (n_sets,) for a batch.
    contracts : Contracts
        n of them.
    tolerance : float
        Requested error, as a fraction of the forward's present value.

    Returns
    -------
    Prices
        Shapes (n,) or (n_sets, n). Where the tolerance could not be met, `error` shows it; sets of
        a batch without a forward have NaN.

    Raises
    ------
    OutsideStripError
        A single parameter set has no forward at one of the maturities.
    """
    return SinhPricer(contracts, tolerance).price(model)


def price_gradient(
    model: Model, contracts: Contracts, *, tolerance: float = 1e-10
) -> PriceGradient:
    """Return present values and their derivatives in every parameter, to about the same digits."""
    return SinhPricer(contracts, tolerance).price_gradient(model)


@dataclass(frozen=True)
class _Sums:
    """E[min(S_T, K)]/K of S parameter sets, by maturity.

    Attributes
    ----------
    value, error : ndarray, shape (S, n_maturities, n_columns)
    terms : ndarray, shape (n_terms, S, n_maturities, n_columns)
    excess : ndarray, shape (2, S, n_maturities)
        Ratio to the error allowed of what a finer rule can improve, and of truncation alone.
    drift : ndarray, shape (S, n_maturities)
        ω_T; NaN where there is no forward.
    largest : tuple of float
        Of both kinds of excess, when first evaluated.
    """

    value: np.ndarray
    error: np.ndarray
    terms: np.ndarray
    excess: np.ndarray
    drift: np.ndarray
    largest: tuple[float, float]

    def put(self, sets: np.ndarray, rows: np.ndarray, part: "_Sums") -> None:
        """Replace sums of some sets and rows where their error is smaller."""
        at = np.ix_(sets, rows)
        better = ~(part.error > self.error[at])
        for whole, new in ((self.value, part.value), *zip(self.terms, part.terms, strict=True)):
            whole[at] = np.where(better, new, whole[at])
        self.error[at] = np.where(better, part.error, self.error[at])
        for whole, new in zip(self.excess, part.excess, strict=True):
            whole[at] = np.fmin(new, whole[at])


@dataclass(frozen=True)
class _Rule:
    """A contour, in the form that the kernel takes, and phase factors for one layout of contracts.

    Attributes
    ----------
    contour : Contour
    phases : ndarray
        Of length zero where they are not tabulated.
    """

    contour: Contour
    phases: np.ndarray

    @property
    def length(self) -> float:
        """y of the last node."""
        return self.contour.step * self.contour.n_nodes

    def tabulated(self, layout: MaturityTable) -> "_Rule":
        """Return the same rule with phase factors."""
        at = self.contour.xi_real, self.contour.xi_imag
        return _Rule(self.contour, phase_factors(layout.log_moneyness, *at))

    def sums(
        self, layout: MaturityTable, allowed: np.ndarray, model: Model, factors: Factors
    ) -> _Sums:
        """Evaluate parameter sets, given the error allowed for each option."""
        contour = self.contour
        integrand = Integrand.of(model, contour, layout.maturity_years, factors)
        ratio = layout.forward_ratio
        *sums, largest = fourier_sums(
            (layout.log_moneyness, ratio, allowed),
            self.phases,
            contour.nodes_for_kernel,
            (*contour.rule_for_kernel, float(factors.order)),
            integrand.arrays,
        )
        value, error, terms, excess = sums
        for term, (at_zero, at_minus_i) in zip(terms, factors.at_poles, strict=False):
            term -= contour.pole_error * (at_zero + at_minus_i * ratio)
        return _Sums(value, error, terms, excess, integrand.drift, largest)


class KernelRule(NamedTuple):
    """What compiled callers of `fourier_sums` take for n contracts, models of the widest sector.

    Attributes
    ----------
    options, phases, contour, numbers
        The first four arguments of `fourier_sums`.
    frequencies, probes : ndarray
        `Contour.frequencies` and `Contour.probe_positions`.
    years : ndarray, shape (n_maturities,)
    position : ndarray of int, shape (n,)
        Of each contract among the sums.
    contracts : tuple of ndarray, shape (n,)
        Present value of a covered call at zero volatility, discounted strike, and price bounds.
    """

    options: tuple[np.ndarray, ...]
    phases: np.ndarray
    contour: tuple[np.ndarray, ...]
    numbers: tuple[float, ...]
    frequencies: np.ndarray
    probes: np.ndarray
    years: np.ndarray
    position: np.ndarray
    contracts: tuple[np.ndarray, ...]


@dataclass
class SinhPricer:
    """Prices the same contracts repeatedly; contours and phase factors are kept between calls.

    Parameters
    ----------
    contracts : Contracts
    tolerance : float
        Requested error, as a fraction of the forward's present value; 1e-13 to 1e-2.
    is_repeated : bool
        Whether many evaluations will follow, as in a calibration: phase factors are then tabulated
        for the first, otherwise from the second on.
    """

    contracts: Contracts
    tolerance: float = 1e-10
    is_repeated: bool = False
    _rules: dict[int, _Rule] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        low, high = _TOLERANCES
        if not (low <= self.tolerance <= high):
            raise InvalidInputError(f"tolerance = {self.tolerance:g} must lie in [{low}, {high}]")
        self._steps = list(_usual_steps(self.tolerance))
        layout, c = self.contracts.by_maturity, self.contracts
        # Errors come in units of the strike; the tolerance is in units of the forward.
        self._allowed = np.where(layout.occupied, self.tolerance * layout.forward_ratio, np.inf)
        self._strike_value = c.discount * c.strike
        self._covered_leg = np.where(c.is_call, c.discount * c.forward, self._strike_value)

    def for_contracts(self, contracts: Contracts) -> "SinhPricer":
        """Return a pricer that starts from this one's tables, for use in another thread.

        Parameters
        ----------
        contracts : Contracts
            Of the same maturities and ln(F/K), to rounding, in the same order.
        """
        other = SinhPricer(contracts, self.tolerance, self.is_repeated)
        other._rules, other._steps = dict(self._rules), list(self._steps)
        return other

    def price(self, model: Model, *, refine: bool = True) -> Prices:
        """Return present values, shape (n,), or (n_sets, n) for a batch.

        Parameters
        ----------
        model : Model
        refine : bool
            Whether what misses the tolerance is priced again, with finer steps.
        """
        sums = self._evaluate(model, VALUE_ONLY, refine=refine)
        if model.is_batch:
            return self._or_middle(self._present_values(sums.value, sums.error), sums.drift)
        drift = sums.drift[0]
        require_forward(model, self.contracts.by_maturity.maturity_years, drift)
        return self._or_middle(self._present_values(sums.value[0], sums.error[0]), drift)

    def price_gradient(self, model: Model) -> PriceGradient:
        """Return present values and derivatives of one parameter set."""
        prices, terms = self.price_with_terms(model, BY_PARAMETER)
        return PriceGradient(prices.value, prices.error, terms * -self._strike_value)

    def price_with_terms(self, model: Model, factors: Factors) -> tuple[Prices, np.ndarray]:
        """Return present values, and derivatives of E[min(S, K)]/K, shape (n_terms, n)."""
        layout = self.contracts.by_maturity
        sums = self._evaluate(model, factors, refine=True)
        require_forward(model, layout.maturity_years, sums.drift[0])
        prices = self._present_values(sums.value[0], sums.error[0])
        return prices, layout.flat(sums.terms[:, 0])

    def kernel_rule(self) -> KernelRule | None:
        """Return the kept rule for models of the widest sector; None before the first price."""
        rule, layout, c = self._rules.get(0), self.contracts.by_maturity, self.contracts
        if rule is None or not len(rule.phases):
            return None
        contour = rule.contour
        return KernelRule(
            (layout.log_moneyness, layout.forward_ratio, self._allowed),
            rule.phases,
            contour.nodes_for_kernel,
            (*contour.rule_for_kernel, 0.0),
            contour.frequencies,
            contour.probe_positions,
            layout.maturity_years,
            layout.position,
            (self._covered_leg, self._strike_value, c.lower_bound, c.upper_bound),
        )

    def shared_contour(self, model: Model) -> Contour:
        """Return one contour that suffices for all sets of a batch that have a forward.

        Raises
        ------
        OutsideStripError
            No set has a forward at every maturity.
        """
        years = self.contracts.by_maturity.maturity_years
        exists = np.asarray(model.expanded(1).forward_exists(years))
        chosen = np.flatnonzero(np.broadcast_to(exists, (_count(model), years.size)).all(axis=-1))
        if not chosen.size:
            require_forward(model, years, np.full(years.shape, np.nan))
        model = model.select(chosen)
        index = int(np.max(tilt_index(self._sector(model))))
        length = _SHORTEST_LENGTH
        while True:
            contour = _contour(float(TILTS[index]), self._steps[index], length, _margin(index))
            sums = self._sums_on(contour, model)
            if length > _LONGEST or sums.largest[1] <= TRUNCATION:
                return contour
            length *= _FINE_GROWTH

    def price_on(self, contour: Contour, model: Model) -> Prices:
        """Return present values of a batch, shape (n_sets, n), on a given contour, unrefined."""
        sums = self._sums_on(contour, model)
        return self._present_values(sums.value, sums.error)

    def _sums_on(self, contour: Contour, model: Model) -> _Sums:
        rule = _Rule(contour, _NO_PHASES)
        return rule.sums(self.contracts.by_maturity, self._allowed, model, VALUE_ONLY)

    def _evaluate(self, model: Model, factors: Factors, *, refine: bool) -> _Sums:
        """Evaluate all sets, grouped by the tilt they need; then refine where necessary."""
        sector = self._sector(model)
        if model.is_batch:
            sector = np.broadcast_to(sector, _count(model))
            sums = self._evaluate_batch(model, sector, factors)
        else:
            sums = self._on_kept_rule(model, _index_of_one(float(sector)), factors)
        if refine and sums.largest[0] > 1.0:
            for s in np.flatnonzero((sums.excess[0] > 1.0).any(axis=1)).tolist():
                one = model.select(s) if model.is_batch else model
                self._refine(sums, s, one, float(np.ravel(sector)[s]), factors)
        return sums

    def _evaluate_batch(self, model: Model, sector: np.ndarray, factors: Factors) -> _Sums:
        shape = (sector.size, *self._allowed.shape)
        none, by_row = np.empty((0, *shape)), np.empty((3, *shape[:-1]))
        sums = _Sums(np.empty(shape), np.empty(shape), none, by_row[:2], by_row[2], (np.inf,) * 2)
        index = tilt_index(sector)
        for k in np.unique(index):
            members = np.flatnonzero(index == k)
            for start in range(0, members.size, _BLOCK_SETS):
                block = members[start : start + _BLOCK_SETS]
                part = self._on_kept_rule(model.select(block), int(k), factors)
                sums.value[block], sums.error[block] = part.value, part.error
                sums.excess[:, block], sums.drift[block] = part.excess, part.drift
        return sums

    def _on_kept_rule(self, model: Model, index: int, factors: Factors) -> _Sums:
        """Evaluate on the rule that is kept for a tilt; it grows to what these sets need."""
        # Phase factors cost as much as a few evaluations: a single one does without.
        tabulate = self.is_repeated or index in self._rules or model.is_batch

        def rule(length: float) -> _Rule:
            kept = self._rules.get(index)
            if kept is None or kept.length < length:
                contour = _contour(float(TILTS[index]), self._steps[index], length, _margin(index))
                kept = self._rules[index] = _Rule(contour, _NO_PHASES)
            if tabulate and not len(kept.phases):
                kept = self._rules[index] = kept.tabulated(self.contracts.by_maturity)
            return kept

        kept = self._rules.get(index)
        first = _FIRST_LENGTH_OF_MANY if self.is_repeated else _FIRST_LENGTH
        length = first if kept is None else kept.length
        layout = self.contracts.by_maturity
        return _decayed_sums(rule, length, layout, self._allowed, model, factors)

    def _refine(self, sums: _Sums, s: int, model: Model, sector: float, factors: Factors) -> None:
        """Price the maturities of set `s` that miss the tolerance again, with finer rules."""
        index = _index_of_one(sector)
        length = self._rules[index].length if index in self._rules else _FIRST_LENGTH
        for of_tilt, of_step in _REFINEMENTS:
            rows = np.flatnonzero(sums.excess[0, s] > 1.0)
            if not rows.size:
                break
            tilt, step = of_tilt * float(TILTS[index]), of_step * self._steps[index]
            margin = max(sector - tilt, 0.0)
            refined = _decayed_sums(
                partial(_rule, tilt, step, margin),
                length,
                self.contracts.by_maturity.rows(rows),
                self._allowed[rows],
                model,
                factors,
            )
            allowed = self._allowed[rows]
            linear = _linear_error(allowed, sums.excess[0, s, rows], refined.excess[0, 0])
            # A rule that meets the tolerance by its own estimate continues to do so.
            stated = np.minimum(
                refined.error[0] + linear, np.maximum(refined.error[0], 0.99 * allowed)
            )
            refined.error[0] = np.where(np.isfinite(allowed), stated, 0.0)
            sums.put(np.array([s]), rows, refined)
        self._shorten_step(index)

    def _shorten_step(self, index: int) -> None:
        """Use a finer step from now on: neighbours of a set that missed will miss as well."""
        if self._steps[index] > _SHORTEST * step_for(self.tolerance, float(TILTS[index])):
            self._steps[index] *= _SHORTENED
            self._rules.pop(index, None)

    def _sector(self, model: Model) -> np.ndarray:
        """Angle up to which the wings may rise at every maturity, shape of the sets, or ()."""
        sector = np.asarray(model.expanded(1).sector(self.contracts.by_maturity.maturity_years))
        return sector.min(axis=-1) if sector.ndim else sector

    def _present_values(self, covered_value: np.ndarray, error: np.ndarray) -> Prices:
        """Prices from E[min(S, K)]/K and its error, shapes (…, n_maturities, n_columns).

        A value outside the no-arbitrage bounds is moved to them, and its error is at least the
        distance moved; no error exceeds the distance of the bounds.
        """
        c, shape = self.contracts, covered_value.shape[:-2]
        n_places = covered_value.shape[-1] * covered_value.shape[-2]
        value, stated = present_values(
            covered_value.reshape(-1, n_places),
            error.reshape(-1, n_places),
            c.by_maturity.position,
            (self._covered_leg, self._strike_value, c.lower_bound, c.upper_bound),
        )
        return Prices(value.reshape(*shape, c.size), stated.reshape(*shape, c.size))

    def _or_middle(self, prices: Prices, drift: np.ndarray) -> Prices:
        """Replace what overflowed by the middle between the bounds, half whose distance it errs by.

        Parameters
        ----------
        prices : Prices
            Shapes (…, n).
        drift : ndarray, shape (…, n_maturities)
            NaN where there is no forward, and then no price.
        """
        missing = np.isnan(prices.value)
        if not missing.any():
            return prices
        missing &= np.isfinite(drift)[..., self.contracts.by_maturity.row]
        low, high = self.contracts.lower_bound, self.contracts.upper_bound
        value = np.where(missing, 0.5 * (low + high), prices.value)
        return Prices(value, np.where(missing, 0.5 * (high - low), prices.error))


@compiled
def present_values(
    covered: np.ndarray, error: np.ndarray, position: np.ndarray, contracts: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return prices and errors of shape (S, n); see `SinhPricer._present_values`."""
    leg, strike_value, low, high = contracts
    value, stated = np.empty((len(covered), len(position))), np.empty((len(covered), len(position)))
    for s in range(len(covered)):
        for k in range(len(position)):
            price = leg[k] - covered[s, position[k]] * strike_value[k]
            value[s, k] = price if price != price else min(max(price, low[k]), high[k])
            moved = max(error[s, position[k]] * strike_value[k], abs(value[s, k] - price))
            stated[s, k] = np.inf if price != price else min(moved, high[k] - low[k])
    return value, stated


def _decayed_sums(
    rule: Callable[[float], _Rule],
    length: float,
    layout: MaturityTable,
    allowed: np.ndarray,
    model: Model,
    factors: Factors,
) -> _Sums:
    """Evaluate with as many nodes as it takes for the integrand to decay.

    Parameters
    ----------
    rule : callable
        Returns the rule whose last node is at least at y.
    length : float
        y to begin with.
    allowed : ndarray, shape (n_maturities, n_columns)
    """
    sums = rule(length).sums(layout, allowed, model, factors)
    if not sums.largest[1] > TRUNCATION:
        return sums
    while length < _LONGEST:
        sets = np.flatnonzero((sums.excess[1] > TRUNCATION).any(axis=1))
        if not sets.size:
            break
        length *= _GROWTH
        some = model.select(sets) if model.is_batch else model
        sums.put(sets, np.arange(len(allowed)), rule(length).sums(layout, allowed, some, factors))
    return sums


def _linear_error(allowed: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the error of refined rows if a finer step gains a constant factor only.

    Stated errors assume that it squares the error. Where a singularity lies close to the contour,
    as where the forward barely exists, the differences d₁ and d₂ of the rules with steps h and 2h,
    before and after, give d₂²/d₁ instead.

    Parameters
    ----------
    allowed : ndarray, shape (n_rows, n_columns)
    before, after : ndarray, shape (n_rows,)
        Ratio of the rule's error, which scales as d², to the error allowed.
    """
    with np.errstate(all="ignore"):
        error = after[:, None] * np.sqrt(allowed / (STATED_SAFETY * before[:, None]))
    return np.where(np.isnan(error), np.inf, error)


def _rule(tilt: float, step: float, margin: float, length: float) -> _Rule:
    return _Rule(_contour(tilt, step, length, margin), _NO_PHASES)


def _contour(tilt: float, step: float, length: float, margin: float | None) -> Contour:
    n_nodes = _NODE_MULTIPLE * math.ceil(length / (step * _NODE_MULTIPLE))
    return sinh_contour(tilt, step, n_nodes, margin)


def _margin(index: int) -> float | None:
    """Sets that share the least tilt may have any margin above it, or none."""
    return 0.0 if index == len(TILTS) - 1 else None


@lru_cache(maxsize=64)
def _usual_steps(tolerance: float) -> tuple[float, ...]:
    return tuple(step_for(tolerance, float(tilt)) for tilt in TILTS)


def _count(model: Model) -> int:
    """Return the number of sets of a batch."""
    return int(np.broadcast(*model.as_mapping().values()).shape[0])


@lru_cache(maxsize=1024)
def _index_of_one(sector: float) -> int:
    return int(tilt_index(sector))

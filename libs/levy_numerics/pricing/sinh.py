"""European options by sinh-acceleration, the default method.

A pricer chooses the quadrature rule (`sinh_rule`), on which the kernel computes sums: the tilt of
its contour follows from the sector in which the characteristic function stays moderate, the number
of nodes from the decay of the integrand. Maturities whose estimated error exceeds the tolerance are
priced again, with finer steps and less tilted wings.
"""

from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Final, NamedTuple

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.jit import compiled
from levy_numerics.market import Contracts
from levy_numerics.models import compiled as compiled_models
from levy_numerics.models.admissibility import require_forward
from levy_numerics.models.base import Model
from levy_numerics.pricing.integrand_factors import BY_PARAMETER, VALUE_ONLY, IntegrandFactors
from levy_numerics.pricing.result import PriceGradient, Prices
from levy_numerics.pricing.sinh_contour import (
    STATED_SAFETY,
    TILTS,
    Contour,
    sectors_of,
    step_for,
    tilt_index,
)
from levy_numerics.pricing.sinh_rule import (
    MAX_LENGTH,
    TRUNCATION_SHARE,
    Rule,
    Sums,
    sums_to_convergence,
)

# Fractions of the usual tilt and of the step for it, tried in turn.
_REFINEMENTS: Final = ((1.0, 0.5), (0.5, 0.25), (0.5, 0.1), (0.0, 0.1), (0.0, 0.03))
# Initial y of the last node: |ξ| = 1,300, enough for a total volatility of 0.7%.
_INITIAL_LENGTH: Final = 7.5
# The same for repeated evaluations: the next parameter set often needs a few more nodes, and they
# cost less than a new table of phase factors.
_INITIAL_LENGTH_IF_REPEATED: Final = 11.0
_MIN_LENGTH: Final = 3.0
# Growth for contours that JAX uses, where every node is computed for every evaluation.
_FINE_GROWTH: Final = 1.1
# A step is shortened by this factor after a refinement, down to this fraction of the usual step.
_STEP_FACTOR: Final = 0.75
_MIN_STEP_FACTOR: Final = 0.5
_TOLERANCES: Final = (1e-13, 1e-2)
# Parameter sets per kernel call, so that their rows stay in the processor's cache.
_BLOCK_SETS: Final = 64


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
        Shapes (n,) or (n_sets, n). `error` exceeds the tolerance if that could not be met. NaN for
        sets of a batch with infinite E[S_T].

    Raises
    ------
    OutsideStripError
        E[S_T] of a single parameter set is infinite at one of the maturities.
    """
    return SinhPricer(contracts, tolerance).price(model)


def price_gradient(
    model: Model, contracts: Contracts, *, tolerance: float = 1e-10
) -> PriceGradient:
    """Return present values and their derivatives in every parameter, of similar accuracy."""
    return SinhPricer(contracts, tolerance).price_gradient(model)


class KernelRule(NamedTuple):
    """Arguments of compiled callers of `fourier_sums`, for n contracts.

    Attributes
    ----------
    sectors : tuple of float
        The rule suits models whose sector is at least the first and below the second angle.
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

    sectors: tuple[float, float]
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
    """Pricer of fixed contracts that reuses contours and phase factors between calls.

    Parameters
    ----------
    contracts : Contracts
    tolerance : float
        Requested error, as a fraction of the forward's present value; 1e-13 to 1e-2.
    is_repeated : bool
        Whether many evaluations follow, as in a calibration: phase factors are then tabulated for
        the first, otherwise from the second on.
    """

    contracts: Contracts
    tolerance: float = 1e-10
    is_repeated: bool = False
    _rules: dict[int, Rule] = field(default_factory=dict, init=False, repr=False)
    # Rules with phase factors by tilt, step and number of nodes, shared by `for_contracts`.
    _tabulated: dict[tuple[int, float, int], Rule] = field(
        default_factory=dict, init=False, repr=False
    )
    # Index of the tilt of the last single set.
    _latest: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        low, high = _TOLERANCES
        if not (low <= self.tolerance <= high):
            raise InvalidInputError(f"tolerance = {self.tolerance:g} must lie in [{low}, {high}]")
        # A copy for each pricer: `_shorten_step` changes it.
        self._steps = list(_usual_steps(self.tolerance))
        layout, c = self.contracts.by_maturity, self.contracts
        # The kernel's errors are in units of the strike, the tolerance in units of the forward.
        self._allowed = np.where(layout.mask, self.tolerance * layout.forward_ratio, np.inf)
        self._strike_value = c.discount * c.strike
        self._covered_leg = np.where(c.is_call, c.discount * c.forward, self._strike_value)

    def for_contracts(self, contracts: Contracts) -> "SinhPricer":
        """Return a pricer that shares tables with this one, for use in another thread.

        Parameters
        ----------
        contracts : Contracts
            With equal maturities and ln(F/K), up to rounding, in the same order.
        """
        other = SinhPricer(contracts, self.tolerance, self.is_repeated)
        other._rules, other._steps = dict(self._rules), list(self._steps)
        other._tabulated = self._tabulated
        return other

    def price(self, model: Model, *, refine: bool = True) -> Prices:
        """Return present values, shape (n,), or (n_sets, n) for a batch.

        Parameters
        ----------
        model : Model
        refine : bool
            Whether maturities that miss the tolerance are priced again, with finer steps.
        """
        sums = self._evaluate(model, VALUE_ONLY, refine=refine)
        if model.is_batch:
            return self._replace_overflow(self._present_values(sums.value, sums.error), sums.drift)
        drift = sums.drift[0]
        require_forward(model, self.contracts.by_maturity.maturity_years, drift)
        return self._replace_overflow(self._present_values(sums.value[0], sums.error[0]), drift)

    def price_gradient(self, model: Model) -> PriceGradient:
        """Return present values and derivatives of one parameter set."""
        prices, terms = self.price_with_terms(model, BY_PARAMETER)
        return PriceGradient(prices.value, prices.error, terms * -self._strike_value)

    def price_with_terms(
        self, model: Model, factors: IntegrandFactors
    ) -> tuple[Prices, np.ndarray]:
        """Return present values, and derivatives of E[min(S, K)]/K, shape (n_terms, n)."""
        layout = self.contracts.by_maturity
        sums = self._evaluate(model, factors, refine=True)
        require_forward(model, layout.maturity_years, sums.drift[0])
        prices = self._present_values(sums.value[0], sums.error[0])
        return prices, layout.to_contract_order(sums.terms[:, 0])

    @property
    def n_nodes(self) -> int:
        """Number of nodes of the longest rule in use, to which the cost is proportional."""
        return max((rule.contour.n_nodes for rule in self._rules.values()), default=0)

    def kernel_rule(self) -> KernelRule:
        """Return the rule of the tilt that was used last, with phase factors."""
        index = self._latest
        known = self._rules.get(index)
        length = _INITIAL_LENGTH_IF_REPEATED if known is None else known.length
        rule = self._rule(index, True, length)
        layout, c = self.contracts.by_maturity, self.contracts
        contour = rule.contour
        return KernelRule(
            sectors_of(index),
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
        """Return one contour for all sets of a batch with finite E[S_T].

        Raises
        ------
        OutsideStripError
            Every set has an infinite E[S_T] at some maturity.
        """
        years = self.contracts.by_maturity.maturity_years
        exists = np.asarray(model.expanded(1).forward_exists(years))
        valid = np.flatnonzero(np.broadcast_to(exists, (_count(model), years.size)).all(axis=-1))
        if not valid.size:
            require_forward(model, years, np.full(years.shape, np.nan))
        model = model.select(valid)
        index = int(np.max(tilt_index(self._sector(model))))
        length = _MIN_LENGTH
        while True:
            rule = Rule.of_length(float(TILTS[index]), self._steps[index], _margin(index), length)
            sums = self._sums_on(rule.contour, model)
            if length > MAX_LENGTH or sums.largest[1] <= TRUNCATION_SHARE:
                return rule.contour
            length *= _FINE_GROWTH

    def price_on(self, contour: Contour, model: Model) -> Prices:
        """Return present values of a batch, shape (n_sets, n), on a given contour, unrefined."""
        sums = self._sums_on(contour, model)
        return self._present_values(sums.value, sums.error)

    def _sums_on(self, contour: Contour, model: Model) -> Sums:
        rule = Rule(contour)
        return rule.sums(self.contracts.by_maturity, self._allowed, model, VALUE_ONLY)

    def _evaluate(self, model: Model, factors: IntegrandFactors, *, refine: bool) -> Sums:
        """Evaluate all sets, grouped by their tilt; then refine maturities if necessary."""
        sector = self._sector(model)
        if model.is_batch:
            sector = np.broadcast_to(sector, _count(model))
            sums = self._evaluate_batch(model, sector, factors)
        else:
            self._latest = _tilt_index_of_set(float(sector))
            sums = self._on_cached_rule(model, self._latest, factors)
        if refine and sums.largest[0] > 1.0:
            for s in np.flatnonzero((sums.excess[0] > 1.0).any(axis=1)).tolist():
                single = model.select(s) if model.is_batch else model
                self._refine(sums, s, single, float(np.ravel(sector)[s]), factors)
        return sums

    def _evaluate_batch(self, model: Model, sector: np.ndarray, factors: IntegrandFactors) -> Sums:
        shape = (sector.size, *self._allowed.shape)
        terms, by_row = np.empty((0, *shape)), np.empty((3, *shape[:-1]))
        sums = Sums(np.empty(shape), np.empty(shape), terms, by_row[:2], by_row[2], (np.inf,) * 2)
        index = tilt_index(sector)
        for k in np.unique(index):
            members = np.flatnonzero(index == k)
            for start in range(0, members.size, _BLOCK_SETS):
                block = members[start : start + _BLOCK_SETS]
                part = self._on_cached_rule(model.select(block), int(k), factors)
                sums.value[block], sums.error[block] = part.value, part.error
                sums.excess[:, block], sums.drift[block] = part.excess, part.drift
        return sums

    def _on_cached_rule(self, model: Model, index: int, factors: IntegrandFactors) -> Sums:
        """Evaluate on the cached rule of a tilt, which grows if these sets need more nodes."""
        # Phase factors cost as much as a few evaluations: a single evaluation does not use them.
        tabulate = self.is_repeated or index in self._rules or model.is_batch
        cached = self._rules.get(index)
        initial = _INITIAL_LENGTH_IF_REPEATED if self.is_repeated else _INITIAL_LENGTH
        length = initial if cached is None else cached.length
        rule, layout = partial(self._rule, index, tabulate), self.contracts.by_maturity
        return sums_to_convergence(rule, length, layout, self._allowed, model, factors)

    def _rule(self, index: int, tabulate: bool, length: float) -> Rule:
        """Return the cached rule of a tilt, of a length at least."""
        cached = self._rules.get(index)
        if cached is None or cached.length < length:
            tilt, step = float(TILTS[index]), self._steps[index]
            cached = self._rules[index] = Rule.of_length(tilt, step, _margin(index), length)
        if tabulate and not len(cached.phases):
            key = index, cached.contour.step, cached.contour.n_nodes
            if key not in self._tabulated:
                self._tabulated[key] = cached.tabulated(self.contracts.by_maturity)
            cached = self._rules[index] = self._tabulated[key]
        return cached

    def _refine(
        self, sums: Sums, s: int, model: Model, sector: float, factors: IntegrandFactors
    ) -> None:
        """Price the maturities of set `s` that miss the tolerance again, with finer rules."""
        index = _tilt_index_of_set(sector)
        length = self._rules[index].length if index in self._rules else _INITIAL_LENGTH
        for of_tilt, of_step in _REFINEMENTS:
            rows = np.flatnonzero(sums.excess[0, s] > 1.0)
            if not rows.size:
                break
            tilt, step = of_tilt * float(TILTS[index]), of_step * self._steps[index]
            margin = max(sector - tilt, 0.0)
            refined = sums_to_convergence(
                partial(Rule.of_length, tilt, step, margin),
                length,
                self.contracts.by_maturity.rows(rows),
                self._allowed[rows],
                model,
                factors,
            )
            allowed = self._allowed[rows]
            linear = _linear_error(allowed, sums.excess[0, s, rows], refined.excess[0, 0])
            # The added bound must not lift an error that meets the tolerance above it.
            error = np.minimum(
                refined.error[0] + linear, np.maximum(refined.error[0], 0.99 * allowed)
            )
            refined.error[0] = np.where(np.isfinite(allowed), error, 0.0)
            sums.improve(np.array([s]), rows, refined)
        self._shorten_step(index)

    def _shorten_step(self, index: int) -> None:
        """Use a finer step from now on, as parameter sets close to this one would need it too."""
        if self._steps[index] > _MIN_STEP_FACTOR * step_for(self.tolerance, float(TILTS[index])):
            self._steps[index] *= _STEP_FACTOR
            self._rules.pop(index, None)

    def _sector(self, model: Model) -> np.ndarray:
        """Return the largest admissible angle of the wings, shape of the sets, or ()."""
        longest = self.contracts.by_maturity.maturity_years[-1:]
        sector = compiled_models.sector(model.expanded(1), longest)
        return sector[..., 0] if sector.ndim else sector

    def _present_values(self, covered_value: np.ndarray, error: np.ndarray) -> Prices:
        """Return prices from E[min(S, K)]/K and its error, shapes (…, n_maturities, n_columns).

        A value outside the no-arbitrage bounds is moved to the nearest bound, and its error is at
        least that distance. No error exceeds the distance of the bounds.
        """
        c, shape = self.contracts, covered_value.shape[:-2]
        n_entries = covered_value.shape[-1] * covered_value.shape[-2]
        value, error = present_values(
            covered_value.reshape(-1, n_entries),
            error.reshape(-1, n_entries),
            c.by_maturity.position,
            (self._covered_leg, self._strike_value, c.lower_bound, c.upper_bound),
        )
        return Prices(value.reshape(*shape, c.size), error.reshape(*shape, c.size))

    def _replace_overflow(self, prices: Prices, drift: np.ndarray) -> Prices:
        """Replace NaN by the middle of the no-arbitrage interval, with half its width as error.

        Parameters
        ----------
        prices : Prices
            Shapes (…, n).
        drift : ndarray, shape (…, n_maturities)
            NaN if E[S_T] is infinite; these prices remain NaN.
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
    value, bound = np.empty((len(covered), len(position))), np.empty((len(covered), len(position)))
    for s in range(len(covered)):
        for k in range(len(position)):
            price = leg[k] - covered[s, position[k]] * strike_value[k]
            # min and max would replace NaN by a bound.
            value[s, k] = price if price != price else min(max(price, low[k]), high[k])
            total = max(error[s, position[k]] * strike_value[k], abs(value[s, k] - price))
            bound[s, k] = np.inf if price != price else min(total, high[k] - low[k])
    return value, bound


def _linear_error(allowed: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the error of refined rows if the rule converges linearly.

    Error estimates assume that half the step squares the error. If a singularity lies close to the
    contour, as for an almost infinite E[S_T], a finer step gains a constant factor only. The error
    is then d₂²/d₁, with d₁ and d₂ the differences of the rules with steps h and 2h before and after
    the refinement.

    Parameters
    ----------
    allowed : ndarray, shape (n_rows, n_columns)
    before, after : ndarray, shape (n_rows,)
        Ratio of the rule's error, which scales as d², to the allowed error.
    """
    with np.errstate(all="ignore"):
        error = after[:, None] * np.sqrt(allowed / (STATED_SAFETY * before[:, None]))
    return np.where(np.isnan(error), np.inf, error)


def _margin(index: int) -> float | None:
    """Return the margin above a tilt: zero for the smallest, which serves all narrower sectors."""
    return 0.0 if index == len(TILTS) - 1 else None


@lru_cache(maxsize=64)
def _usual_steps(tolerance: float) -> tuple[float, ...]:
    return tuple(step_for(tolerance, float(tilt)) for tilt in TILTS)


def _count(model: Model) -> int:
    """Return the number of sets of a batch."""
    return int(np.broadcast(*model.as_mapping().values()).shape[0])


@lru_cache(maxsize=1024)
def _tilt_index_of_set(sector: float) -> int:
    return int(tilt_index(sector))

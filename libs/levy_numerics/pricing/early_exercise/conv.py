"""Early exercise and discrete barriers by convolution on a grid of the log price (CONV).

The value at one date is the discounted convolution of the value at the next with the density of the
log-return, computed by FFT. Prices are homogeneous: all strikes of one maturity are points of one
grid of ln(S/K). At constant rates all maturities are moments of one sweep backwards in time to go;
otherwise each maturity is a row of the array that goes back in calendar time. Calls are puts under
the measure whose numeraire is the stock, ψ*(u) = ψ(−u − i) − ψ(−i) (Fajardo and Mordecki), since
puts are bounded.

Values between nodes are cubic splines, whose exact expectation has the symbol
Σ_k s⁴(ω_k)exp(ψ(ω_k)Δt)/Σ_k s⁴(ω_k), s the sinc function and ω_k = ω + 2πk/h. It does not oscillate
where the density is singular (Variance Gamma at short steps), as cosine series do.
The kinks at the strike and at the exercise boundary, and the jump at a barrier, are corrected by
`kinks`. American options are the limit of Bermudan ones with N, 2N, 4N (and 8N) dates by Richardson
extrapolation in powers of 1/N. The price is that of `sinh` plus the difference of the American and
the European price on the grid, so that errors at the strike cancel.

References
----------
Lord, Fang, Bervoets and Oosterlee (2008), SIAM Journal on Scientific Computing 30(4), 1678-1705;
Fang and Oosterlee (2009), Numerische Mathematik 114, 27-62, eq. (46) (extrapolation); Fajardo and
Mordecki (2006), Quantitative Finance 6(3), 219-227 (duality).
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from levy_numerics.errors import InvalidInputError, UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models.base import LevyModel, Model
from levy_numerics.pricing import sinh
from levy_numerics.pricing.early_exercise.conv_grid import Grid, Side
from levy_numerics.pricing.early_exercise.conv_sweep import KnockOut, Sweep, sweep
from levy_numerics.pricing.early_exercise.market_path import MarketPath
from levy_numerics.pricing.early_exercise.schedule import calendar_segments, time_to_go_segments
from levy_numerics.pricing.early_exercise.terms import Terms, require_stationary_increments
from levy_numerics.pricing.result import Prices

# Weights of Bermudan values with N, 2N, … dates whose errors in 1/N, 1/N², … cancel.
_EXTRAPOLATION: Final = {
    1: np.array([1.0]),
    2: np.array([-1.0, 2.0]),
    3: np.array([1.0, -6.0, 8.0]) / 3.0,
    4: np.array([-1.0, 14.0, -56.0, 64.0]) / 21.0,
}


_NOT_HELD: Final = 1e-9
"""Value of holding, in units of the strike, below which an option counts as exercised."""


@dataclass(frozen=True)
class Accuracy:
    """Discretisation.

    Attributes
    ----------
    n_levels : int
        Bermudan values that are extrapolated.
    n_dates : int
        Exercise dates until the first maturity at the coarsest level; later intervals have as many
        as keep the step below a fraction 1/n_dates of the time to go.
    spacing : float
        Spacing of the grid, in standard deviations of the log-return until the first maturity.
    tail : float
        Probability that the log-return leaves the grid.
    coarsening : float
        Factor of the spacing that results.
    """

    n_levels: int
    n_dates: int
    spacing: float
    tail: float
    coarsening: float = 1.0

    @classmethod
    def of(cls, tolerance: float) -> "Accuracy":
        """Return the discretisation for an error, as a fraction of the spot."""
        if tolerance >= 1e-5:
            return cls(4, 8, 0.04, 0.01 * tolerance)
        return cls(4, 16, 0.015, max(0.01 * tolerance, 1e-12))

    def coarser(self) -> "Accuracy":
        """Return a discretisation with half the nodes, whose difference estimates the error."""
        return replace(self, n_levels=max(self.n_levels - 1, 1), coarsening=2.0)


@dataclass(frozen=True)
class Values:
    """Results of one side, in contract order, each of shape (n,).

    Attributes
    ----------
    premium : ndarray
        Value minus European value, in currency.
    european : ndarray
        European value on the grid, in currency.
    delta, gamma, by_time : ndarray
        Derivatives of the premium in the spot, and in the time to go.
    is_exercised : ndarray of bool
        Whether the payoff exceeds the value of holding an American option.
    boundary_years, boundary : ndarray, shape (n_dates,)
        Time to go, and spot in units of the strike at which exercise becomes optimal; of the last
        maturity, and empty unless rates are constant and exercise is American.
    """

    premium: np.ndarray
    european: np.ndarray
    delta: np.ndarray
    gamma: np.ndarray
    by_time: np.ndarray
    is_exercised: np.ndarray
    boundary_years: np.ndarray
    boundary: np.ndarray


def price(
    model: Model,
    contracts: Contracts,
    *,
    tolerance: float = 1e-7,
    terms: Terms | None = None,
    spot: float | None = None,
) -> Prices:
    """Return present values by convolution.

    Parameters
    ----------
    model : LevyModel
        One parameter set.
    contracts : Contracts
        n of them. Their forwards and discount factors give rates between maturities.
    tolerance : float
        Requested error, as a fraction of the spot.
    terms : Terms, optional
        European if absent.
    spot : float, optional
        In currency; required unless the options are European.

    Returns
    -------
    Prices
        Shape (n,). `error` is the difference from the price with half the nodes and fewer dates.

    Raises
    ------
    UnsupportedError
        The increments are not stationary, there are cash dividends, or a barrier is monitored
        continuously.
    InvalidInputError
        The terms contradict spot or maturities.
    """
    terms = terms or Terms()
    spot = required_spot(terms, contracts, spot)
    levy = checked_model(model, contracts, terms, spot)
    path = MarketPath.of(contracts, spot)
    accuracy = Accuracy.of(tolerance)
    fine = values(levy, contracts, path, spot, terms, accuracy)
    coarse = values(levy, contracts, path, spot, terms, accuracy.coarser())
    if terms.is_plain:
        value, error = fine.european, np.abs(fine.european - coarse.european)
    else:
        european = sinh.price(model, contracts)
        value = combine(european.value, fine.premium, contracts, spot, terms)
        error = np.abs(fine.premium - coarse.premium) + european.error
    scale = np.where(contracts.is_call, spot, contracts.strike)
    return Prices(value, error + accuracy.tail * scale)


def required_spot(terms: Terms, contracts: Contracts, spot: float | None) -> float:
    """Return the spot; European options without barrier do not require one."""
    if spot is not None:
        return spot
    if terms.is_plain:
        return float(contracts.forward[0])
    raise InvalidInputError("early exercise and barriers require the spot", field="spot")


def checked_model(model: Model, contracts: Contracts, terms: Terms, spot: float) -> LevyModel:
    """Return the model after checks of what this method supports."""
    terms.check(model, contracts, spot)
    if terms.has_dividends:
        raise UnsupportedError(
            "conv does not support cash dividends: the price is not homogeneous in spot and "
            "strike; choose pide, or give a dividend yield"
        )
    if terms.barrier is not None and not terms.barrier.dates:
        raise UnsupportedError(
            "conv monitors barriers at dates, not continuously; give the monitoring dates, or "
            "choose pide"
        )
    return require_stationary_increments(model)


def combine(
    european: np.ndarray, premium: np.ndarray, contracts: Contracts, spot: float, terms: Terms
) -> np.ndarray:
    """Return the price, given the European one and the difference on the grid, shape (n,)."""
    if terms.barrier is not None and terms.barrier.is_in:
        return np.asarray(np.maximum(-premium, 0.0))
    value = np.maximum(european + premium, 0.0)
    if terms.exercise == "european" or terms.barrier is not None:
        return np.asarray(value)
    if terms.exercise == "bermudan":
        return np.asarray(np.maximum(value, european))
    signed = np.where(contracts.is_call, spot - contracts.strike, contracts.strike - spot)
    return np.asarray(np.maximum(np.maximum(value, european), signed))


def extrapolated_values(
    model: Model, contracts: Contracts, terms: Terms, spot: float, tolerance: float = 1e-7
) -> Values:
    """Return premiums and sensitivities, extrapolated to continuous exercise."""
    levy = checked_model(model, contracts, terms, spot)
    path = MarketPath.of(contracts, spot)
    return values(levy, contracts, path, spot, terms, Accuracy.of(tolerance))


def values(
    model: LevyModel,
    contracts: Contracts,
    path: MarketPath,
    spot: float,
    terms: Terms,
    accuracy: Accuracy,
) -> Values:
    """Return the results of puts and calls, extrapolated to continuous exercise."""
    n = contracts.size
    arrays = {name: np.zeros(n) for name in ("premium", "european", "delta", "gamma", "by_time")}
    arrays["is_exercised"] = np.zeros(n, dtype=bool)
    boundary_years = boundary = np.empty(0)
    for is_call in (False, True):
        which = np.flatnonzero(contracts.is_call == is_call)
        if which.size == 0:
            continue
        side = Side(model, is_call)
        part = contracts.select(which)
        group = path.group[which]
        result = _one_side(side, part, group, path, spot, terms, accuracy)
        for name, array in arrays.items():
            array[which] = getattr(result, name)
        boundary_years, boundary = result.boundary_years, result.boundary
    return Values(**arrays, boundary_years=boundary_years, boundary=boundary)


def _one_side(
    side: Side,
    contracts: Contracts,
    group: np.ndarray,
    path: MarketPath,
    spot: float,
    terms: Terms,
    accuracy: Accuracy,
) -> Values:
    state = side.sign * np.log(spot / contracts.strike)
    rate, carry = side.rates(path.rate, path.carry)
    path = replace(path, rate=rate, carry=carry)
    knock_out, rows, row_of = None, path.years[::-1], path.years.size - 1 - group
    if terms.barrier is not None:
        order = np.argsort(-contracts.maturity_years, kind="stable")
        rows, row_of = contracts.maturity_years[order], np.argsort(order)
        level = side.sign * np.log(terms.barrier.level / contracts.strike[order])
        knock_out = KnockOut(level, terms.barrier.is_up != side.is_call)
    flat = path.is_flat and terms.exercise != "bermudan" and knock_out is None
    if flat:
        row_of = group
    is_american = terms.exercise == "american"
    weights = _EXTRAPOLATION[accuracy.n_levels if is_american else 1]
    grid = _grid(side, state, path, terms, accuracy)
    total: Sweep | None = None
    for k, weight in enumerate(weights):
        segments = (
            time_to_go_segments(path, accuracy.n_dates if is_american else 0, 2**k)
            if flat
            else calendar_segments(path, rows, terms, accuracy.n_dates, 2**k)
        )
        result = sweep(grid, segments, knock_out)
        total = result.scaled(weight) if total is None else total.plus(result.scaled(weight))
    assert total is not None
    if not (flat and is_american):
        total = replace(total, boundary_years=np.empty(0), boundary=np.empty(0))
    return _at_contracts(grid, total, row_of, state, contracts, spot)


def _grid(
    side: Side, state: np.ndarray, path: MarketPath, terms: Terms, accuracy: Accuracy
) -> Grid:
    """Return a grid that covers the state of all contracts and moves until the last maturity."""
    longest, shortest = float(path.years[-1]), float(path.years[0])
    total = float(np.sum(path.carry * np.diff(path.years, prepend=0.0)))
    carry = total / longest
    log_tail = float(np.log(accuracy.tail))
    down = side.reach(longest, carry, log_tail, -1.0)
    up = side.reach(longest, carry, log_tail, 1.0)
    left = max(down - min(float(state.min()), 0.0), 0.0)
    right = max(up + max(float(state.max()), 0.0), 0.0)
    n_dates = accuracy.n_dates * 2 ** (accuracy.n_levels - 1)
    return Grid.of(
        side,
        reach=(left, right),
        spacing=accuracy.spacing * side.standard_deviation(shortest),
        first_step=shortest / n_dates if terms.exercise == "american" else _shortest(path, terms),
        coarsening=accuracy.coarsening,
    )


def _shortest(path: MarketPath, terms: Terms) -> float:
    """Return the shortest step between dates and maturities, in years."""
    monitored = () if terms.barrier is None else terms.barrier.dates
    dates = np.unique(np.concatenate([[0.0], path.years, terms.exercise_dates, monitored]))
    return float(np.diff(dates).min())


def _at_contracts(
    grid: Grid,
    result: Sweep,
    row_of: np.ndarray,
    state: np.ndarray,
    contracts: Contracts,
    spot: float,
) -> Values:
    is_call = grid.side.is_call
    scale = spot if is_call else contracts.strike
    premium, slope, curvature = grid.interpolate(result.premium[row_of], state)
    by_time, _, _ = grid.interpolate(result.by_time[row_of], state)
    european, _, _ = grid.interpolate(result.european[row_of], state)
    # A put is K·f(ln(S/K)), a call S·f(ln(K/S)).
    delta = premium - slope if is_call else scale * slope / spot
    gamma = (curvature - slope) * (1.0 / spot if is_call else scale / spot**2)
    # Within the extrapolation's error of the payoff, holding is not worth more.
    held = premium + european + np.expm1(np.minimum(state, 0.0))
    return Values(
        premium=scale * premium,
        european=scale * european,
        is_exercised=(state < 0.0) & (held <= _NOT_HELD),
        delta=delta,
        gamma=gamma,
        by_time=scale * by_time,
        boundary_years=result.boundary_years,
        boundary=np.exp(grid.side.sign * result.boundary),
    )

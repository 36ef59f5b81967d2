"""Early exercise by implicit-explicit finite differences (PIDE) on a grid of the log price.

`pide_operator` describes the grid's generator, `pide_sweep` the steps in time. Prices are
homogeneous: all strikes are points of one grid of ln(S/K), and at constant rates all maturities are
moments of one sweep. With a barrier, which is monitored continuously, or cash dividends each
contract has its own grid. Calls are puts under the measure whose numeraire is the stock, as in
`conv`.

Errors are of second order in the spacing and in the step. Three grids, each with half the spacing
and half the time step of the one before, give two extrapolated prices (Richardson); the result is
that of the finer pair, and its differences from the others estimate its error. An option with other
terms is worth its European price by `sinh` plus the difference of both on the grid, so that errors
at the strike cancel.
"""

from typing import Final

import numpy as np

from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models.base import LevyModel, Model
from levy_numerics.pricing import sinh
from levy_numerics.pricing.early_exercise.conv import Values, combine, required_spot
from levy_numerics.pricing.early_exercise.conv_grid import Side
from levy_numerics.pricing.early_exercise.market_path import MarketPath
from levy_numerics.pricing.early_exercise.pide_grid import Accuracy, ContractGrid
from levy_numerics.pricing.early_exercise.pide_sweep import Frame, Record, sweep
from levy_numerics.pricing.early_exercise.terms import Terms, require_stationary_increments
from levy_numerics.pricing.result import Prices

_SAFETY: Final = 3.0
"""As in the grid convergence index of Roache (1994), Journal of Fluids Engineering 116, 405-413."""
_NOT_HELD: Final = 1e-9
"""Value of holding, in units of the strike, below which an option counts as exercised."""


def price(
    model: Model,
    contracts: Contracts,
    *,
    tolerance: float = 1e-5,
    terms: Terms | None = None,
    spot: float | None = None,
) -> Prices:
    """Return present values by finite differences.

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
        Shape (n,). `error` is the difference from the price of the next coarser pair of grids, or
        from that of the finest grid alone if it is larger, times 3.

    Raises
    ------
    UnsupportedError
        The increments are not stationary, or the terms are not supported.
    InvalidInputError
        The terms contradict spot or maturities.
    """
    terms = terms or Terms()
    spot = required_spot(terms, contracts, spot)
    levy = checked_model(model, contracts, terms, spot)
    path = MarketPath.of(contracts, spot)
    accuracy = Accuracy.of(tolerance)
    grids = [on_grid(levy, contracts, path, spot, terms, accuracy.coarser(k)) for k in (4, 2, 1)]
    coarse, fine = _extrapolated(grids[0], grids[1]), _extrapolated(grids[1], grids[2])
    scale = np.where(contracts.is_call, spot, contracts.strike)
    if terms.is_plain:
        error = _error_estimate(fine.european, coarse.european, grids[2].european)
        return Prices(fine.european, error + accuracy.tail * scale)
    european = sinh.price(model, contracts)
    value = _combined(european.value, fine.premium, contracts, spot, terms)
    error = _error_estimate(fine.premium, coarse.premium, grids[2].premium)
    return Prices(value, error + european.error + accuracy.tail * scale)


def _error_estimate(fine: np.ndarray, coarse: np.ndarray, finest: np.ndarray) -> np.ndarray:
    """Return the change from the coarser pair, or from the finest grid alone if larger.

    It is multiplied by a factor of safety. The second change bounds the error where the coarser
    pair happens to err by as much as the finer one.
    """
    # Exercise boundaries between nodes, and steps that stability shortens by a factor that differs
    # between grids, make the extrapolated value converge irregularly.
    return np.asarray(_SAFETY * np.maximum(np.abs(fine - coarse), np.abs(fine - finest)))


def checked_model(model: Model, contracts: Contracts, terms: Terms, spot: float) -> LevyModel:
    """Return the model after checks of what this method supports."""
    terms.check(model, contracts, spot)
    if terms.barrier is not None and terms.barrier.dates:
        raise UnsupportedError(
            "pide monitors barriers continuously; choose conv for monitoring dates, or give none"
        )
    if terms.barrier is not None and terms.barrier.is_in and terms.has_dividends:
        raise UnsupportedError(
            f"{terms.barrier.kind} options with cash dividends are not priced; price the option "
            "without barrier and the out option, whose difference it is"
        )
    return require_stationary_increments(model)


def _combined(
    european: np.ndarray,
    premium: np.ndarray,
    contracts: Contracts,
    spot: float,
    terms: Terms,
) -> np.ndarray:
    """Return the price, given that of a European option without dividends and the difference."""
    if not terms.has_dividends:
        return combine(european, premium, contracts, spot, terms)
    value = np.maximum(european + premium, 0.0)
    if terms.exercise != "american":
        return np.asarray(value)
    payoff = np.where(contracts.is_call, 1.0, -1.0) * (spot - contracts.strike)
    return np.asarray(np.maximum(value, payoff))


def extrapolated_values(
    model: Model,
    contracts: Contracts,
    terms: Terms,
    spot: float,
    tolerance: float = 1e-5,
) -> Values:
    """Return premiums and sensitivities, extrapolated from two grids."""
    levy = checked_model(model, contracts, terms, spot)
    path, accuracy = MarketPath.of(contracts, spot), Accuracy.of(tolerance)
    grids = [on_grid(levy, contracts, path, spot, terms, accuracy.coarser(k)) for k in (2, 1)]
    return _extrapolated(*grids)


def _extrapolated(coarse: Values, fine: Values) -> Values:
    """Return (4·fine − coarse)/3, in which errors of second order cancel."""

    def combined(name: str) -> np.ndarray:
        return np.asarray((4.0 * getattr(fine, name) - getattr(coarse, name)) / 3.0)

    names = ("premium", "european", "delta", "gamma", "by_time")
    return Values(
        **{name: combined(name) for name in names},
        is_exercised=fine.is_exercised,
        boundary_years=fine.boundary_years,
        boundary=fine.boundary,
    )


def on_grid(
    model: LevyModel,
    contracts: Contracts,
    path: MarketPath,
    spot: float,
    terms: Terms,
    accuracy: Accuracy,
) -> Values:
    """Return the results of puts and calls on one grid, without extrapolation."""
    n = contracts.size
    arrays = {name: np.zeros(n) for name in ("premium", "european", "delta", "gamma", "by_time")}
    arrays["is_exercised"] = np.zeros(n, dtype=bool)
    boundary_years = boundary = np.empty(0)
    for is_call in (False, True):
        which = np.flatnonzero(contracts.is_call == is_call)
        # With a barrier or dividends, prices are not homogeneous: each contract has its own grid.
        batches = [which] if terms.is_homogeneous else list(which[:, None])
        for batch in batches:
            if batch.size == 0:
                continue
            grid = ContractGrid.of(Side(model, is_call), contracts.select(batch), path, spot, terms)
            scale = np.full(batch.size, spot) if is_call else contracts.strike[batch]
            frame = grid.frame(accuracy)
            for intervals, group in grid.sweeps():
                result = sweep(frame, intervals, grid.unit, accuracy.n_steps, terms.exercise)
                for g, record in zip(group, result.records, strict=True):
                    own = grid.group == g
                    part = _at_contracts(frame, record, grid.state[own], scale[own], spot)
                    for name, array in arrays.items():
                        array[batch[own]] = part[name]
            if grid.is_one_sweep and terms.exercise == "american":
                sign = -1.0 if is_call else 1.0
                boundary_years, boundary = (
                    result.boundary_years,
                    np.exp(sign * result.boundary),
                )
    return Values(**arrays, boundary_years=boundary_years, boundary=boundary)


def _at_contracts(
    frame: Frame, record: Record, state: np.ndarray, scale: np.ndarray, spot: float
) -> dict[str, np.ndarray]:
    """Return the fields of `Values` for the contracts of one maturity."""
    z = state + record.shift
    european, other = frame.interpolate(record.values, z)
    premium, slope, curvature = (other - european).T
    by_time = frame.interpolate(record.by_time[1] - record.by_time[0], z)[:, 0]
    held = other[:, 0] + np.expm1(np.minimum(state, 0.0))
    # A put is K·f(ln(S/K)), a call S·f(ln(K/S)).
    return {
        "premium": scale * premium,
        "european": scale * european[:, 0],
        "delta": premium - slope if frame.is_call else scale * slope / spot,
        "gamma": (curvature - slope) * scale / spot**2,
        "by_time": scale * (by_time + record.speed * slope),
        "is_exercised": (state < 0.0) & (held <= _NOT_HELD),
    }

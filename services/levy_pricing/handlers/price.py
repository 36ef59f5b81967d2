"""Price a grid of options."""

from typing import Final

import numpy as np

from levy_numerics import models, pricing
from levy_numerics.implied_volatility import implied_vol_or_reason, rounding_error
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.pricing.early_exercise import Barrier, Dividend, Terms
from levy_numerics.pricing.early_exercise.premium import EarlyExercise, early_exercise
from levy_numerics.pricing.greeks import greeks
from levy_numerics.pricing.registry import default_method
from levy_numerics.pricing.result import Prices
from levy_schemas.pricing import ExerciseBoundary, Greeks, PriceRequest, PriceResult
from levy_schemas.wire import Matrix, SparseMatrix

_WARNING_ERROR: Final = 1e-6
"""Error of a price, as a fraction of the discounted forward, above which there is a warning."""


def price(request: PriceRequest) -> PriceResult:
    """Price every strike at every maturity.

    Raises
    ------
    LevyError
        The model is unknown, its parameters are not admissible, or the method does not apply.
    """
    model = models.from_mapping(request.model_type, request.parameters)
    contracts = Contracts.grid(
        spot=request.spot_price,
        rate=request.risk_free_rate,
        dividend_yield=request.dividend_yield,
        strikes=np.asarray(request.strikes),
        maturities=np.asarray(request.maturities),
        is_call=request.option_type == "call",
    )
    terms = _terms(request)
    method = request.method or default_method(terms)
    prices = pricing.price(model, contracts, method=method, terms=terms, spot=request.spot_price)
    if terms.is_plain:
        return _result(request, model, contracts, prices, prices, method)
    # European options without barrier and with the same dividends.
    same = Terms(dividends=terms.dividends)
    european = (
        prices
        if terms == same
        else pricing.price(model, contracts, terms=same, spot=request.spot_price)
    )
    details = (
        early_exercise(model, contracts, terms, request.spot_price, method=method)
        if request.greeks
        else None
    )
    return _result(request, model, contracts, prices, european, method, details)


def _terms(request: PriceRequest) -> Terms:
    barrier = request.barrier
    return Terms(
        exercise=request.exercise,
        exercise_dates=request.exercise_dates or (),
        barrier=None
        if barrier is None
        else Barrier(barrier.kind, barrier.level, barrier.dates or ()),
        dividends=tuple(Dividend(d.years, d.amount) for d in request.dividends),
    )


def _result(
    request: PriceRequest,
    model: Model,
    contracts: Contracts,
    prices: Prices,
    european: Prices,
    method: str,
    details: EarlyExercise | None = None,
) -> PriceResult:
    shape = (len(request.maturities), len(request.strikes))
    has_premium = request.exercise != "european" and request.barrier is None
    if request.barrier is not None or request.dividends:
        vols, n_missing = np.full(contracts.size, np.nan), 0
    else:
        vols = _implied_vols(european, contracts)
        n_missing = int(np.sum(np.isnan(vols)))
    return PriceResult(
        model_type=model.name,
        method=method,
        prices=_matrix(prices.value, shape),
        implied_vols=_sparse(vols, shape),
        greeks=_greeks(model, contracts, request, shape, details) if request.greeks else None,
        price_errors=_sparse(prices.error, shape),
        early_exercise_premiums=_sparse(prices.value - european.value, shape)
        if has_premium
        else None,
        exercise_boundary=None if details is None else _boundary(details),
        warnings=(
            *prices.notes,
            *_error_warning(prices.error, contracts),
            *_missing_vol_warning(n_missing, contracts.size),
        ),
    )


def _implied_vols(prices: Prices, contracts: Contracts) -> np.ndarray:
    """Return Black volatilities, NaN where the price does not determine one, shape (n,)."""
    vols = implied_vol_or_reason(
        prices.value,
        forward=contracts.forward,
        strike=contracts.strike,
        maturity_years=contracts.maturity_years,
        discount=contracts.discount,
        is_call=contracts.is_call,
        price_error=np.maximum(prices.error, rounding_error(prices.value, contracts)),
    )
    return np.where(vols.ok & (vols.vol > 0.0), vols.vol, np.nan)


def _greeks(
    model: Model,
    contracts: Contracts,
    request: PriceRequest,
    shape: tuple[int, int],
    details: EarlyExercise | None,
) -> Greeks:
    if details is not None:
        nothing = _sparse(np.full(contracts.size, np.nan), shape)
        return Greeks(
            delta=_sparse(details.delta, shape),
            gamma=_sparse(details.gamma, shape),
            vega=nothing,
            theta=_sparse(details.theta, shape),
            rho=nothing,
            dividend_rho=nothing,
            parameters={},
        )
    result = greeks(model, contracts, spot=request.spot_price)
    return Greeks(
        delta=_sparse(result.delta, shape),
        gamma=_sparse(result.gamma, shape),
        vega=_sparse(result.vega, shape),
        theta=_sparse(result.theta, shape),
        rho=_sparse(result.rho, shape),
        dividend_rho=_sparse(result.dividend_rho, shape),
        parameters={name: _sparse(values, shape) for name, values in result.parameters.items()},
    )


def _boundary(details: EarlyExercise) -> ExerciseBoundary | None:
    if details.boundary_years.size == 0:
        return None
    return ExerciseBoundary(
        time_to_go=tuple(details.boundary_years.tolist()),
        spot_over_strike=tuple(None if np.isnan(b) else b for b in details.boundary.tolist()),
    )


def _error_warning(errors: np.ndarray, contracts: Contracts) -> tuple[str, ...]:
    relative = errors / (contracts.discount * contracts.forward)
    worst = float(np.max(relative, initial=0.0, where=np.isfinite(relative)))
    if worst <= _WARNING_ERROR:
        return ()
    return (f"estimated price errors are up to {worst:.1e} of the forward; see price_errors",)


def _missing_vol_warning(n_missing: int, n_options: int) -> tuple[str, ...]:
    if n_missing == 0:
        return ()
    return (
        f"{n_missing} of {n_options} options have no implied volatility: the error of the price "
        "(see price_errors) is too large relative to the time value to determine it within 1%",
    )


def _matrix(values: np.ndarray, shape: tuple[int, int]) -> Matrix:
    return tuple(tuple(row) for row in np.reshape(values, shape).tolist())


def _sparse(values: np.ndarray, shape: tuple[int, int]) -> SparseMatrix:
    """Return nested tuples with None for entries that are not finite."""
    entries = values.astype(object)
    entries[~np.isfinite(values)] = None
    return tuple(tuple(row) for row in entries.reshape(shape).tolist())

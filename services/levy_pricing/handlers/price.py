"""Price a grid of options."""

from typing import Final

import numpy as np

from levy_numerics import models, pricing
from levy_numerics.implied_volatility import implied_vol_or_reason, rounding_error
from levy_numerics.market import Contracts
from levy_numerics.models.base import Model
from levy_numerics.pricing.greeks import greeks
from levy_schemas.pricing import Greeks, PriceRequest, PriceResult
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
    shape = (len(request.maturities), len(request.strikes))
    prices = pricing.price(model, contracts, method=request.method)
    vols = implied_vol_or_reason(
        prices.value,
        forward=contracts.forward,
        strike=contracts.strike,
        maturity_years=contracts.maturity_years,
        discount=contracts.discount,
        is_call=contracts.is_call,
        price_error=np.maximum(prices.error, rounding_error(prices.value, contracts)),
    )
    has_vol = vols.ok & (vols.vol > 0.0)
    return PriceResult(
        model_type=model.name,
        prices=_matrix(prices.value, shape),
        implied_vols=_sparse(np.where(has_vol, vols.vol, np.nan), shape),
        greeks=_greeks(model, contracts, request, shape) if request.greeks else None,
        price_errors=_sparse(prices.error, shape),
        warnings=(
            *prices.notes,
            *_error_warning(prices.error, contracts),
            *_missing_vol_warning(int(np.sum(~has_vol)), contracts.size),
        ),
    )


def _greeks(
    model: Model, contracts: Contracts, request: PriceRequest, shape: tuple[int, int]
) -> Greeks:
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

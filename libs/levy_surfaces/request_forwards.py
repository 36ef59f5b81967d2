"""Forwards and discount factors of the quotes of a request."""

from dataclasses import replace
from typing import Final

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts
from levy_numerics.surface import Forward
from levy_schemas.surface import SurfaceRequest
from levy_surfaces.maturities import group_maturities
from levy_surfaces.parity import bounds_on_forward, forward_at
from levy_surfaces.request_rows import RequestRows
from levy_surfaces.screening import QuoteArrays, equal_strikes

FORWARD_TOLERANCE: Final = 1e-3
"""Relative difference of forwards of one expiry, or from parity, that is not reported."""


def contracts_by_expiry(request: SurfaceRequest, rows: RequestRows) -> tuple[Contracts, list[str]]:
    """Return the contracts, maturities within a minute being one, and warnings."""
    years, warnings = group_maturities(rows.maturity_years)
    contracts = contracts_of(
        request, maturity_years=years, strike=rows.strike, is_call=rows.is_call
    )
    if warnings:
        sent = contracts_of(
            request, maturity_years=rows.maturity_years, strike=rows.strike, is_call=rows.is_call
        )
        for name in ("forward", "discount"):
            off = np.abs(getattr(sent, name) / getattr(contracts, name) - 1.0)
            if off.max() > FORWARD_TOLERANCE:
                raise InvalidInputError(
                    f"forwards give one expiry, at {years[off.argmax()]:g} years, several values "
                    f"of {name}; maturities within a minute are one expiry: give it one",
                    pointer="/forwards",
                )
    return contracts, warnings


def contracts_of(
    request: SurfaceRequest,
    *,
    maturity_years: np.ndarray,
    strike: np.ndarray,
    is_call: np.ndarray,
) -> Contracts:
    """Return options in a request's market, shape (n,) all.

    The request's forwards must have their maturities, but those of one expiry may be grouped to a
    maturity between them.
    """
    if request.forwards is not None:
        given = sorted((f.maturity, f.forward, f.discount) for f in request.forwards)
        known_years, *markets = np.array(given).T
        forward, discount = (np.interp(maturity_years, known_years, values) for values in markets)
    else:
        rate, dividend = request.risk_free_rate or 0.0, request.dividend_yield or 0.0
        forward = (request.spot_price or 0.0) * np.exp((rate - dividend) * maturity_years)
        discount = np.exp(-rate * maturity_years)
    return Contracts.of(
        maturity_years=maturity_years,
        strike=strike,
        forward=forward,
        discount=discount,
        is_call=is_call,
    )


def derives_forwards(request: SurfaceRequest) -> bool:
    """Return whether forwards follow from parity of the quotes, since the request states none."""
    is_stated = request.forwards is not None or request.dividend_yield is not None
    return request.has_american and not is_stated


def with_parity_forwards(rows: RequestRows, contracts: Contracts) -> Contracts:
    """Return the contracts with forwards by parity where an expiry has pairs."""
    _, series = contracts.by_maturity.maturity_groups
    arrays = (equal_strikes(rows.strike), rows.is_call, rows.price, rows.bid, rows.ask)
    quotes, masks = QuoteArrays(series, *arrays).with_prices()
    is_usable = ~np.any([mask for _, mask in masks], axis=0)
    forward = contracts.forward.copy()
    for k in np.unique(series):
        mine = np.flatnonzero(series == k)
        discount = float(contracts.discount[mine[0]])
        pairs = quotes.select(mine[is_usable[mine]]).pairs().priced()
        if pairs.size:
            low, high, _ = bounds_on_forward(pairs, discount)
            forward[mine] = np.clip(forward_at(pairs.near_the_money(), discount), low, high)
    return replace(contracts, forward=forward)


def forwards_of(
    request: SurfaceRequest, quotes: QuoteArrays, contracts: Contracts
) -> tuple[Forward, ...]:
    """Return the forward of each series of the quotes."""
    forwards = []
    for k in np.unique(quotes.series):
        mine = np.flatnonzero(quotes.series == k)
        pairs = quotes.select(mine).pairs().priced()
        by_parity = derives_forwards(request) and pairs.size > 0
        forwards.append(
            Forward(
                series=int(k),
                maturity_years=float(contracts.maturity_years[mine[0]]),
                forward=float(contracts.forward[mine[0]]),
                discount=float(contracts.discount[mine[0]]),
                n_pairs=pairs.size if by_parity else 0,
                residual_scale=0.0,
                rate_error=np.inf,
                source="put-call parity" if by_parity else "the request",
            )
        )
    return tuple(forwards)

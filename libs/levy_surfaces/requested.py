"""From a request's quotes to those that a fit can use."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts, Quotes
from levy_schemas.problems import pointer
from levy_schemas.surface import DroppedQuote, DropReason, SurfaceRequest

_NO_TIME_VALUE: Final = 1e-12
"""Time value, as a fraction of the discounted forward, that a price in double precision cannot
tell from none."""


@dataclass(frozen=True)
class Surface:
    """Quotes fit to be calibrated to, and those left out."""

    quotes: Quotes
    dropped: tuple[DroppedQuote, ...]


@dataclass(frozen=True)
class _Row:
    place: str
    strike: float
    maturity_years: float
    is_call: bool
    price: float
    bid: float
    ask: float


def surface_of(
    request: SurfaceRequest,
    *,
    n_parameters: int,
    model_type: str,
    at_each_maturity: bool = False,
) -> Surface:
    """Read a request's quotes; what no model can reach is left out with its reason.

    Parameters
    ----------
    request : SurfaceRequest
    n_parameters : int
        Quotes needed.
    model_type : str
        Who needs them, for the message.
    at_each_maturity : bool
        Whether every expiry needs as many; one that has fewer is left out.

    Raises
    ------
    InvalidInputError
        Fewer quotes are left than needed.
    """
    rows = list(_rows(request))
    if len(rows) < n_parameters:
        raise _too_few(request, len(rows), n_parameters, model_type, ())
    contracts = _contracts(request, rows)
    price, bid, ask = np.array([(row.price, row.bid, row.ask) for row in rows]).T
    reasons = _reasons(contracts, price, bid, ask)
    if at_each_maturity:
        _leave_out_thin_maturities(rows, reasons, n_parameters)
    dropped = tuple(
        DroppedQuote(pointer=row.place, reason=reason)
        for row, reason in zip(rows, reasons, strict=True)
        if reason is not None
    )
    kept = np.array([reason is None for reason in reasons])
    if np.sum(kept) < n_parameters:
        raise _too_few(request, int(np.sum(kept)), n_parameters, model_type, dropped)
    two_sided = not np.any(np.isnan(bid[kept]))
    quotes = Quotes.of(
        contracts.select(kept),
        price[kept],
        bid=bid[kept] if two_sided else None,
        ask=ask[kept] if two_sided else None,
    )
    return Surface(quotes, dropped)


def _leave_out_thin_maturities(
    rows: list[_Row], reasons: list[DropReason | None], needed: int
) -> None:
    left = Counter(
        row.maturity_years for row, reason in zip(rows, reasons, strict=True) if reason is None
    )
    for i, row in enumerate(rows):
        if reasons[i] is None and left[row.maturity_years] < needed:
            reasons[i] = "too_few_at_maturity"


def _rows(request: SurfaceRequest) -> Iterator[_Row]:
    for i, quote in enumerate(request.quotes or ()):
        bid = np.nan if quote.bid is None else quote.bid
        ask = np.nan if quote.ask is None else quote.ask
        price = 0.5 * (bid + ask) if quote.price is None else quote.price
        is_call = quote.option_type == "call"
        place = pointer("quotes", i)
        yield _Row(place, quote.strike, quote.maturity, is_call, price, bid, ask)
    is_call = request.option_type != "put"
    for i, prices in enumerate(request.prices or ()):
        for j, mid in enumerate(prices):
            if mid is not None and request.strikes is not None and request.maturities is not None:
                strike, maturity = request.strikes[j], request.maturities[i]
                place = pointer("prices", i, j)
                yield _Row(place, strike, maturity, is_call, mid, np.nan, np.nan)


def _contracts(request: SurfaceRequest, rows: list[_Row]) -> Contracts:
    maturity = np.array([row.maturity_years for row in rows])
    if request.forwards is not None:
        by_maturity = {f.maturity: (f.forward, f.discount) for f in request.forwards}
        forward, discount = np.array([by_maturity[row.maturity_years] for row in rows]).T
    else:
        rate, dividend = request.risk_free_rate or 0.0, request.dividend_yield or 0.0
        forward = (request.spot_price or 0.0) * np.exp((rate - dividend) * maturity)
        discount = np.exp(-rate * maturity)
    return Contracts.of(
        maturity_years=maturity,
        strike=np.array([row.strike for row in rows]),
        forward=forward,
        discount=discount,
        is_call=np.array([row.is_call for row in rows]),
    )


def _reasons(
    contracts: Contracts, price: np.ndarray, bid: np.ndarray, ask: np.ndarray
) -> list[DropReason | None]:
    slack = _NO_TIME_VALUE * contracts.forward * contracts.discount
    reasons: list[DropReason | None] = [None] * contracts.size
    conditions: dict[DropReason, np.ndarray] = {
        "no_time_value": price <= contracts.lower_bound + slack,
        "above_maximum": price >= contracts.upper_bound,
        "crossed": bid > ask,
    }
    for reason, condition in conditions.items():
        for i in np.flatnonzero(condition):
            reasons[i] = reason
    return reasons


def _too_few(
    request: SurfaceRequest,
    n_left: int,
    n_parameters: int,
    model_type: str,
    dropped: tuple[DroppedQuote, ...],
) -> InvalidInputError:
    left_out = f" ({len(dropped)} were left out, see `dropped`)" if dropped else ""
    message = (
        f"{n_left} usable quotes{left_out} cannot determine the {n_parameters} parameters of "
        f"{model_type}; give at least {n_parameters}"
    )
    place = "/prices" if request.quotes is None else "/quotes"
    return InvalidInputError(
        message, pointer=place, dropped=[quote.model_dump() for quote in dropped]
    )

"""From a request's quotes to those that a fit can use."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts, Quotes
from levy_schemas.problems import pointer
from levy_schemas.surface import DroppedQuote, DropReason, Quote, SurfaceRequest

_NO_TIME_VALUE: Final = 1e-12
"""Time value, as a fraction of the discounted forward, that a price in double precision cannot
tell from none."""


@dataclass(frozen=True)
class Surface:
    """Quotes fit to be calibrated to, and those left out."""

    quotes: Quotes
    dropped: tuple[DroppedQuote, ...]


@dataclass(frozen=True)
class _Rows:
    """The quotes of a request as arrays, shape (n,); NaN where a side or a price is not told.

    Attributes
    ----------
    strike, maturity_years, price, bid, ask : ndarray
    is_call : ndarray of bool
    place : callable
        Index ↦ JSON pointer into the request.
    """

    strike: np.ndarray
    maturity_years: np.ndarray
    price: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    is_call: np.ndarray
    place: Callable[[int], str]

    @classmethod
    def of(cls, request: SurfaceRequest) -> Self:
        """Read a list of quotes, or a grid."""
        if request.quotes is not None:
            return cls._listed(request.quotes)
        return cls._on_grid(request)

    @classmethod
    def _listed(cls, quotes: tuple[Quote, ...]) -> Self:
        told = [(q.strike, q.maturity, q.price, q.bid, q.ask) for q in quotes]
        strike, maturity, price, bid, ask = np.array(told, dtype=float).T
        return cls(
            strike,
            maturity,
            np.where(np.isnan(price), 0.5 * (bid + ask), price),
            bid,
            ask,
            np.array([q.option_type == "call" for q in quotes]),
            lambda i: pointer("quotes", i),
        )

    @classmethod
    def _on_grid(cls, request: SurfaceRequest) -> Self:
        """Every strike at every maturity, but where the price is null."""
        price = np.array(request.prices, dtype=float)
        row, column = np.nonzero(~np.isnan(price))
        unknown = np.full(row.size, np.nan)
        return cls(
            np.array(request.strikes, dtype=float)[column],
            np.array(request.maturities, dtype=float)[row],
            price[row, column],
            unknown,
            unknown,
            np.full(row.size, request.option_type != "put"),
            lambda i: pointer("prices", int(row[i]), int(column[i])),
        )

    @property
    def size(self) -> int:
        return int(self.strike.size)

    def select(self, which: np.ndarray) -> Self:
        """Some of the quotes, picked by a mask; places are those of all."""
        arrays = (self.strike, self.maturity_years, self.price, self.bid, self.ask, self.is_call)
        strike, maturity_years, price, bid, ask, is_call = (array[which] for array in arrays)
        return type(self)(strike, maturity_years, price, bid, ask, is_call, self.place)


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
    rows = _Rows.of(request)
    if rows.size < n_parameters:
        raise _too_few(request, rows.size, n_parameters, model_type, ())
    contracts = contracts_of(
        request, maturity_years=rows.maturity_years, strike=rows.strike, is_call=rows.is_call
    )
    reasons = _reasons(contracts, rows)
    if at_each_maturity:
        _leave_out_thin_maturities(rows.maturity_years, reasons, n_parameters)
    dropped = tuple(
        DroppedQuote(pointer=rows.place(i), reason=reason) for i, reason in sorted(reasons.items())
    )
    if reasons:
        kept = np.ones(rows.size, dtype=bool)
        kept[list(reasons)] = False
        if np.sum(kept) < n_parameters:
            raise _too_few(request, int(np.sum(kept)), n_parameters, model_type, dropped)
        contracts, rows = contracts.select(kept), rows.select(kept)
    bid, ask = (None, None) if np.isnan(rows.bid).any() else (rows.bid, rows.ask)
    return Surface(Quotes.of(contracts, rows.price, bid=bid, ask=ask), dropped)


def _leave_out_thin_maturities(
    maturity_years: np.ndarray, reasons: dict[int, DropReason], needed: int
) -> None:
    left = Counter(float(y) for i, y in enumerate(maturity_years) if i not in reasons)
    for i, years in enumerate(maturity_years):
        if i not in reasons and left[float(years)] < needed:
            reasons[i] = "too_few_at_maturity"


def contracts_of(
    request: SurfaceRequest,
    *,
    maturity_years: np.ndarray,
    strike: np.ndarray,
    is_call: np.ndarray,
) -> Contracts:
    """Options in a request's market, shape (n,) all; its forwards must have their maturities."""
    if request.forwards is not None:
        by_maturity = {f.maturity: (f.forward, f.discount) for f in request.forwards}
        forward, discount = np.array([by_maturity[float(years)] for years in maturity_years]).T
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


def _reasons(contracts: Contracts, rows: _Rows) -> dict[int, DropReason]:
    """Why quotes are left out, by their index; the last reason found is told."""
    slack = _NO_TIME_VALUE * contracts.forward * contracts.discount
    conditions: dict[DropReason, np.ndarray] = {
        "no_time_value": rows.price <= contracts.lower_bound + slack,
        "above_maximum": rows.price >= contracts.upper_bound,
        "crossed": rows.bid > rows.ask,
    }
    reasons: dict[int, DropReason] = {}
    for reason, condition in conditions.items():
        reasons.update(dict.fromkeys(map(int, np.flatnonzero(condition)), reason))
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

"""Clean the quotes of a request, with the checks that files go through."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Self

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.implied_volatility import black_prices
from levy_numerics.market import Contracts, Quotes
from levy_numerics.surface import DroppedQuote, Surface
from levy_schemas.problems import pointer
from levy_schemas.surface import DroppedQuote as ReportedQuote
from levy_schemas.surface import Quote, SurfaceRequest
from levy_surfaces.given import discount_limits
from levy_surfaces.maturities import group_maturities
from levy_surfaces.notes import first_of
from levy_surfaces.parity import ParityLine, forward_at, last_digit
from levy_surfaces.plausibility import bounds_warning, no_market_warning, volatility_warning
from levy_surfaces.reasons import Reason
from levy_surfaces.screening import Markets, Masks, QuoteArrays, equal_strikes

_NO_TIME_VALUE: Final = 1e-12
"""Time value, as a fraction of the discounted forward, lost in the rounding of a double."""

_FORWARD_TOLERANCE: Final = 1e-3
"""Relative difference of forwards of one expiry, or from parity, that is not reported."""
_REASONS: Final = ("", *Reason)
"""By the number of a reason in `_Screening`; 0 is that of a quote that is kept."""


@dataclass(frozen=True)
class _Rows:
    """The quotes of a request as arrays, shape (n,); NaN where a side or a price is absent.

    Attributes
    ----------
    strike, maturity_years, price, bid, ask : ndarray
    implied_vol : ndarray or None
        None if no quote has one.
    is_call : ndarray of bool
    pointer_to : callable
        Index ↦ JSON pointer into the request.
    """

    strike: np.ndarray
    maturity_years: np.ndarray
    price: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    is_call: np.ndarray
    pointer_to: Callable[[int], str]
    implied_vol: np.ndarray | None = None

    @classmethod
    def of(cls, request: SurfaceRequest) -> Self:
        """Read a list of quotes, or a grid."""
        if request.quotes is not None:
            return cls._listed(request.quotes)
        return cls._on_grid(request)

    @classmethod
    def _listed(cls, quotes: tuple[Quote, ...]) -> Self:
        numbers = [(q.strike, q.maturity, q.price, q.bid, q.ask) for q in quotes]
        strike, maturity, price, bid, ask = np.array(numbers, dtype=float).T
        return cls(
            strike,
            maturity,
            price,
            bid,
            ask,
            np.array([q.option_type == "call" for q in quotes]),
            lambda i: pointer("quotes", i),
            np.array([q.implied_vol for q in quotes], dtype=float)
            if any(q.implied_vol is not None for q in quotes)
            else None,
        )

    @classmethod
    def _on_grid(cls, request: SurfaceRequest) -> Self:
        """Read every strike at every maturity, except where the price is null."""
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

    def priced(self, contracts: Contracts) -> Self:
        """Return the quotes with the prices that implied volatilities stand for."""
        if self.implied_vol is None:
            return self
        which = ~np.isnan(self.implied_vol)
        c, price = contracts.select(which), self.price.copy()
        price[which] = black_prices(self.implied_vol[which], c)
        return replace(self, price=price)


def surface_of(
    request: SurfaceRequest,
    *,
    n_parameters: int,
    model_type: str,
    at_each_maturity: bool = False,
) -> Surface:
    """Return the quotes of a request that can be fitted, and those dropped with their reasons.

    The checks are those of files. Both sides of a strike are kept, in the money too, unlike
    those of files: the client chose its quotes.

    Parameters
    ----------
    request : SurfaceRequest
    n_parameters : int
        Least number of quotes.
    model_type : str
        Name of the model, for the message.
    at_each_maturity : bool
        Whether every expiry needs as many; an expiry with fewer is dropped.

    Raises
    ------
    InvalidInputError
        Fewer quotes are left than needed, or one expiry has several forwards.
    """
    rows = _Rows.of(request)
    if rows.size < n_parameters:
        raise _too_few(request, rows.size, n_parameters, model_type, ())
    contracts, grouped = _contracts_by_expiry(request, rows)
    rows = rows.priced(contracts)
    work = _Screening.of(rows, contracts, needs_spreads=request.weights == "bid_ask")
    work.warnings += (*grouped, *_about_discounts(request), *_about_forwards(request))
    work.run()
    is_zero = (rows.bid == 0) & (rows.ask == 0)
    work.warnings += no_market_warning(is_zero & work.kept, "field price")
    if at_each_maturity:
        work.drop_thin_maturities(n_parameters)
    dropped = work.dropped()
    if dropped:
        if rows.size - len(dropped) < n_parameters:
            n_left = rows.size - len(dropped)
            raise _too_few(request, n_left, n_parameters, model_type, dropped, work.warnings)
        contracts = contracts.select(work.kept)
    price, bid, ask = (
        array[work.kept] for array in (work.quotes.price, work.quotes.bid, work.quotes.ask)
    )
    if np.isnan(bid).any():
        quotes = Quotes.of(contracts, price)
    else:
        quotes = Quotes.of(contracts, price, bid=bid, ask=ask)
    warnings = (
        *_about_dropped(dropped),
        *work.warnings,
        *work.about_sides(),
        *volatility_warning(quotes),
    )
    return Surface(quotes, dropped, warnings)


def reported(dropped: Sequence[DroppedQuote]) -> tuple[ReportedQuote, ...]:
    """Return dropped quotes as a response reports them."""
    return tuple(ReportedQuote.model_validate(quote, from_attributes=True) for quote in dropped)


@dataclass
class _Screening:
    """The quotes of a request, and the reasons so far, as positions in `_REASONS` (0: kept)."""

    rows: _Rows
    contracts: Contracts
    quotes: QuoteArrays
    masks: Masks
    reason: np.ndarray
    kept: np.ndarray
    warnings: list[str]

    @classmethod
    def of(cls, rows: _Rows, contracts: Contracts, *, needs_spreads: bool) -> Self:
        """Convert the quotes to those of `screening`; without a spread, zeros are not a market."""
        _, series = contracts.by_maturity.maturity_groups
        arrays = (equal_strikes(rows.strike), rows.is_call, rows.price, rows.bid, rows.ask)
        quotes, masks = QuoteArrays(series, *arrays).with_prices()
        if needs_spreads:
            masks.append((Reason.NO_MARKET, np.isnan(quotes.bid)))
        reason, kept = np.zeros(rows.size, dtype=int), np.ones(rows.size, dtype=bool)
        return cls(rows, contracts, quotes, masks, reason, kept, [])

    def drop(self, masks: Masks) -> None:
        """Give each reason to the quotes of its mask, unless an earlier one applied."""
        for reason, mask in masks:
            if mask.any():
                self.reason[mask & self.kept] = _REASONS.index(reason)
                self.kept = self.kept & ~mask

    def run(self) -> None:
        """Apply the checks of files, but for the choice of sides."""
        c, quotes = self.contracts, self.quotes
        # A price of zero is reported as one without time value, for compatibility.
        zero = quotes.price == 0
        self.drop(
            [(r, mask & ~zero if r is Reason.MISSING_PRICE else mask) for r, mask in self.masks]
        )
        self.drop(quotes.repeated(self.kept))
        unit = c.forward * c.discount
        lower, upper = c.lower_bound, c.upper_bound
        self.warnings += bounds_warning(quotes, self.kept, lower, upper, unit)
        self.drop(
            [
                (Reason.NO_TIME_VALUE, quotes.price <= lower + _NO_TIME_VALUE * unit),
                (Reason.ABOVE_MAXIMUM, quotes.price >= upper),
            ]
        )
        # Rounding to a tick alone makes prices non-convex.
        noise = np.full(self.rows.size, last_digit(quotes.price[self.kept]))
        markets = Markets(c.forward, c.discount, noise)
        self._check_parity(markets)
        if not quotes.contradicted(self.kept, markets):
            self.drop(quotes.static_arbitrage(self.kept, markets))
            return
        # A forward that violates parity cannot convert puts to calls: check both sides apart.
        family = quotes.is_call.astype(int)
        apart = replace(quotes, series=2 * quotes.series + family)
        self.drop(apart.static_arbitrage(self.kept, markets, family))

    def _check_parity(self, markets: Markets) -> None:
        """Drop stale pairs; warn where the pairs as a whole contradict the forward sent."""
        lines: dict[int, ParityLine] = {}
        contradictions = []
        for series in sorted(self.quotes.contradicted(self.kept, markets)):
            mine = np.flatnonzero(self.kept & (self.quotes.series == series))
            pairs = self.quotes.select(mine).pairs().near_the_money()
            line = ParityLine.fit(pairs)
            forward = float(markets.forward[mine[0]])
            implied = forward_at(pairs, float(markets.discount[mine[0]]))
            if line is not None and line.is_verified and line.forward > 0:
                lines[series], implied = line, line.forward
            if abs(implied / forward - 1.0) > _FORWARD_TOLERANCE:
                years = self.rows.maturity_years[mine[0]]
                contradictions.append(f"at {years:g} years {implied:.6g} for {forward:.6g}")
        if contradictions:
            self.warnings.append(
                "put-call parity of the quotes implies other forwards than the request gives "
                f"({first_of(contradictions)}); check spot_price, risk_free_rate, dividend_yield "
                "or forwards"
            )
        if lines:
            self.drop([(Reason.STALE, self.quotes.stale(self.kept, lines))])

    def drop_thin_maturities(self, needed: int) -> None:
        """Drop every expiry that has fewer quotes left than needed."""
        left = np.bincount(self.quotes.series[self.kept], minlength=self.rows.size)
        self.drop([(Reason.TOO_FEW, left[self.quotes.series] < needed)])

    def about_sides(self) -> tuple[str, ...]:
        """Return a warning if both sides of a strike are fitted."""
        # Complex numbers stand for pairs of expiry and strike.
        contract = self.quotes.series + 1j * self.quotes.strike
        calls, puts = (
            contract[self.kept & (self.quotes.is_call == side)] for side in (True, False)
        )
        n_both = np.intersect1d(calls, puts, assume_unique=True).size
        if not n_both:
            return ()
        strikes = "1 strike has" if n_both == 1 else f"{n_both} strikes have"
        return (
            f"{strikes} both a call and a put; both are fitted, so such a strike counts twice; "
            "send the out-of-the-money side alone to weigh all strikes equally",
        )

    def dropped(self) -> tuple[DroppedQuote, ...]:
        """Return the quotes dropped, in the order of the request."""
        rows = self.rows
        return tuple(
            DroppedQuote(
                pointer=rows.pointer_to(i),
                reason=(reason := _REASONS[self.reason[i]]),
                message=reason.meaning,
                strike=float(rows.strike[i]),
                maturity=float(rows.maturity_years[i]),
                option_type="call" if rows.is_call[i] else "put",
            )
            for i in np.flatnonzero(self.reason).tolist()
        )


def _contracts_by_expiry(request: SurfaceRequest, rows: _Rows) -> tuple[Contracts, list[str]]:
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
            if off.max() > _FORWARD_TOLERANCE:
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


def _about_discounts(request: SurfaceRequest) -> tuple[str, ...]:
    unlikely = [
        f"{forward.discount:g} at {forward.maturity:g} years"
        for forward in request.forwards or ()
        for low, high in (discount_limits(forward.maturity),)
        if not low <= forward.discount <= high
    ]
    if not unlikely:
        return ()
    return (
        f"no plausible rate implies the discount factors in forwards ({first_of(unlikely)}); each "
        "is the present value of one unit of currency paid at expiry",
    )


def _about_forwards(request: SurfaceRequest) -> tuple[str, ...]:
    """Return a warning if no plausible carry leads from one forward, or the spot, to the next."""
    curve = sorted((f.maturity, f.forward) for f in request.forwards or ())
    if request.spot_price is not None and curve:
        curve.insert(0, (0.0, request.spot_price))
    unlikely = [
        f"{earlier:g} at {start:g} years and {later:g} at {end:g} years"
        for (start, earlier), (end, later) in pairwise(curve)
        for low, high in (discount_limits(end - start),)
        if not low <= earlier / later <= high
    ]
    if not unlikely:
        return ()
    return (
        f"no plausible rates and dividends explain the forwards ({first_of(unlikely)}); check "
        "their units, and spot_price if it is given",
    )


def _about_dropped(dropped: tuple[DroppedQuote, ...]) -> tuple[str, ...]:
    if not dropped:
        return ()
    counts = Counter(quote.reason for quote in dropped)
    reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items()))
    were = "1 quote was" if len(dropped) == 1 else f"{len(dropped)} quotes were"
    return (f"{were} left out: {reasons}; see `dropped`",)


def _too_few(
    request: SurfaceRequest,
    n_left: int,
    n_parameters: int,
    model_type: str,
    dropped: tuple[DroppedQuote, ...],
    warnings: Sequence[str] = (),
) -> InvalidInputError:
    counts = Counter(quote.reason for quote in dropped)
    reasons = ", ".join(f"{reason}: {n}" for reason, n in counts.most_common())
    left_out = f" ({len(dropped)} were dropped, {reasons}; see `dropped`)" if dropped else ""
    message = (
        f"{n_left} usable quotes{left_out} cannot determine the {n_parameters} parameters of "
        f"{model_type}; give at least {n_parameters}"
    )
    message = "; ".join((message, *warnings))
    place = "/prices" if request.quotes is None else "/quotes"
    return InvalidInputError(
        message, pointer=place, dropped=[quote.model_dump() for quote in reported(dropped)]
    )

"""Clean the quotes of a request, with the checks that files go through."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Self

import numpy as np

from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts, Quotes
from levy_numerics.surface import DroppedQuote, Surface
from levy_schemas.surface import DroppedQuote as ReportedQuote
from levy_schemas.surface import SurfaceRequest
from levy_surfaces.american_signs import ParityBend, american_warning
from levy_surfaces.given import discount_limits
from levy_surfaces.notes import first_of
from levy_surfaces.parity import ParityLine, forward_at, last_digit
from levy_surfaces.plausibility import bounds_warning, no_market_warning, volatility_warning
from levy_surfaces.reasons import Reason
from levy_surfaces.request_forwards import (
    FORWARD_TOLERANCE,
    contracts_by_expiry,
    derives_forwards,
    forwards_of,
    with_parity_forwards,
)
from levy_surfaces.request_rows import NO_TIME_VALUE, RequestRows
from levy_surfaces.screening import Markets, Masks, QuoteArrays, equal_strikes

_REASONS: Final = ("", *Reason)
"""By the number of a reason in `_Screening`; 0 is that of a quote that is kept."""


def surface_of(
    request: SurfaceRequest,
    *,
    n_parameters: int,
    model_type: str,
    at_each_maturity: bool = False,
    premium: np.ndarray | None = None,
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
    premium : ndarray, optional
        Early-exercise premium of each quote, in the order of the request; required if some are
        American. The surface then contains the European equivalents, with `row`, `series`, `spot`
        and `forwards`.

    Raises
    ------
    InvalidInputError
        Fewer quotes are left than needed, or one expiry has several forwards.
    """
    rows = RequestRows.of(request)
    if premium is None and rows.is_american.any():
        raise InvalidInputError(
            "American quotes contain an early-exercise premium, which POST /calibrate removes",
            pointer="/exercise",
        )
    if rows.size < n_parameters:
        raise _too_few(request, rows.size, n_parameters, model_type, ())
    contracts, grouped = contracts_by_expiry(request, rows)
    rows = rows.priced(contracts)
    is_exercised = rows.is_exercised(request.spot_price)
    if premium is not None:
        rows = rows.less(premium)
    if derives_forwards(request):
        contracts = with_parity_forwards(rows, contracts)
    work = _Screening.of(rows, contracts, request)
    work.warnings += (*grouped, *_about_discounts(request), *_about_forwards(request))
    work.drop([(Reason.NO_TIME_VALUE, is_exercised)])
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
    if premium is None:
        return Surface(quotes, dropped, warnings)
    series = work.quotes.series[work.kept]
    return Surface(
        quotes,
        dropped,
        warnings,
        spot=request.spot_price,
        row=np.flatnonzero(work.kept),
        series=series,
        forwards=forwards_of(request, work.quotes.select(work.kept), contracts),
    )


def reported(dropped: Sequence[DroppedQuote]) -> tuple[ReportedQuote, ...]:
    """Return dropped quotes as a response reports them."""
    return tuple(ReportedQuote.model_validate(quote, from_attributes=True) for quote in dropped)


@dataclass
class _Screening:
    """The quotes of a request, and the reasons so far, as positions in `_REASONS` (0: kept)."""

    rows: RequestRows
    contracts: Contracts
    quotes: QuoteArrays
    masks: Masks
    reason: np.ndarray
    kept: np.ndarray
    warnings: list[str]
    exercise_is_assumed: bool

    @classmethod
    def of(cls, rows: RequestRows, contracts: Contracts, request: SurfaceRequest) -> Self:
        """Convert the quotes to those of `screening`; without a spread, zeros are not a market."""
        _, series = contracts.by_maturity.maturity_groups
        arrays = (equal_strikes(rows.strike), rows.is_call, rows.price, rows.bid, rows.ask)
        quotes, masks = QuoteArrays(series, *arrays).with_prices()
        if request.weights == "bid_ask":
            masks.append((Reason.NO_MARKET, np.isnan(quotes.bid)))
        reason, kept = np.zeros(rows.size, dtype=int), np.ones(rows.size, dtype=bool)
        is_assumed = not request.states_exercise
        return cls(rows, contracts, quotes, masks, reason, kept, [], is_assumed)

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
                (Reason.NO_TIME_VALUE, quotes.price <= lower + NO_TIME_VALUE * unit),
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
        bends: dict[str, ParityBend | None] = {}
        for series in sorted(self.quotes.contradicted(self.kept, markets)):
            mine = np.flatnonzero(self.kept & (self.quotes.series == series))
            pairs = self.quotes.select(mine).pairs().near_the_money()
            years = float(self.rows.maturity_years[mine[0]])
            line = ParityLine.fit(pairs)
            bends[f"{years:g} years"] = ParityBend.of(pairs, line, years)
            forward = float(markets.forward[mine[0]])
            implied = forward_at(pairs, float(markets.discount[mine[0]]))
            if line is not None and line.is_verified and line.forward > 0:
                lines[series], implied = line, line.forward
            if abs(implied / forward - 1.0) > FORWARD_TOLERANCE:
                contradictions.append(f"at {years:g} years {implied:.6g} for {forward:.6g}")
        if self.exercise_is_assumed:
            self.warnings += american_warning(bends)
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

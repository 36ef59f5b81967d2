"""Request schema of a volatility surface: quotes of one underlying and their market."""

from statistics import median
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from levy_schemas.pricing import OptionType
from levy_schemas.wire import (
    MAX_OPTIONS,
    Amount,
    CalibratedExercise,
    Discount,
    FiniteFloat,
    ImpliedVol,
    MaturityYears,
    QuotedPrice,
    Rate,
    Request,
    ResponseModel,
)

Weights = Literal["price", "vega", "bid_ask"]
DropReason = Literal[
    "no_market",
    "missing_price",
    "crossed",
    "mid_outside_spread",
    "zero_bid",
    "duplicate",
    "conflicting_quotes",
    "no_time_value",
    "above_maximum",
    "not_monotone_in_strike",
    "not_convex_in_strike",
    "calendar_arbitrage",
    "stale",
    "too_few_at_maturity",
]

ONE_SURFACE_AND_ONE_MARKET: Final[list[Any]] = [
    {"required": [*surface, *market]}
    for surface in (("strikes", "maturities", "prices"), ("quotes",))
    for market in (("spot_price", "risk_free_rate"), ("forwards",))
]
"""JSON schema of the fields that are required together."""

_ONE_PRICE: Final[list[Any]] = [
    {"required": required} for required in (["price"], ["bid", "ask"], ["implied_vol"])
]
"""JSON schema of the fields of which a quote needs some."""
_LIKELY_PERCENT: Final = 3.0
"""Median of implied volatilities above which they are taken for percentages."""

EXAMPLE_GRID: Final[dict[str, Any]] = {
    "spot_price": 100.0,
    "risk_free_rate": 0.05,
    "dividend_yield": 0.0,
    "strikes": [90, 95, 100, 105, 110],
    "maturities": [0.25, 0.5, 1.0],
    "prices": [
        [12.17, 8.02, 4.41, 1.84, 0.81],
        [14.08, 10.28, 6.96, 4.3, 2.44],
        [17.39, 13.93, 10.84, 8.19, 5.99],
    ],
}


def _error(kind: str, message: str, pointer: str) -> PydanticCustomError:
    return PydanticCustomError(kind, message, {"pointer": pointer})


class Quote(Request):
    """One option's quote: a price or an implied volatility, or a bid and an ask, or both."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _ONE_PRICE})

    strike: Amount
    maturity: MaturityYears = Field(description="in years")
    option_type: OptionType = "call"
    price: QuotedPrice | None = Field(
        default=None, description="price to fit; the mid of bid and ask if absent"
    )
    implied_vol: ImpliedVol | None = Field(
        default=None,
        description="Black volatility to fit instead of a price, a fraction per year: 0.2 is 20%",
    )
    bid: QuotedPrice | None = None
    ask: QuotedPrice | None = None
    exercise: CalibratedExercise | None = Field(
        default=None, description="of this option; that of the request if absent"
    )

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if (self.bid is None) != (self.ask is None):
            missing = "bid" if self.bid is None else "ask"
            raise _error("one_sided", f"a one-sided quote: {missing} is missing", f"/{missing}")
        if self.price is not None and self.implied_vol is not None:
            raise _error("two_prices", "give price or implied_vol, not both", "/implied_vol")
        if self.price is None and self.bid is None and self.implied_vol is None:
            raise _error("no_price", "give a price, a bid and an ask, or an implied_vol", "")
        return self


class Forward(Request):
    """Forward and discount factor of one expiry."""

    maturity: MaturityYears = Field(description="in years")
    forward: Amount
    discount: Discount


class SurfaceRequest(Request):
    """Quotes of one underlying, as a grid or as a list, and how their errors are weighted.

    A grid is `strikes`, `maturities` and `prices`; a list is `quotes`. The market is
    `spot_price`, `risk_free_rate` and `dividend_yield`, or `forwards`.
    """

    spot_price: Amount | None = None
    risk_free_rate: Rate | None = Field(default=None, description="continuously compounded")
    dividend_yield: Rate | None = Field(
        default=None, description="continuously compounded; 0 if absent"
    )
    forwards: tuple[Forward, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_OPTIONS,
        description="one for each maturity, which must match exactly; instead of rate and yield",
    )
    strikes: tuple[Amount, ...] | None = Field(default=None, min_length=1, max_length=MAX_OPTIONS)
    maturities: tuple[MaturityYears, ...] | None = Field(
        default=None, min_length=1, max_length=MAX_OPTIONS, description="in years"
    )
    prices: tuple[tuple[QuotedPrice | None, ...], ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_OPTIONS,
        description="prices[i][j] is for maturities[i] and strikes[j]; null: no quote",
    )
    option_type: OptionType | None = Field(
        default=None, description="type of all options of the grid; call if absent"
    )
    quotes: tuple[Quote, ...] | None = Field(default=None, min_length=1, max_length=MAX_OPTIONS)
    exercise: CalibratedExercise = Field(
        default="european",
        description="of all options, unless a quote states its own; american only in POST "
        "/calibrate",
    )
    weights: Weights | None = Field(
        default=None,
        description="unit of the errors that are minimised: price (currency), vega (implied "
        "volatility) or bid_ask (half the spread); if absent, bid_ask where every quote has bid "
        "and ask, else vega",
    )

    allows_american: ClassVar[bool] = False
    """Whether quotes may be American."""

    @model_validator(mode="after")
    def _has_supported_exercise(self) -> Self:
        pointer = self._american_pointer()
        if pointer is None:
            return self
        if not self.allows_american:
            raise _error(
                "early_exercise",
                "American quotes are fitted by POST /calibrate only: elsewhere their "
                "early-exercise premium would be fitted as if it were volatility; send prices or "
                "implied volatilities of the European equivalents",
                pointer,
            )
        if self.spot_price is None:
            raise _error("no_spot", "American quotes require spot_price", "/spot_price")
        for i, quote in enumerate(self.quotes or ()):
            if (quote.exercise or self.exercise) == "american" and quote.implied_vol is not None:
                raise _error(
                    "vol_of_american",
                    "an implied volatility does not determine the price of an American option; "
                    "give price, or bid and ask",
                    f"/quotes/{i}/implied_vol",
                )
        return self

    @model_validator(mode="after")
    def _has_one_surface(self) -> Self:
        parts = ("strikes", "maturities", "prices")
        if self.quotes is not None:
            for name in (*parts, "option_type"):
                if getattr(self, name) is not None:
                    raise _error(
                        "two_surfaces",
                        f"{name} belongs to a grid; give a grid or quotes, not both",
                        f"/{name}",
                    )
            return self
        absent = [name for name in parts if getattr(self, name) is None]
        if len(absent) == len(parts):
            raise _error("no_surface", "give strikes, maturities and prices, or quotes", "")
        if self.strikes is None or self.maturities is None or self.prices is None:
            raise _error(
                "part_of_a_grid", f"a grid requires {absent[0]} (missing)", f"/{absent[0]}"
            )
        _check_shape(self.prices, len(self.maturities), len(self.strikes))
        return self

    @model_validator(mode="after")
    def _has_one_market(self) -> Self:
        if self.forwards is None:
            for name in ("spot_price", "risk_free_rate"):
                if getattr(self, name) is None:
                    raise _error("no_market", f"give {name}, or forwards", f"/{name}")
            return self
        for name in ("risk_free_rate", "dividend_yield"):
            if getattr(self, name) is not None:
                raise _error("two_markets", f"give forwards or {name}, not both", f"/{name}")
        maturities = {forward.maturity for forward in self.forwards}
        if len(maturities) < len(self.forwards):
            raise _error(
                "two_forwards",
                "forwards has a maturity twice; give one forward for each",
                "/forwards",
            )
        for maturity, pointer in self._maturity_pointers():
            if maturity not in maturities:
                message = f"forwards has no entry with maturity {maturity!r}; add one"
                raise _error("no_forward", message, pointer)
        return self

    @model_validator(mode="after")
    def _has_vols_in_decimals(self) -> Self:
        vols = {i: q.implied_vol for i, q in enumerate(self.quotes or ()) if q.implied_vol}
        if vols and median(vols.values()) > _LIKELY_PERCENT:
            first, vol = next(iter(vols.items()))
            raise _error(
                "percent",
                f"implied_vol {vol:g} means {vol:.0%} a year, and most are above "
                f"{_LIKELY_PERCENT:.0%}; divide percent by 100, or send prices if volatility is "
                "really so high",
                f"/quotes/{first}/implied_vol",
            )
        return self

    @model_validator(mode="after")
    def _has_spreads_if_weights(self) -> Self:
        if self.weights != "bid_ask":
            return self
        if self.quotes is None:
            raise _error(
                "no_spread",
                "bid_ask requires quotes with bid and ask, which a grid does not have",
                "/weights",
            )
        for i, quote in enumerate(self.quotes):
            if quote.bid is None:
                raise _error(
                    "no_spread",
                    "weights bid_ask requires bid and ask of each quote",
                    f"/quotes/{i}",
                )
        return self

    @property
    def has_american(self) -> bool:
        """Whether some quotes are American."""
        return self._american_pointer() is not None

    @property
    def states_exercise(self) -> bool:
        """Whether the request states the exercise of some quotes, rather than by default."""
        stated = (q.exercise is not None for q in self.quotes or ())
        return "exercise" in self.model_fields_set or any(stated)

    def _american_pointer(self) -> str | None:
        """Return the pointer to the first statement that quotes are American."""
        quotes = self.quotes or ()
        is_default_used = not quotes or any(q.exercise is None for q in quotes)
        if self.exercise == "american" and is_default_used:
            return "/exercise"
        stated = (f"/quotes/{i}/exercise" for i, q in enumerate(quotes) if q.exercise == "american")
        return next(stated, None)

    def _maturity_pointers(self) -> list[tuple[float, str]]:
        if self.quotes is not None:
            return [(q.maturity, f"/quotes/{i}/maturity") for i, q in enumerate(self.quotes)]
        return [(maturity, f"/maturities/{i}") for i, maturity in enumerate(self.maturities or ())]


def _check_shape(
    prices: tuple[tuple[float | None, ...], ...], n_maturities: int, n_strikes: int
) -> None:
    if n_strikes * n_maturities > MAX_OPTIONS:
        message = f"{n_strikes * n_maturities} options; at most {MAX_OPTIONS} are allowed"
        raise _error("too_many_options", message, "/prices")
    if len(prices) != n_maturities:
        message = f"{len(prices)} rows of prices for {n_maturities} maturities"
        raise _error("wrong_shape", message, "/prices")
    for i, row in enumerate(prices):
        if len(row) != n_strikes:
            message = f"{len(row)} prices for {n_strikes} strikes"
            raise _error("wrong_shape", message, f"/prices/{i}")


class DroppedQuote(ResponseModel):
    """A quote that was not used, and the reason."""

    pointer: str = Field(description="JSON pointer into the request")
    reason: DropReason
    message: str = Field(default="", description="explanation of the reason")
    strike: FiniteFloat | None = None
    maturity: FiniteFloat | None = Field(default=None, description="in years")
    option_type: OptionType | None = None

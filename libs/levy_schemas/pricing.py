"""`POST /price`."""

from itertools import pairwise
from typing import Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from levy_schemas.wire import (
    MAX_OPTIONS,
    MAX_PARAMETERS,
    Amount,
    FiniteFloat,
    Flag,
    Matrix,
    MaturityYears,
    ModelName,
    ParameterName,
    ParameterValue,
    Rate,
    Request,
    ResponseModel,
    SparseMatrix,
)

OptionType = Literal["call", "put"]
PricingMethod = Literal["sinh", "cos", "carr_madan", "lewis", "conv", "pide"]
ExerciseStyle = Literal["european", "bermudan", "american"]
BarrierKind = Literal["up-and-out", "up-and-in", "down-and-out", "down-and-in"]
MAX_DATES: Final = 1_000
"""Exercise or monitoring dates of one request."""
MAX_GRIDS: Final = 100
"""Options of one request that each require a grid."""
MAX_DIVIDENDS: Final = 100
"""Cash dividends of one request."""


class CashDividend(Request):
    """A cash dividend, by which the spot falls."""

    years: MaturityYears = Field(description="until the ex-dividend date", examples=[0.25])
    amount: Amount = Field(description="in the currency of the spot", examples=[1.5])


class BarrierTerms(Request):
    """A barrier, whose crossing extinguishes (out) or activates (in) the options."""

    kind: BarrierKind = Field(examples=["up-and-out"])
    level: Amount = Field(description="in the currency of the spot", examples=[120.0])
    dates: tuple[MaturityYears, ...] = Field(
        default=(),
        max_length=MAX_DATES,
        description="monitoring dates in years, increasing; empty for continuous monitoring",
        examples=[[0.25, 0.5, 0.75, 1.0]],
    )


class PriceRequest(Request):
    """Options on every pair of a strike and a maturity."""

    model_type: ModelName = Field(examples=["VarianceGamma"])
    parameters: dict[ParameterName, ParameterValue] = Field(
        max_length=MAX_PARAMETERS,
        description="every parameter of the model, by name; GET /models lists them",
        examples=[{"sigma": 0.2, "nu": 0.4, "theta": -0.15}],
        json_schema_extra={"additionalProperties": False},
    )
    spot_price: Amount = Field(examples=[100.0])
    risk_free_rate: Rate = Field(description="continuously compounded", examples=[0.05])
    dividend_yield: Rate = Field(default=0.0, description="continuously compounded")
    strikes: tuple[Amount, ...] = Field(
        min_length=1, max_length=MAX_OPTIONS, examples=[[90.0, 100.0, 110.0]]
    )
    maturities: tuple[MaturityYears, ...] = Field(
        min_length=1, max_length=MAX_OPTIONS, description="in years", examples=[[0.25, 1.0]]
    )
    option_type: OptionType = "call"
    exercise: ExerciseStyle = Field(
        default="european",
        description="of all options; American and Bermudan ones, and barriers, require a model "
        "with stationary increments",
    )
    exercise_dates: tuple[MaturityYears, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_DATES,
        description="of Bermudan options, in years, increasing; maturity is always one",
    )
    barrier: BarrierTerms | None = None
    dividends: tuple[CashDividend, ...] = Field(
        default=(),
        max_length=MAX_DIVIDENDS,
        description="cash dividends in order of time, in addition to the yield; those at or after "
        "a maturity do not concern it",
    )
    method: PricingMethod | None = Field(
        default=None,
        description="sinh (default) is the most accurate and the fastest for European options; "
        "carr_madan is accurate to 0.1%; conv (default) and pide (finite differences) price "
        "early exercise; barriers that are monitored at dates require conv, those monitored "
        "continuously and cash dividends pide",
    )
    greeks: Flag = Field(default=False, description="also return sensitivities")

    @model_validator(mode="after")
    def _has_allowed_size(self) -> Self:
        n_options = len(self.strikes) * len(self.maturities)
        if n_options > MAX_OPTIONS:
            raise PydanticCustomError(
                "too_many_options",
                "{n_options} options; at most {limit} are allowed in one request",
                {"n_options": n_options, "limit": MAX_OPTIONS, "pointer": "/strikes"},
            )
        has_own_grids = bool(self.dividends) or (
            self.barrier is not None and not self.barrier.dates
        )
        if has_own_grids and n_options > MAX_GRIDS:
            raise PydanticCustomError(
                "too_many_options",
                "{n_options} options; at most {limit} are allowed in one request with cash "
                "dividends or a barrier that is monitored continuously",
                {"n_options": n_options, "limit": MAX_GRIDS, "pointer": "/strikes"},
            )
        return self

    @model_validator(mode="after")
    def _has_consistent_terms(self) -> Self:
        if (self.exercise == "bermudan") != (self.exercise_dates is not None):
            message = (
                "Bermudan options require exercise_dates"
                if self.exercise_dates is None
                else "exercise_dates belong to Bermudan options; set exercise to bermudan"
            )
            raise PydanticCustomError("exercise_dates", message, {"pointer": "/exercise_dates"})
        total = sum(d.amount for d in self.dividends if d.years < max(self.maturities))
        if total >= self.spot_price:
            raise PydanticCustomError(
                "dividends_above_spot",
                "dividends of {total} until the last maturity are not below the spot; state them "
                "in the currency of the spot",
                {"total": total, "pointer": "/dividends"},
            )
        dates = {"/exercise_dates": self.exercise_dates or ()}
        dates["/dividends"] = tuple(d.years for d in self.dividends)
        if self.barrier is not None:
            dates["/barrier/dates"] = self.barrier.dates
            self._check_barrier(self.barrier)
        for pointer, values in dates.items():
            if any(later <= earlier for earlier, later in pairwise(values)):
                raise PydanticCustomError(
                    "dates_out_of_order",
                    "dates must increase; sort them and remove repetitions",
                    {"pointer": pointer},
                )
        return self

    def _check_barrier(self, barrier: BarrierTerms) -> None:
        is_up = barrier.kind.startswith("up")
        if (barrier.level <= self.spot_price) if is_up else (barrier.level >= self.spot_price):
            raise PydanticCustomError(
                "barrier_beyond_spot",
                "the barrier of an {kind} option must be {side} the spot",
                {
                    "kind": barrier.kind,
                    "side": "above" if is_up else "below",
                    "pointer": "/barrier/level",
                },
            )
        if barrier.kind.endswith("in") and self.exercise != "european":
            raise PydanticCustomError(
                "early_exercise_knock_in",
                "{kind} options are priced with European exercise only",
                {"kind": barrier.kind, "pointer": "/exercise"},
            )


class Greeks(ResponseModel):
    """Sensitivities of present values; `matrix[i][j]` belongs to `maturities[i]`, `strikes[j]`.

    Null where undefined: the gamma of Variance Gamma has a pole at short maturities.
    """

    delta: SparseMatrix = Field(description="derivative with respect to the spot")
    gamma: SparseMatrix = Field(description="second derivative with respect to the spot")
    vega: SparseMatrix = Field(
        description="derivative of Black's formula with respect to the volatility, at the implied "
        "volatility, per unit (not %); null where the price has no implied volatility"
    )
    theta: SparseMatrix = Field(description="per year; per day it is theta/365")
    rho: SparseMatrix = Field(
        description="derivative with respect to the risk-free rate, per unit (not %)"
    )
    dividend_rho: SparseMatrix = Field(
        description="derivative with respect to the dividend yield, per unit"
    )
    parameters: dict[str, SparseMatrix] = Field(
        description="derivative with respect to each parameter of the model; none with early "
        "exercise or a barrier"
    )


class ExerciseBoundary(ResponseModel):
    """Prices of the underlying at which early exercise becomes optimal.

    Puts are exercised below them, calls above.
    """

    time_to_go: tuple[FiniteFloat, ...] = Field(description="years until maturity, increasing")
    spot_over_strike: tuple[FiniteFloat | None, ...] = Field(
        description="in units of the strike; null where early exercise is never optimal"
    )


class PriceResult(ResponseModel):
    """Prices; `matrix[i][j]` belongs to `maturities[i]`, `strikes[j]`."""

    model_type: str = Field(default="", description="name of the model, not an alias")
    method: str = Field(default="", description="pricing method that was used")
    prices: Matrix = Field(description="present values, in the currency of the strikes")
    implied_vols: SparseMatrix = Field(
        description="Black volatilities; null where the price error makes the volatility uncertain "
        "by more than 1%, and for barriers and cash dividends; with early exercise those of the "
        "European options"
    )
    greeks: Greeks | None = None
    price_errors: SparseMatrix = Field(
        description="estimated absolute error of each price; null where the method gives none"
    )
    early_exercise_premiums: SparseMatrix | None = Field(
        default=None,
        description="price minus that of the European option, in currency; null unless exercise is "
        "american or bermudan",
    )
    exercise_boundary: ExerciseBoundary | None = Field(
        default=None, description="of American options at constant rates, if Greeks are requested"
    )
    warnings: tuple[str, ...] = ()
    request_id: str | None = None

"""`POST /price`."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from levy_schemas.wire import (
    MAX_OPTIONS,
    MAX_PARAMETERS,
    Amount,
    Exercise,
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
PricingMethod = Literal["sinh", "cos", "carr_madan", "lewis"]


class PriceRequest(Request):
    """European options on every pair of a strike and a maturity."""

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
    exercise: Exercise = Field(
        default="european", description="of all options; others are not priced yet"
    )
    method: PricingMethod = Field(
        default="sinh",
        description="sinh is the most accurate and the fastest; carr_madan is accurate to 0.1%",
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
        return self


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
        description="derivative with respect to each parameter of the model"
    )


class PriceResult(ResponseModel):
    """Prices; `matrix[i][j]` belongs to `maturities[i]`, `strikes[j]`."""

    model_type: str = Field(default="", description="name of the model, not an alias")
    prices: Matrix = Field(description="present values, in the currency of the strikes")
    implied_vols: SparseMatrix = Field(
        description="Black volatilities; null where the price error makes the volatility uncertain "
        "by more than 1%"
    )
    greeks: Greeks | None = None
    price_errors: SparseMatrix = Field(
        description="estimated absolute error of each price; null where the method gives none"
    )
    warnings: tuple[str, ...] = ()
    request_id: str | None = None

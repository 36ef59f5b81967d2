"""Base classes and number types of all schemas."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

MAX_OPTIONS: Final = 1_000
"""Options in one surface."""

MAX_PARAMETERS: Final = 16
MAX_AMOUNT: Final = 1e9
MIN_AMOUNT: Final = 1e-6
MAX_MATURITY_YEARS: Final = 50.0
MIN_MATURITY_YEARS: Final = 1e-4
MAX_RATE: Final = 1.0
MAX_VOL: Final = 10.0
"""Greatest implied volatility, 1,000% a year; most percentages are above it."""
MAX_PARAMETER: Final = 1e13
"""Above every search box, so that each fit can be priced: ν of Variance Gamma reaches 6.5e12."""


class Request(BaseModel):
    """Base class of requests; unknown fields are rejected, so that typos are reported."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ResponseModel(BaseModel):
    """Base class of responses; unknown fields are ignored, so that old clients keep working."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, protected_namespaces=()
    )


Amount = Annotated[
    float,
    Field(strict=True, allow_inf_nan=False, ge=MIN_AMOUNT, le=MAX_AMOUNT),
]
"""Spot, strike, forward: a positive amount of currency."""

QuotedPrice = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.0, le=MAX_AMOUNT)]
"""Present value of an option, in the currency of the strike."""

MaturityYears = Annotated[
    float,
    Field(strict=True, allow_inf_nan=False, ge=MIN_MATURITY_YEARS, le=MAX_MATURITY_YEARS),
]
"""Time to expiry in years; the minimum is about an hour."""


def _refuse_percent(value: Any) -> Any:
    if isinstance(value, float | int) and not isinstance(value, bool) and value > MAX_VOL:
        raise PydanticCustomError(
            "percent",
            "{value} means {percent}% a year; an implied volatility is a fraction (0.2 is 20%), so "
            "divide percent by 100",
            {"value": f"{value:g}", "percent": f"{100 * value:g}"},
        )
    return value


ImpliedVol = Annotated[
    float,
    Field(strict=True, allow_inf_nan=False, gt=0.0, le=MAX_VOL),
    BeforeValidator(_refuse_percent),
]
"""Black volatility, a fraction per year: 0.2 is 20%."""


def _refuse_bermudan(value: Any) -> Any:
    if value == "bermudan":
        raise PydanticCustomError(
            "early_exercise",
            "Bermudan quotes are not fitted: their early-exercise premium would be fitted as if it "
            "were volatility; send prices or implied volatilities of the European equivalents",
        )
    return value


CalibratedExercise = Annotated[Literal["european", "american"], BeforeValidator(_refuse_bermudan)]
"""Exercise style of quotes; Bermudan ones are refused with the remedy."""

Rate = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-MAX_RATE, le=MAX_RATE)]
"""Continuously compounded, per year: 0.05 is 5%."""

Discount = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=MIN_AMOUNT, le=10.0)]
"""Present value of one unit paid at expiry; above one for negative rates."""

ModelName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9]{0,63}$")]
"""Name or alias of a model, such as `VarianceGamma` or `vg`; the catalogue lists them."""

ParameterName = Annotated[str, Field(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")]

ParameterValue = Annotated[
    float,
    Field(strict=True, allow_inf_nan=False, ge=-MAX_PARAMETER, le=MAX_PARAMETER),
]

Flag = Annotated[bool, Field(strict=True)]

FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]

Matrix = tuple[tuple[FiniteFloat, ...], ...]
"""`matrix[i][j]` belongs to `maturities[i]` and `strikes[j]`."""

SparseMatrix = tuple[tuple[FiniteFloat | None, ...], ...]
"""A matrix with null for undefined entries."""

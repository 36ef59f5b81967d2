"""Base classes and number types of all schemas."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

MAX_OPTIONS: Final = 1_000
"""Options in one surface."""

MAX_PARAMETERS: Final = 16
MAX_AMOUNT: Final = 1e9
MIN_AMOUNT: Final = 1e-6
MAX_MATURITY_YEARS: Final = 50.0
MIN_MATURITY_YEARS: Final = 1e-4
MAX_RATE: Final = 1.0
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

"""`POST /quotes`: read and clean a file of quotes."""

from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from levy_schemas.pricing import OptionType
from levy_schemas.surface import Forward
from levy_schemas.wire import MAX_OPTIONS, FiniteFloat, Request, ResponseModel

MAX_UNPACKED_BYTES: Final = 8 * 2**20
"""Limit of a compressed file after decompression."""
MAX_DROPPED: Final = 1_000
"""Dropped quotes that a response lists; `dropped_counts` counts all."""

Example = Literal["synthetic-index"]
Name = Annotated[str, Field(max_length=200)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.0)]

_SOURCES: Final = ("text", "data", "example")
_EXAMPLE_TEXT: Final = (
    "quote_date,expiry,strike,option_type,bid,ask\n"
    "2026-03-16,2026-06-19,95,P,1.9,2.1\n2026-03-16,2026-06-19,95,C,7.6,7.8\n"
    "2026-03-16,2026-06-19,100,P,3.7,3.9\n2026-03-16,2026-06-19,100,C,4.4,4.6\n"
    "2026-03-16,2026-06-19,105,P,6.4,6.6\n2026-03-16,2026-06-19,105,C,2.2,2.4\n"
)


class QuotesRequest(Request):
    """A file of quotes in any layout that is recognised, and what it lacks.

    Give one of `text`, `data` and `example`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [name]} for name in _SOURCES],
            "examples": [{"text": _EXAMPLE_TEXT}, {"example": "synthetic-index"}],
        }
    )

    text: str | None = Field(default=None, min_length=1, description="CSV or JSON")
    data: str | None = Field(
        default=None,
        min_length=1,
        description="a file in Base64: CSV or JSON (also .gz or .zip), or an Excel workbook",
    )
    example: Example | None = Field(
        default=None, description="an example of the engine: a synthetic index option chain"
    )
    name: Name = Field(default="", description="name of the file, for messages")
    date: Name | None = Field(
        default=None,
        description="date of the quotes (2024-07-01, or with a time), where the file has none or "
        "several",
    )
    underlying: Name | None = Field(
        default=None, description="underlying to use, where the file has several"
    )
    expiry_time: Name | None = Field(
        default=None, description="time of day of expiries that are written as dates, such as 16:00"
    )
    columns: dict[Name, Name] = Field(
        default_factory=dict,
        max_length=32,
        description="the file's names of columns, by the engine's: strike, bid, call_ask, …",
    )
    scale: dict[Name, Number] = Field(
        default_factory=dict,
        max_length=32,
        description="factors that convert columns to the engine's units",
    )
    date_format: Name | None = Field(
        default=None, description="dmy, mdy or a pattern, where dates are ambiguous"
    )
    decimal: Literal["point", "comma"] | None = Field(
        default=None, description="decimal separator, where numbers are ambiguous"
    )
    spot: Number | None = Field(default=None, description="price of the underlying")
    rate: Number | None = Field(
        default=None, description="continuously compounded, per year: 0.05 is 5%"
    )
    dividend: Number | None = Field(
        default=None, description="continuously compounded yield, per year"
    )
    exercise: Literal["european", "american"] | None = Field(
        default=None,
        description="american quotes are refused here; send them to POST /calibrate, which "
        "subtracts their early-exercise premium",
    )
    currency: Name | None = Field(
        default=None, description="of the prices; underlying for inverse options"
    )
    sides: Literal["prefer_otm", "otm", "all"] = Field(
        default="prefer_otm",
        description="out-of-the-money side where it is quoted, that side only, or all quotes",
    )
    forwards: Literal["parity", "given"] = Field(
        default="parity", description="source of forwards: put-call parity, or the file, first"
    )
    min_maturity: NotNegative | None = Field(default=None, description="in years")
    max_maturity: NotNegative | None = Field(default=None, description="in years")
    min_moneyness: NotNegative | None = Field(default=None, description="strike over forward")
    max_moneyness: NotNegative | None = Field(default=None, description="strike over forward")

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            message = "give text, data or example" + (", and only one of them" if given else "")
            pointer = f"/{given[1]}" if given else ""
            raise PydanticCustomError("source", message, {"pointer": pointer})
        return self


class ColumnReading(ResponseModel):
    """How one column was read."""

    name: str = Field(description="the engine's column")
    source: str = Field(description="the file's column, or where else the value comes from")
    unit: str = Field(description="unit and conversion; empty for names and dates")


class Expiry(ResponseModel):
    """One expiry, its forward and its quotes."""

    name: str = Field(description="date, and root where there are several; maturity without dates")
    maturity: FiniteFloat = Field(description="in years")
    n_quotes: int = Field(description="number of quotes kept")
    strike_low: FiniteFloat
    strike_high: FiniteFloat
    forward: FiniteFloat
    discount: FiniteFloat
    rate: FiniteFloat = Field(description="continuous rate that the discount implies")
    dividend_yield: FiniteFloat | None = Field(description="null without a spot")
    atm_vol: FiniteFloat | None = Field(description="implied volatility at the forward")
    source: str = Field(description="how the forward was derived")


class CleanedQuote(ResponseModel):
    """A quote that can be fitted; null where the file has no value."""

    strike: FiniteFloat
    maturity: FiniteFloat = Field(description="in years")
    option_type: OptionType
    price: FiniteFloat = Field(description="present value")
    bid: FiniteFloat | None
    ask: FiniteFloat | None
    implied_vol: FiniteFloat | None = Field(description="of the price")
    bid_vol: FiniteFloat | None = Field(description="implied volatility of the bid")
    ask_vol: FiniteFloat | None = Field(description="implied volatility of the ask")


class DroppedRow(ResponseModel):
    """A quote of the file that is not used, and the reason."""

    row: int = Field(description="line of a text file, or row of a table")
    expiry: str
    strike: FiniteFloat | None
    option_type: OptionType
    reason: str
    message: str = Field(description="explanation of the reason")


class QuotesResult(ResponseModel):
    """What was recognised in a file, and its quotes after cleaning.

    `quotes`, without the volatilities, and `forwards` are those of `POST /calibrate`.
    """

    format: str = Field(description="layout and kind of file")
    columns: tuple[ColumnReading, ...]
    day_count: str
    exercise: str
    currency: str
    quote_date: str | None
    underlying: str | None
    spot: FiniteFloat | None
    n_read: int = Field(description="number of quotes in the file")
    n_kept: int = Field(description="number of quotes after cleaning")
    expiries: tuple[Expiry, ...]
    forwards: tuple[Forward, ...]
    quotes: tuple[CleanedQuote, ...] = Field(
        description=f"at most {MAX_OPTIONS}, which one surface may have; of more, every expiry "
        "keeps its share, evenly over the strikes, and a warning states the number"
    )
    dropped_counts: dict[str, int] = Field(description="number of dropped quotes by reason")
    dropped: tuple[DroppedRow, ...] = Field(description=f"the first {MAX_DROPPED}")
    meanings: dict[str, str] = Field(description="explanation of each reason that occurs")
    warnings: tuple[str, ...] = ()
    request_id: str | None = None

"""What the user states about a table of quotes, where the table lacks it or is misread."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from levy_numerics.errors import InvalidInputError
from levy_surfaces.date_text import is_date_format
from levy_surfaces.formats.names import SIDE_FIELDS
from levy_surfaces.number_text import Decimal
from levy_surfaces.printable import shortened
from levy_surfaces.quote_columns import COLUMNS, NUMBERS
from levy_surfaces.rate_curves import RateCurve

Exercise = Literal["european", "american"]

IN_UNDERLYING: Final = "underlying"
"""Currency of premiums that are paid in the underlying (inverse options)."""
_CURRENCY: Final = re.compile(r"[A-Za-z]{3,5}")
"""Codes of ISO 4217, and of crypto-currencies such as USDC and MATIC."""
_MAX_RATE: Final = 1.0
"""A rate of 1 or beyond is per cent."""
_MAX_SPOT: Final = 1e9
_SIDE_COLUMNS: Final = frozenset(
    f"{side}_{name}" for side in ("call", "put") for name in SIDE_FIELDS
)


@dataclass(frozen=True)
class QuoteSettings:
    """Statements about a table of quotes, each of which replaces what the table has.

    Attributes
    ----------
    columns : mapping of str to str
        The table's name of some of the engine's columns, `call_bid` or `put_ask` for one side.
    scale : mapping of str to float
        Factors that convert a column to the engine's unit: 0.001 for strikes times 1,000.
    date_format : str, optional
        `dmy`, `mdy`, or a `strptime` pattern.
    decimal : {"point", "comma"}, optional
        Decimal separator; recognised if absent.
    spot : float, optional
    rate : float or RateCurve, optional
        Continuous, per year.
    dividend : float, optional
        Continuous yield per year.
    exercise : {"european", "american"}, optional
    currency : str, optional
        Of the prices; `underlying` for premiums in the underlying.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    date_format: str | None = None
    decimal: Decimal | None = None
    spot: float | None = None
    rate: float | RateCurve | None = None
    dividend: float | None = None
    exercise: Exercise | None = None
    currency: str | None = None

    def __post_init__(self) -> None:
        for name in self.columns:
            if name not in {*COLUMNS, "symbol"} and name not in _SIDE_COLUMNS:
                raise InvalidInputError(
                    f"columns: '{shortened(name)}' is not one of symbol, {', '.join(COLUMNS)}, "
                    "or call_ or put_ with one of bid, ask, mid, last, implied_vol and symbol"
                )
        for name, factor in self.scale.items():
            if name not in NUMBERS:
                raise InvalidInputError(
                    f"scale: '{shortened(name)}' is not one of {', '.join(NUMBERS)}"
                )
            if not 0.0 < factor < float("inf"):
                raise InvalidInputError(f"scale of {name} must be a positive number")
        if self.decimal is not None and self.decimal not in get_args(Decimal):
            raise InvalidInputError("decimal must be point or comma")
        if self.exercise is not None and self.exercise not in get_args(Exercise):
            raise InvalidInputError("exercise must be european or american")
        if self.date_format is not None and not is_date_format(self.date_format):
            raise InvalidInputError(
                f"date format '{shortened(self.date_format)}' is not dmy, mdy or a pattern of day, "
                "month and year such as %d.%m.%Y"
            )
        if self.currency is not None and not (
            self.currency == IN_UNDERLYING or _CURRENCY.fullmatch(self.currency)
        ):
            raise InvalidInputError(
                f"currency '{shortened(self.currency)}' is not a code of three to five letters "
                f"such as USD, or {IN_UNDERLYING}"
            )
        if self.spot is not None and not 0.0 < self.spot <= _MAX_SPOT:
            raise InvalidInputError(f"spot must be positive and at most {_MAX_SPOT:g}")
        for name, value in (("rate", self.rate), ("dividend", self.dividend)):
            if isinstance(value, float | int) and not abs(value) < _MAX_RATE:
                raise InvalidInputError(
                    f"{name} {value:g} means {value:.0%} a year; write {value / 100:g} for "
                    f"{value:g}%"
                )

"""Numbers as people write them: decimal commas, thousands separators, currency signs, per cent."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

Decimal = Literal["point", "comma"]

_SIGNS: Final = re.compile(r"[$€£¥₿₩₹\s'’\u00a0\u202f]|\b(?:USD|EUR|GBP|CHF|JPY|BTC|ETH)\b")
"""Currency signs, blanks and apostrophes, which do not change a number."""
_COMMA_THOUSANDS: Final = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_POINT_THOUSANDS: Final = re.compile(r"-?\d{1,3}(?:\.\d{3})+(?:,\d*)?")
_DECIMAL_COMMA: Final = re.compile(r"-?\d*,\d+(?:[eE][-+]?\d+)?")
_DECIMAL_POINT: Final = re.compile(r"-?\d*\.\d+(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class NumberStyle:
    """How a table writes numbers.

    Attributes
    ----------
    decimal : {"point", "comma"}
    """

    decimal: Decimal = "point"

    def numbers(self, column: pd.Series) -> pd.Series:
        """Return a column of numbers, with the text of those that are not numbers left as it is.

        Parameters
        ----------
        column : Series
            Numbers, which are returned as they are, or text.
        """
        if column.dtype.kind in "fiub":
            return column
        plain = pd.to_numeric(column, errors="coerce")
        doubtful = (
            column.str.contains(r"[,.]", regex=True)
            if self.decimal == "comma"
            else plain.isna() & (column.str.strip() != "")
        ).to_numpy(bool)
        if not doubtful.any():
            return column
        values = column.astype(object)
        values[doubtful] = [self._number(text) for text in column[doubtful]]
        return values

    def _number(self, text: str) -> str | float:
        bare = _SIGNS.sub("", text)
        is_percent = bare.endswith("%")
        bare = bare.removesuffix("%")
        if self.decimal == "comma":
            if "." in bare and not _POINT_THOUSANDS.fullmatch(bare):
                return text
            bare = bare.replace(".", "").replace(",", ".")
        elif "," in bare:
            if not _COMMA_THOUSANDS.fullmatch(bare):
                return text
            bare = bare.replace(",", "")
        try:
            number = float(bare)
        except ValueError:
            return text
        return number / 100.0 if is_percent else number


class AmbiguousNumbersError(ValueError):
    """Numbers whose decimal separator cannot be determined."""


def number_style(texts: Iterable[str]) -> NumberStyle:
    """Return how a sample of numbers is written.

    A comma that three digits follow may separate thousands or decimals: other numbers of the table
    decide. Numbers in the style of the minority are misprints.

    Raises
    ------
    AmbiguousNumbersError
        No number decides.
    """
    n_comma = n_point = 0
    doubtful = ""
    for raw in texts:
        text = _SIGNS.sub("", raw).removesuffix("%")
        has_comma, has_point = "," in text, "." in text
        if not (has_comma or has_point):
            continue
        if has_comma and has_point:
            n_comma += _POINT_THOUSANDS.fullmatch(text) is not None
            n_point += _COMMA_THOUSANDS.fullmatch(text) is not None
        elif has_comma and _COMMA_THOUSANDS.fullmatch(text):
            # 2,225 may be 2225 or 2.225; 1,234,567 is the former.
            n_point += text.count(",") > 1
            doubtful = doubtful or raw.strip()
        elif has_comma:
            n_comma += _DECIMAL_COMMA.fullmatch(text) is not None
        elif _POINT_THOUSANDS.fullmatch(text):
            n_comma += text.count(".") > 1
        else:
            n_point += _DECIMAL_POINT.fullmatch(text) is not None
    if n_comma > n_point:
        return NumberStyle("comma")
    if doubtful and not n_point:
        raise AmbiguousNumbersError(
            f"'{doubtful}' may be {doubtful.replace(',', '')} or {doubtful.replace(',', '.')}"
        )
    return NumberStyle("point")


def scaled(column: pd.Series, factor: float) -> pd.Series:
    """Return the numbers of a column multiplied by a factor; text is left as it is."""
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    # Products by 1/1000 are rounded, quotients are not: 2225000 × 0.001 is not 2225.
    product = numbers / round(1.0 / factor) if _is_reciprocal(factor) else numbers * factor
    if numbers.notna().all():
        return product
    return column.astype(object).where(numbers.isna(), product)


def _is_reciprocal(factor: float) -> bool:
    return 0.0 < factor < 1.0 and bool(np.isclose(1.0 / factor, round(1.0 / factor), rtol=1e-12))

"""Parse columns of text as numbers, option types and moments; reject other values."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from levy_surfaces.formats.names import squeezed
from levy_surfaces.printable import shortened
from levy_surfaces.quote_columns import NAMES, NOT_NEGATIVE, NUMBERS, POSITIVE, refuse
from levy_surfaces.quote_files import QuoteFile
from levy_surfaces.settlement import parse_settlement
from levy_surfaces.timestamps import EXPECTED_FORM, Moments

LARGEST_NUMBER: Final = 1e50
"""Squares and ratios of larger numbers, or of their inverses, overflow."""

_MISSING: Final = frozenset(
    {"", "nan", "nat", "na", "n/a", "#n/a", "null", "none", "-", "--", "—", "n.a."}
)
_OPTION_TYPES: Final = {
    **dict.fromkeys(("c", "call", "calls", "ce", "call option", "european call"), True),
    **dict.fromkeys(("p", "put", "puts", "pe", "put option", "european put"), False),
    **dict.fromkeys(("option d'achat", "コール"), True),
    **dict.fromkeys(("option de vente", "プット"), False),
}
_SIGNS: Final = {"1": True, "1.0": True, "+1": True, "-1": False, "-1.0": False}
"""Signs of the payoff, used where both occur."""
_TRUTHS: Final = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
"""Values of a column whose name states what is true: `is_call`."""


def is_blank(values: pd.Series) -> pd.Series:
    """Return a mask of missing values: blank, NaN, NA, null or none."""
    if values.dtype.kind in "fiub":
        return values.isna()
    return values.isna() | values.astype(str).str.strip().str.lower().isin(_MISSING)


def names(values: pd.Series) -> pd.Series:
    """Return stripped text, empty where the value is missing."""
    return values.astype(str).str.strip().where(~is_blank(values), "")


@dataclass(frozen=True)
class QuoteColumns:
    """The text of a file's columns, indexed by line or row number, and the file for messages."""

    file: QuoteFile
    text: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return numbers, names and option types, one row a quote, with `row` as a column.

        Raises
        ------
        InvalidInputError
            A value is not what its column requires; the message names its row and column.
        """
        frame = pd.DataFrame({"row": self.text.index}, index=self.text.index)
        for name in NUMBERS:
            frame[name] = self._numbers(name) if name in self.text else np.nan
        for name in NAMES:
            frame[name] = names(self.text[name]) if name in self.text else ""
        frame["settlement"] = self._settlements()
        column = self.text["option_type"]
        kinds = column.astype(str).str.strip().str.lower()
        meanings = self._option_types(set(kinds))
        self._refuse_first(
            "option_type",
            ~kinds.isin(meanings),
            "is neither C nor P, call nor put, and not 1 nor -1; write C or P",
        )
        self._refuse_first("strike", frame["strike"].isna(), "is missing")
        frame["is_call"] = kinds.map(meanings).astype(bool)
        return frame.reset_index(drop=True)

    def _option_types(self, written: set[str]) -> dict[str, bool]:
        """Return whether each value is a call; 1 and 0 require a column named is_call."""
        label = self.file.layout.label("option_type") if self.file.layout else "option_type"
        if squeezed(label) == "iscall":
            return {**_OPTION_TYPES, **_TRUTHS}
        return {**_OPTION_TYPES, **_SIGNS} if written & {"-1", "-1.0"} else _OPTION_TYPES

    def moments(self, name: str) -> Moments:
        """Return the dates or timestamps of a column; all missing if the file lacks it.

        Raises
        ------
        InvalidInputError
            A value is not a complete date.
        """
        if name not in self.text:
            return Moments.absent(len(self.text))
        column = self.text[name]
        moments = Moments.of(names(column))
        wrong = pd.Series(moments.is_missing, index=column.index) & ~is_blank(column)
        self._refuse_first(name, wrong, f"is not a complete date; {EXPECTED_FORM}")
        return moments

    def _numbers(self, name: str) -> pd.Series:
        column = self.text[name]
        numbers = pd.to_numeric(column, errors="coerce").astype(float)
        present = ~is_blank(column)
        self._refuse_first(name, present & numbers.isna(), "is not a number")
        self._refuse_first(name, numbers.abs() == np.inf, "is not finite")
        size = numbers.abs()
        extreme = (numbers != 0.0) & ~size.between(1.0 / LARGEST_NUMBER, LARGEST_NUMBER)
        self._refuse_first(
            name,
            present & extreme,
            f"is not between {1.0 / LARGEST_NUMBER:g} and {LARGEST_NUMBER:g} in size",
        )
        if name in POSITIVE:
            self._refuse_first(name, present & ~(numbers > 0), "must be positive")
        if name in NOT_NEGATIVE:
            self._refuse_first(name, present & ~(numbers >= 0), "must not be negative")
        return numbers.where(present)

    def _settlements(self) -> pd.Series:
        """Return AM, PM or nothing; a column with other values is not used, with a warning."""
        absent = pd.Series("", index=self.text.index, dtype="str")
        if "settlement" not in self.text:
            return absent
        written = names(self.text["settlement"])
        meaning = {text: parse_settlement(text) if text else "" for text in written.unique()}
        unknown = written.isin([text for text, settlement in meaning.items() if settlement is None])
        if not unknown.any():
            return written.map(meaning).astype("str")
        row = written.index[unknown][0]
        self.file.warnings.append(
            f"the column settlement is not used: {self.file.row_unit} {row} has "
            f"'{shortened(written[unknown].iloc[0])}', which is neither AM nor PM "
            f"({int(unknown.sum())} such rows); write AM or PM, or rename a column of prices"
        )
        return absent

    def _refuse_first(self, name: str, wrong: pd.Series, complaint: str) -> None:
        if not wrong.any():
            return
        column = self.text[name]
        position = int(np.argmax(wrong.to_numpy(bool)))
        row, count = int(column.index[position]), int(wrong.sum())
        more = f" (and {count - 1} more)" if count > 1 else ""
        value = str(column.iloc[position])
        label = name if self.file.layout is None else self.file.layout.label(name)
        shown = f"{label} '{shortened(value)}'" if value.strip() else label
        refuse(
            self.file.path,
            f"{self.file.row_unit} {row}, column {label}: {shown} {complaint}{more}",
            row=row,
            column=name,
            count=count,
        )

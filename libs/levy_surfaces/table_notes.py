"""Rows of a table that are notes, totals or titles of sections, not quotes."""

from collections.abc import Sequence
from typing import Final

_MIN_COLUMNS: Final = 4
"""In narrower tables, a row with one value may be a damaged quote."""
_TOTALS: Final = frozenset({"total", "totals", "grand total", "sum", "summe", "gesamt"})


def is_note(row: Sequence[str], n_columns: int) -> bool:
    """Return whether a row has a text as its only value, or is a line of totals."""
    values = [value.strip() for value in row if value.strip()]
    if n_columns < _MIN_COLUMNS or not values:
        return False
    is_text = len(values) == 1 and any(map(str.isalpha, values[0]))
    return is_text or values[0].lower() in _TOTALS

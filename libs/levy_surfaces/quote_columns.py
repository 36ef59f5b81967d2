"""Names of the columns that quote files have, and checks of a header."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from levy_numerics.errors import InvalidInputError
from levy_surfaces.printable import printable, shortened

POSITIVE: Final = ("strike", "spot", "forward", "discount")
NOT_NEGATIVE: Final = ("bid", "ask", "mid")
NUMBERS: Final = (*POSITIVE, *NOT_NEGATIVE, "maturity_years", "rate", "dividend_yield")
NAMES: Final = ("underlying", "root")
DATES: Final = ("quote_date", "expiry")
COLUMNS: Final = (*DATES, *NAMES, "option_type", "settlement", *NUMBERS)

Requirements = tuple[tuple[str, tuple[frozenset[str], ...]], ...]
"""Pairs of a description and the sets of columns any one of which meets the requirement."""


def _any_of(*ways: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(way.split()) for way in ways)


_CONTRACT: Final[Requirements] = (
    ("strike", _any_of("strike")),
    ("option_type", _any_of("option_type")),
    ("expiry or maturity_years", _any_of("expiry", "maturity_years")),
)
OPTION_REQUIREMENTS: Final = _CONTRACT
QUOTE_REQUIREMENTS: Final[Requirements] = (
    *_CONTRACT,
    ("quote_date or maturity_years", _any_of("quote_date", "maturity_years")),
    ("mid, or bid and ask", _any_of("mid", "bid ask")),
)

# Names that pandas and pyarrow give to an index or a column without a name.
_UNNAMED: Final = re.compile(r"(unnamed: \d+|__index_level_\d+__)?")
# The name that pandas gives to the second of two columns of the same name.
_RENAMED: Final = re.compile(rf"({'|'.join(COLUMNS)})\.\d+")


def refuse(path: Path, message: str, **details: object) -> NoReturn:
    """Raise `InvalidInputError` with the file's name and a message that is safe to print."""
    raise InvalidInputError(
        f"{printable(path.name)}: {printable(message)}", file=str(path), **details
    )


def normalized(name: object) -> str:
    """Return a column's name without case, byte order mark and surrounding blanks."""
    return str(name).strip("\ufeff").strip().lower()


def is_unnamed(name: object) -> bool:
    """Return whether a column has no name, or the one that pandas gives to such a column."""
    return _UNNAMED.fullmatch(normalized(name)) is not None


def locate_columns(
    path: Path, names: Sequence[object], requirements: Requirements
) -> dict[str, int]:
    """Return the position of each column of `COLUMNS` that a header contains.

    Raises
    ------
    InvalidInputError
        A column occurs twice, or one that is required is missing.
    """
    found = [normalized(name) for name in names]
    if len(found) == 1 and any(separator in found[0] for separator in ";\t|"):
        refuse(path, "columns are separated by semicolons, tabs or bars; commas are expected")
    for name in COLUMNS:
        if found.count(name) > 1:
            refuse(path, f"the column {name} occurs twice; remove or rename one", column=name)
    renamed = next((name for name in found if _RENAMED.fullmatch(name)), None)
    if renamed and renamed.split(".")[0] in found:
        name = renamed.split(".")[0]
        refuse(
            path,
            f"the columns {name} and {renamed} look like one name that occurred twice; remove one, "
            "or rename the one that is not to be used",
            column=name,
        )
    missing = [what for what, ways in requirements if not any(way <= set(found) for way in ways)]
    if missing:
        header = ", ".join(shortened(str(name)) for name in found[:20])
        refuse(
            path,
            f"columns are missing: {'; '.join(missing)} (the header has: {header})",
            columns=missing,
        )
    return {name: found.index(name) for name in COLUMNS if name in found}

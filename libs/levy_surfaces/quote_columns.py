"""Names of the columns that quote files have, and checks of a header."""

import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Final, NoReturn

from levy_numerics.errors import InvalidInputError
from levy_surfaces.formats.names import squeezed
from levy_surfaces.printable import printable, shortened

POSITIVE: Final = ("strike", "spot", "forward", "discount")
NOT_NEGATIVE: Final = ("bid", "ask", "mid", "last")
NUMBERS: Final = (
    *(*POSITIVE, *NOT_NEGATIVE, "implied_vol", "maturity_years", "days_to_expiry"),
    *("rate", "dividend_yield"),
)
NAMES: Final = ("underlying", "root", "exercise", "currency")
DATES: Final = ("quote_date", "expiry", "last_trade")
COLUMNS: Final = (*DATES, *NAMES, "option_type", "settlement", *NUMBERS)

Requirements = tuple[tuple[str, tuple[frozenset[str], ...], str], ...]
"""Descriptions, the sets of columns any one of which meets the requirement, and substitutes."""


def _any_of(*ways: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(way.split()) for way in ways)


_CONTRACT: Final[Requirements] = (
    ("strike", _any_of("strike"), "an option symbol"),
    (
        "option_type",
        _any_of("option_type"),
        "an option symbol, or columns such as call_bid and put_bid",
    ),
    (
        "expiry or maturity_years",
        _any_of("expiry", "maturity_years", "days_to_expiry"),
        "days_to_expiry, or an option symbol",
    ),
)
OPTION_REQUIREMENTS: Final = _CONTRACT
QUOTE_REQUIREMENTS: Final[Requirements] = (
    *_CONTRACT,
    (
        "quote_date or maturity_years",
        _any_of("quote_date", "maturity_years", "days_to_expiry", "last_trade"),
        "--date 2024-07-01, or days_to_expiry",
    ),
    (
        "mid, or bid and ask",
        _any_of("mid", "bid ask", "last", "implied_vol"),
        "last, or implied_vol",
    ),
)

_CONVERSIONS: Final = (
    (
        frozenset({"moneyness", "kf", "ks", "moneynesspct", "strikepct", "pctmoneyness"}),
        "Moneyness is not read: add a column strike, moneyness times the forward or spot",
    ),
    (
        frozenset({"logmoneyness", "logstrike", "logkf", "forwardlogmoneyness"}),
        "Log-moneyness is not read: add a column strike, forward × exp(log-moneyness)",
    ),
    (
        frozenset({"delta", "deltas", "25drr", "25dbf", "25delta", "10drr"}),
        "Quotes by delta are not read: convert each delta to its strike",
    ),
    (
        frozenset({"totalvariance", "totalvar", "w", "totalimpliedvariance"}),
        "Total variance is not read: add a column implied_vol, sqrt(total variance / years)",
    ),
    (
        frozenset({"variance", "impliedvariance", "impliedvar"}),
        "Variance is not read: add a column implied_vol, its square root",
    ),
    (
        frozenset({"normalvol", "bachelliervol", "bpvol", "normaliv"}),
        "Normal (Bachelier) volatilities are not read: convert them to prices",
    ),
)
"""Columns that can be converted to a missing one, and how."""

# Names that pandas and pyarrow give to an index or a column without a name.
_UNNAMED: Final = re.compile(r"(unnamed: \d+|__index_level_\d+__)?")


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


def check_unique(path: Path, names: Sequence[object], labels: Mapping[str, str]) -> None:
    """Raise if the name of a column that is read occurs twice.

    Parameters
    ----------
    path : Path
    names : sequence
        The header.
    labels : mapping of str to str
        The table's name of each column that is read.

    Raises
    ------
    InvalidInputError
        A name occurs twice, or as `strike` and `strike.1` of pandas.
    """
    present = [normalized(name) for name in names]
    for column, label in labels.items():
        name = normalized(label)
        if present.count(name) > 1:
            refuse(path, f"the column {name} occurs twice; remove or rename one", column=column)
        renamed = re.compile(rf"{re.escape(name)}\.\d+")
        twin = next((other for other in present if renamed.fullmatch(other)), None)
        if twin:
            refuse(
                path,
                f"the columns {name} and {twin} look like one name that occurred twice; remove "
                "one, or rename the one that is not to be used",
                column=column,
            )


def check_complete(
    path: Path, names: Sequence[object], available: Set[str], requirements: Requirements
) -> None:
    """Raise `InvalidInputError` with all requirements that the columns do not meet."""
    missing = [
        (what, instead)
        for what, ways, instead in requirements
        if not any(way <= available for way in ways)
    ]
    if missing:
        header = ", ".join(shortened(normalized(name)) for name in names[:20])
        remedies = [text for names_of, text in _CONVERSIONS if names_of & {*map(squeezed, names)}]
        listed = "; ".join(f"{what} (or {instead})" for what, instead in missing)
        refuse(
            path,
            f"columns are missing: {'. '.join([listed, *remedies])}. --columns strike=K,bid=B "
            f"names columns that are not recognised (the header has: {header})",
            columns=[what for what, _ in missing],
        )

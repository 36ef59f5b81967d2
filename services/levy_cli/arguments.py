"""Types of command-line arguments: what users may write, and what commands receive.

Each raises `ArgumentTypeError`, whose message names the value and what to write instead.
"""

import math
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Final

from levy_surfaces.printable import shortened
from levy_surfaces.tenors import tenor_years

MAX_SEED: Final = 2**31 - 1
"""That of HTTP requests; every generator accepts it."""
MAX_PROCESSES: Final = 256
_MAX_ENTRIES: Final = 1_000
"""Entries of a list; also the largest number of options in one request."""
_BARRIERS: Final = ("up-and-out", "up-and-in", "down-and-out", "down-and-in")
_ROUNDING: Final = 1e-9
"""Fraction of a step by which the end of a range may differ from its last entry."""


def number(text: str) -> float:
    """Return a finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ArgumentTypeError(f"'{shortened(text)}' is not a number such as 0.05")
    return value


def fraction(text: str) -> float:
    """Return a finite number, which may be written as a percentage.

    Examples
    --------
    >>> fraction("0.025"), fraction("2.5%")
    (0.025, 0.025)
    """
    return number(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)


def tenor(text: str) -> float:
    """Return a time in years: a number, or days, weeks, months and years.

    Actual/365 for days and weeks; a month is a twelfth of a year.

    Examples
    --------
    >>> tenor("0.25"), tenor("3M"), tenor("1y6m"), round(tenor("30d"), 6)
    (0.25, 0.25, 1.5, 0.082192)
    """
    years = tenor_years(text)
    if years is None:
        try:
            years = float(text)
        except ValueError:
            years = math.nan
    if not 0.0 <= years < math.inf:
        raise ArgumentTypeError(
            f"'{shortened(text)}' is not a maturity; write years such as 0.25, or a tenor such as "
            "30d, 2w, 3M or 1Y"
        )
    return years


def strikes(text: str) -> list[float]:
    """Return a list of numbers and ranges `low:high:step`, such as `80,90:110:5`."""
    return _entries(text, number, "strikes such as 90,100,110 or a range such as 90:110:5")


def maturities(text: str) -> list[float]:
    """Return a list of times in years, of numbers, tenors and ranges, such as `30d,3M:12M:3M`."""
    return _entries(text, tenor, "maturities such as 0.25,30d,3M,1Y or a range such as 1M:6M:1M")


def not_negative(text: str) -> float:
    """Return a finite number that is not negative."""
    value = number(text)
    if value < 0.0:
        raise ArgumentTypeError(f"'{shortened(text)}' is negative")
    return value


def path(text: str) -> str:
    """Return the name of a file or folder, or an address; an unset variable is not one."""
    if not text.strip() or "\0" in text:
        raise ArgumentTypeError("the name is empty" if not text.strip() else "invalid name")
    return text


def barrier(text: str) -> tuple[str, float]:
    """Return the kind and the level of a barrier.

    Examples
    --------
    >>> barrier("up-and-out:120")
    ('up-and-out', 120.0)
    """
    kind, separator, level = text.partition(":")
    if not separator or kind not in _BARRIERS:
        raise ArgumentTypeError(
            f"'{shortened(text)}' is not a barrier such as up-and-out:120; kinds are "
            f"{', '.join(_BARRIERS)}"
        )
    return kind, number(level)


def dividends(text: str) -> list[tuple[float, float]]:
    """Return times in years and amounts of cash dividends.

    Examples
    --------
    >>> dividends("3M:1.5,0.5:1.5")
    [(0.25, 1.5), (0.5, 1.5)]
    """
    pairs = [entry.partition(":") for entry in text.split(",")]
    if not all(separator for _, separator, _ in pairs):
        raise ArgumentTypeError(
            f"'{shortened(text)}' is not a list of dividends such as 0.25:1.5,0.5:1.5, times and "
            "amounts"
        )
    return [(tenor(years), number(amount)) for years, _, amount in pairs]


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return the type of integers from `low` to `high`."""

    def bounded(text: str) -> int:
        if re.fullmatch(r"[+-]?[0-9]{1,19}", text) and low <= int(text) <= high:
            return int(text)
        raise ArgumentTypeError(f"'{shortened(text)}' is not an integer from {low} to {high}")

    return bounded


def _entries(text: str, entry: Callable[[str], float], examples: str) -> list[float]:
    values: list[float] = []
    for part in map(str.strip, text.split(",")):
        ends = [end.strip() for end in part.split(":")]
        if not part or len(ends) not in (1, 3):
            raise ArgumentTypeError(f"'{shortened(text)}' is not a list of {examples}")
        values += [entry(part)] if len(ends) == 1 else _range(part, *map(entry, ends))
        if len(values) > _MAX_ENTRIES:
            raise ArgumentTypeError(f"more than {_MAX_ENTRIES} values; give fewer")
    return values


def _range(text: str, low: float, high: float, step: float) -> list[float]:
    """Return low, low + step, …, up to and including `high`."""
    if not (low <= high and step > 0.0):
        raise ArgumentTypeError(
            f"'{shortened(text)}' is not a range low:high:step with low up to high and a positive "
            "step"
        )
    n_steps = (high - low) / step
    if n_steps >= _MAX_ENTRIES:
        raise ArgumentTypeError(
            f"the range '{shortened(text)}' has more than {_MAX_ENTRIES} values"
        )
    values = [low + k * step for k in range(math.floor(n_steps + _ROUNDING) + 1)]
    if abs(values[-1] - high) <= _ROUNDING * step:
        values[-1] = high
    return values

"""Zero curves: continuous rates by maturity, linear in between and constant outside."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import pandas as pd

from levy_numerics.errors import InvalidInputError
from levy_surfaces.formats.names import squeezed
from levy_surfaces.number_text import number_style
from levy_surfaces.printable import printable

_DAYS: Final = frozenset({"days", "maturitydays", "dte", "daystomaturity", "daystoexpiry"})
_YEARS: Final = frozenset({"years", "maturity", "maturityyears", "t", "ttm", "tenor", "term"})
_RATES: Final = frozenset({"rate", "zerorate", "r", "zero", "yield", "value"})
_PER_CENT: Final = 0.3
"""Rates above 30% in a curve are per cent."""
_DAYS_PER_YEAR: Final = 365.0


@dataclass(frozen=True)
class RateCurve:
    """A zero curve.

    Attributes
    ----------
    years : tuple of float
        Maturities, increasing.
    rates : tuple of float
        Continuous rates per year.
    name : str
        Where it is from.
    is_percent : bool
        Whether the file's rates were per cent.
    """

    years: tuple[float, ...]
    rates: tuple[float, ...]
    name: str
    is_percent: bool = False

    def rate(self, years: np.ndarray) -> np.ndarray:
        """Return the rates at maturities, shape (n,)."""
        return np.asarray(np.interp(years, self.years, self.rates))

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a CSV file with maturities (`days` or `years`) and rates (`rate`).

        Raises
        ------
        InvalidInputError
            The file cannot be read, or lacks a column.
        """
        name = printable(Path(path).name)
        try:
            frame = pd.read_csv(path, sep=None, engine="python", dtype=str)
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"rate curve {name}: {printable(str(error))}") from None
        columns = {squeezed(column): column for column in frame.columns}
        days = next((columns[n] for n in columns if n in _DAYS), None)
        years = next((columns[n] for n in columns if n in _YEARS), None)
        rate = next((columns[n] for n in columns if n in _RATES), None)
        if rate is None or (days is None and years is None):
            raise InvalidInputError(
                f"rate curve {name}: columns days or years, and rate, are needed"
            )
        maturities = _numbers(frame[days or years], name) / (_DAYS_PER_YEAR if days else 1.0)
        rates = _numbers(frame[rate], name)
        order = np.argsort(maturities, kind="stable")
        is_percent = bool(np.max(np.abs(rates)) > _PER_CENT)
        return cls(
            years=tuple(maturities[order].tolist()),
            rates=tuple((rates[order] / (100.0 if is_percent else 1.0)).tolist()),
            name=name,
            is_percent=is_percent,
        )


def _numbers(column: pd.Series, name: str) -> np.ndarray:
    texts = column.fillna("").astype(str)
    values = pd.to_numeric(number_style(texts).numbers(texts), errors="coerce").to_numpy(float)
    if not len(values) or not np.isfinite(values).all():
        raise InvalidInputError(f"rate curve {name}: column {column.name} has missing numbers")
    return values

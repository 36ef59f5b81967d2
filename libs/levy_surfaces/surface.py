"""A cleaned surface: contracts, prices, and where they come from."""

import gzip
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, Self

import numpy as np
import pandas as pd

from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts, Quotes
from levy_surfaces.atomic_files import write_atomically
from levy_surfaces.forwards import SeriesForward, implied_forwards
from levy_surfaces.maturities import DAYS_PER_YEAR, SAME_MATURITY_YEARS
from levy_surfaces.reading import QuoteTable, read_quotes

_NO_ROOT: Final = ""
_CSV_SUFFIXES: Final = (".csv", ".csv.gz")
_PARQUET_SUFFIXES: Final = (".parquet", ".pq")
_SAME_EXPIRY_YEARS: Final = 0.5 / DAYS_PER_YEAR
_SAME_EXPIRY_SHARE: Final = 0.05
"""Of the maturity: half a day is much of a maturity of a few days."""


@dataclass(frozen=True)
class Surface:
    """Quotes of one underlying at one date, ready to be fitted.

    Attributes
    ----------
    quotes : Quotes
        Present values, by maturity and strike.
    expiry, root : ndarray of str, shape (n,)
        ISO dates (with the time of day where the source has one) and roots; empty where the
        source has none.
    row : ndarray of int, shape (n,)
        Place of each quote in its source.
    forwards : tuple of SeriesForward
        One for each expiry and root, with how it came about.
    quote_date, underlying : str or None
        ISO date, or timestamp where the source has a time of day.
    spot : float or None
    warnings : tuple of str
        What reading assumed, and what may be wrong with the source.
    """

    quotes: Quotes
    expiry: np.ndarray
    root: np.ndarray
    row: np.ndarray
    series: np.ndarray
    forwards: tuple[SeriesForward, ...]
    quote_date: str | None = None
    underlying: str | None = None
    spot: float | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: QuoteTable, kept: pd.DataFrame, forwards: tuple[SeriesForward, ...]) -> Self:
        """Make a surface of cleaned rows (`price`, `forward`, `discount` added)."""
        ordered = kept.sort_values(["series", "strike", "is_call"], kind="stable")
        contracts = Contracts.of(
            maturity_years=ordered["maturity_years"].to_numpy(float),
            strike=ordered["strike"].to_numpy(float),
            forward=ordered["forward"].to_numpy(float),
            discount=ordered["discount"].to_numpy(float),
            is_call=ordered["is_call"].to_numpy(bool),
        )
        two_sided = bool(ordered[["bid", "ask"]].notna().all(axis=None))
        sides = {name: ordered[name].to_numpy(float) for name in ("bid", "ask")}
        quotes = Quotes.of(
            contracts, ordered["price"].to_numpy(float), **(sides if two_sided else {})
        )
        left = set(ordered["series"])
        return cls(
            quotes=quotes,
            expiry=_expiry_texts(ordered["expiry"]),
            root=ordered["root"].to_numpy(str),
            row=ordered["row"].to_numpy(int),
            series=ordered["series"].to_numpy(int),
            forwards=tuple(f for f in forwards if f.series in left),
            quote_date=table.quote_date,
            underlying=table.underlying,
            spot=table.spot,
            warnings=table.warnings,
        )

    @property
    def size(self) -> int:
        """Number of quotes."""
        return self.quotes.size

    def market_of(self, options: pd.DataFrame) -> Contracts:
        """Return contracts for options of any strike, at the forwards of the surface's expiries.

        Parameters
        ----------
        options : DataFrame
            As `read_options` returns it. The nearest expiry is used, which may be half a day and
            5% of the maturity away; of several roots, the one with most quotes.

        Raises
        ------
        InvalidInputError
            No expiry of the surface is as near.
        """
        counts = {f.series: int(np.sum(self.series == f.series)) for f in self.forwards}
        by_quotes = sorted(self.forwards, key=lambda f: -counts[f.series])
        chosen = []
        for row, years in zip(options["row"], options["maturity_years"], strict=True):
            near = min(by_quotes, key=lambda f: round(abs(f.maturity_years - years), 9))
            allowed = max(min(_SAME_EXPIRY_YEARS, _SAME_EXPIRY_SHARE * years), SAME_MATURITY_YEARS)
            if not (abs(near.maturity_years - years) <= allowed):
                known = ", ".join(f"{f.maturity_years:.4f}" for f in self.forwards)
                raise InvalidInputError(
                    f"row {row}: no forward is known at {years:.4f} years; quotes are at {known}",
                    row=int(row),
                )
            chosen.append((near.maturity_years, near.forward, near.discount))
        maturity, forward, discount = np.array(chosen).T
        return Contracts.of(
            maturity_years=maturity,
            strike=options["strike"].to_numpy(float),
            forward=forward,
            discount=discount,
            is_call=options["is_call"].to_numpy(bool),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a table with the columns that `read_quotes` reads."""
        c, n = self.quotes.contracts, self.size
        empty = np.full(n, np.nan)
        frame = pd.DataFrame(
            {
                "quote_date": [self.quote_date] * n,
                "underlying": [self.underlying] * n,
                "spot": np.full(n, np.nan if self.spot is None else self.spot),
                "expiry": pd.Series(self.expiry).replace("", None),
                "maturity_years": c.maturity_years,
                "forward": c.forward,
                "discount": c.discount,
                "strike": c.strike,
                "option_type": np.where(c.is_call, "C", "P"),
                "bid": empty if self.quotes.bid is None else self.quotes.bid,
                "ask": empty if self.quotes.ask is None else self.quotes.ask,
                "mid": self.quotes.price,
            }
        )
        if np.any(self.root != _NO_ROOT):
            frame["root"] = self.root
        return frame

    def write(self, path: str | Path) -> None:
        """Write CSV (also `.csv.gz`) or Parquet, by the name, completely or not at all.

        `read_surface` reads it back.

        Raises
        ------
        InvalidInputError
            The name ends in none of them.
        OSError
            The file cannot be written; an earlier one is left as it was.
        """
        check_surface_name(path)
        target, content = Path(path), BytesIO()
        if target.suffix.lower() in _PARQUET_SUFFIXES:
            self.to_frame().to_parquet(content, index=False)
        else:
            content.write(self.to_frame().to_csv(index=False).encode())
        is_compressed = target.suffix.lower() == ".gz"
        data = content.getvalue()
        write_atomically(target, gzip.compress(data) if is_compressed else data)


def check_surface_name(path: str | Path) -> None:
    """Raise `InvalidInputError` unless `Surface.write` has a format for the name."""
    name = Path(path).name
    if not name.lower().endswith((*_CSV_SUFFIXES, *_PARQUET_SUFFIXES)):
        raise InvalidInputError(f"{name}: surfaces are written as .csv, .csv.gz or .parquet")


def _expiry_texts(expiry: pd.Series) -> np.ndarray:
    """Return ISO dates, with the time of day where one is not midnight; empty where missing."""
    has_time = expiry.notna() & (expiry != expiry.dt.normalize())
    texts = expiry.dt.strftime("%Y-%m-%d").mask(has_time, expiry.dt.strftime("%Y-%m-%dT%H:%M:%S"))
    return np.asarray(texts.fillna("").to_numpy(str))


def read_surface(path: str | Path) -> Surface:
    """Return the surface that `Surface.write` wrote, number for number, without cleaning.

    Raises
    ------
    InvalidInputError
        The file is not a surface: a price, a forward or a discount is missing.
    """
    table = read_quotes(path)
    frame = table.frame.assign(price=table.frame["mid"])
    for name in ("price", "forward", "discount"):
        if frame[name].isna().any():
            raise InvalidInputError(
                f"{Path(path).name} is not a cleaned surface: a {name} is missing"
            )
    forwards = implied_forwards(table, frame["price"], source="given")
    return Surface.of(table, frame, forwards)

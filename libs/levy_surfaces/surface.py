"""Surfaces from the cleaned rows of a file; surfaces as files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import numpy as np
import pandas as pd

from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Contracts, Quotes
from levy_numerics.surface import DroppedQuote, Surface
from levy_surfaces.forwards import SeriesForward, implied_forwards
from levy_surfaces.maturities import DAYS_PER_YEAR, SAME_MATURITY_YEARS
from levy_surfaces.reading import QuoteTable, read_quotes
from levy_surfaces.writing import expiry_texts, write_rows

_UNKNOWN: Final = "unknown"
_SAME_EXPIRY_YEARS: Final = 0.5 / DAYS_PER_YEAR
_SAME_EXPIRY_SHARE: Final = 0.05
"""As a fraction of the maturity: half a day is much of a maturity of a few days."""


def surface_of_rows(
    table: QuoteTable,
    kept: pd.DataFrame,
    forwards: tuple[SeriesForward, ...],
    *,
    dropped: tuple[DroppedQuote, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Surface:
    """Return the surface of cleaned rows (`price`, `forward`, `discount` added)."""
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
    quotes = Quotes.of(contracts, ordered["price"].to_numpy(float), **(sides if two_sided else {}))
    left = set(ordered["series"])
    return Surface(
        quotes=quotes,
        dropped=dropped,
        warnings=(*table.warnings, *warnings),
        quote_date=table.quote_date,
        underlying=table.underlying,
        spot=table.spot,
        expiry=expiry_texts(ordered["expiry"]).to_numpy(str),
        root=ordered["root"].to_numpy(str),
        row=ordered["row"].to_numpy(int),
        series=ordered["series"].to_numpy(int),
        forwards=tuple(f for f in forwards if f.series in left),
    )


def contracts_on(surface: Surface, options: pd.DataFrame) -> Contracts:
    """Return contracts for options of any strike, at the forwards of the surface's expiries.

    Parameters
    ----------
    surface : Surface
        From a file.
    options : DataFrame
        As `read_options` returns it. The nearest expiry is used, which may be half a day and
        5% of the maturity away; of several roots, the one with most quotes.

    Raises
    ------
    InvalidInputError
        No expiry of the surface is as near.
    """
    counts = {f.series: int(np.sum(surface.series == f.series)) for f in surface.forwards}
    by_quotes = sorted(surface.forwards, key=lambda f: -counts[f.series])
    chosen = []
    for row, years in zip(options["row"], options["maturity_years"], strict=True):
        near = min(by_quotes, key=lambda f: round(abs(f.maturity_years - years), 9))
        allowed = max(min(_SAME_EXPIRY_YEARS, _SAME_EXPIRY_SHARE * years), SAME_MATURITY_YEARS)
        if not (abs(near.maturity_years - years) <= allowed):
            known = ", ".join(f"{f.maturity_years:.4f}" for f in surface.forwards)
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


def write_surface(surface: Surface, path: str | Path) -> None:
    """Write CSV (also `.csv.gz`) or Parquet, by the name, completely or not at all.

    `read_surface` reads it back.

    Raises
    ------
    InvalidInputError
        The name ends in none of them.
    OSError
        The file cannot be written; an earlier one is left as it was.
    """
    write_rows(surface.to_frame(), path)


def read_surface(path: str | Path) -> Surface:
    """Return the surface that `write_surface` wrote, number for number, without cleaning.

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
    return surface_of_rows(table, frame, forwards)


def keep_surface(surface: Surface, root: str | Path) -> Path:
    """Write a surface to `raw/underlying=…/date=….parquet` under `root`, and return the path."""
    underlying = quote(surface.underlying or _UNKNOWN, safe=" ")
    folder = Path(root, "raw", f"underlying={underlying}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"date={surface.quote_date or _UNKNOWN}.parquet"
    write_surface(surface, path)
    return path


def kept_surfaces(root: str | Path) -> Iterator[Surface]:
    """Yield the surfaces that `keep_surface` wrote, by underlying and date."""
    for path in sorted(Path(root, "raw").glob("underlying=*/date=*.parquet")):
        yield read_surface(path)

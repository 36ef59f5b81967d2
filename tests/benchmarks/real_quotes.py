"""Fit the models to data sets of real quotes, and write `docs/real-quotes.md`.

The data sets are not part of the repository: the environment variable LEVY_MARKET_DATA is their
folder. Run by `make real-quotes`.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from levy_numerics import models, pricing
from levy_numerics.calibration import FitQuality, calibrate
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.surface import Surface
from levy_surfaces.cleaning import clean
from levy_surfaces.reading import read_quotes

MODELS: Final = ("BlackScholes", "VarianceGamma", "NIG", "Meixner", "CGMY")
PAGE: Final = Path("docs/real-quotes.md")
_EXPIRY_OF_60_DAYS: Final = 60 / 365


@dataclass(frozen=True)
class MarketSet:
    """A data set of quotes, and the day of it to fit."""

    name: str
    title: str
    day: str | None = None

    def path(self, folder: Path) -> Path:
        """Return the file, plain if it exists, otherwise compressed."""
        plain = folder / self.name / "quotes.csv"
        return plain if plain.exists() else plain.with_name("quotes.csv.gz")

    def surface(self, folder: Path, day: str | None = None) -> Surface:
        """Return the cleaned quotes of a day."""
        return clean(read_quotes(self.path(folder), quote_date=day or self.day))


SCHOUTENS: Final = MarketSet("schoutens_sp500_2002", "S&P 500 calls, 18 April 2002 (Schoutens)")
SPX_2019: Final = MarketSet("spx_cboe_2019", "S&P 500, 7 May 2019", "2019-05-07")
SETS: Final = (
    SCHOUTENS,
    MarketSet("dax_2002_sepp_quantlib", "DAX, 5 July 2002 (Sepp)"),
    MarketSet("spx_pyql_20110124", "S&P 500, 24 January 2011"),
    MarketSet("dax_2012_nmof", "DAX, 10 February 2012"),
    SPX_2019,
    MarketSet("btc_deribit_202106", "Bitcoin, 10 June 2021", "2021-06-10"),
    MarketSet("sse50etf_2015_2017", "SSE 50 ETF, 1 March 2016", "2016-03-01"),
)

PUBLISHED: Final[dict[str, Model]] = {
    "BlackScholes": models.from_mapping("BlackScholes", {"sigma": 0.1812}),
    # Variance Gamma with the parameters (C, G, M) is bilateral gamma with equal shapes.
    "VarianceGamma": models.from_mapping(
        "BilateralGamma",
        {"alpha_p": 1.3574, "lambda_p": 14.2699, "alpha_m": 1.3574, "lambda_m": 5.8704},
    ),
    "CGMY": models.from_mapping("CGMY", {"C": 0.0244, "G": 0.0765, "M": 7.5515, "Y": 1.2945}),
}
"""Schoutens (2003), Lévy Processes in Finance: fits to the calls of 18 April 2002."""


@dataclass(frozen=True)
class Row:
    """A row of the table: one fit."""

    model: str
    fit: FitQuality
    status: str
    seconds: float

    def cells(self) -> list[str]:
        """Return the cells in the order of `_HEAD`."""
        f = self.fit
        return [
            self.model,
            f"{f.rmse:#.4g}",
            f"{f.ape:.2%}",
            f"{f.aae:#.4g}",
            f"{f.arpe:.2%}",
            f"{100 * f.implied_vol_rmse:.2f}",
            str(f.n_quotes),
            f"{self.seconds:.2f}" if np.isfinite(self.seconds) else "",
            self.status,
        ]


_HEAD: Final = (
    "model",
    "price RMSE",
    "APE",
    "AAE",
    "ARPE",
    "vol RMSE, points",
    "quotes",
    "seconds",
    "status",
)


def fitted(name: str, quotes: Quotes, weights: str = "price") -> Row:
    """Fit one model."""
    started = time.perf_counter()
    result = calibrate(models.get(name), quotes, weights=weights)
    seconds = time.perf_counter() - started
    return Row(name, result.fit, result.status.replace("_", " "), seconds)


def published(name: str, quotes: Quotes) -> Row:
    """Return the fit of the published parameters to these quotes."""
    value = pricing.price(PUBLISHED[name], quotes.contracts).value
    return Row(f"{name}, published", FitQuality.of(quotes, value), "published", np.nan)


def page(folder: Path, *, all_days: bool = True) -> Iterator[str]:
    """Yield the lines of the page."""
    yield from _INTRODUCTION.splitlines()
    for market in SETS:
        surface = market.surface(folder)
        print(f"{market.title}: {surface.size} quotes", flush=True)
        yield from ("", f"## {market.title}", "")
        yield f"{surface.size} quotes, {len(surface.forwards)} expiries, by price."
        rows = [fitted(name, surface.quotes) for name in MODELS]
        if market is SCHOUTENS:
            rows += [published(name, surface.quotes) for name in PUBLISHED]
        yield from table(_HEAD, [row.cells() for row in rows])
        by_vol = [fitted(name, surface.quotes, "vega") for name in MODELS]
        yield from ("", 'In vol points, with `weights="vega"`: ' + _vols(by_vol) + ".")
    yield from _one_expiry(folder)
    if all_days:
        yield from _all_days(folder)


def _one_expiry(folder: Path) -> Iterator[str]:
    surface = SPX_2019.surface(folder)
    years = surface.quotes.contracts.maturity_years
    nearest = years[np.argmin(np.abs(years - _EXPIRY_OF_60_DAYS))]
    quotes = surface.quotes.select(years == nearest)
    yield from ("", f"## {SPX_2019.title}, one expiry of {round(365 * nearest)} days", "")
    yield 'The same models without a term structure to fit, with `weights="vega"`.'
    yield from table(_HEAD, [fitted(name, quotes, "vega").cells() for name in MODELS])


def _all_days(folder: Path) -> Iterator[str]:
    days = days_of(SPX_2019.path(folder))
    yield from ("", f"## S&P 500, {days[0]} to {days[-1]}: {len(days)} days", "")
    yield "Medians over the days, each fitted separately, by price."
    rows: dict[str, list[Row]] = {name: [] for name in MODELS}
    for day in days:
        print(f"S&P 500, {day}", flush=True)
        quotes = SPX_2019.surface(folder, day).quotes
        for name in MODELS:
            rows[name].append(fitted(name, quotes))
    yield from table(_HEAD, [_median(name, of_model) for name, of_model in rows.items()])


def _median(name: str, rows: Sequence[Row]) -> list[str]:
    def of(field: str) -> float:
        return float(np.median([getattr(row.fit, field) for row in rows]))

    fit = FitQuality(
        rmse=of("rmse"),
        aae=of("aae"),
        ape=of("ape"),
        arpe=of("arpe"),
        implied_vol_rmse=of("implied_vol_rmse"),
        n_quotes=round(of("n_quotes")),
        n_implied_vols=round(of("n_implied_vols")),
    )
    states = [row.status for row in rows]
    status = ", ".join(f"{states.count(s)} {s}" for s in sorted(set(states)))
    return Row(name, fit, status, float(np.median([row.seconds for row in rows]))).cells()


def days_of(path: Path) -> list[str]:
    """Return the quote dates of a data set."""
    try:
        read_quotes(path)
    except LevyError as error:
        return list(error.details["values"])
    raise ValueError(f"{path} contains a single day")


def _vols(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row.model} {100 * row.fit.implied_vol_rmse:.2f}" for row in rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; all columns except the first and the last are numbers."""
    yield ""
    yield "| " + " | ".join(head) + " |"
    yield "|---" + "|---:" * (len(head) - 2) + "|---|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


_INTRODUCTION: Final = """\
# Real quotes

Fits of the models to real option quotes: all expiries of a day together, by least squares on exact
prices. Generated by `make real-quotes`, which requires `LEVY_MARKET_DATA`; the quotes are not part
of the repository. Cleaning uses the defaults of `levy calibrate`: forwards from put-call parity,
out-of-the-money options where both sides are quoted. No setting is tuned to a data set.

RMSE and AAE are in currency; APE is the mean absolute error divided by the mean price, ARPE the
mean of |error|/price, both as in Schoutens (2003), *Lévy Processes in Finance*. ARPE is large where
puts are quoted, because of out-of-the-money options of a few cents. The line below each table shows
fits with `weights="vega"`, which minimise errors of implied volatility. Seconds are for one fit, on
two shared cores. `at bound`: the optimum is at the boundary of the search box, where the model
degenerates to a limiting case.

A process with stationary increments cannot fit the term structure of a market: its skewness decays
as 1/√T and its kurtosis as 1/T. On an index, fits of whole surfaces are therefore poor and fits of
single expiries good; a warning reports it."""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one-day", action="store_true", help="omit the medians over days")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    folder = os.environ.get("LEVY_MARKET_DATA")
    if not folder:
        raise SystemExit("set LEVY_MARKET_DATA to the folder of the data sets")
    lines = list(page(Path(folder), all_days=not options.one_day))
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()

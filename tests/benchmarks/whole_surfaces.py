"""Fit whole surfaces with every model, and write `docs/whole-surfaces.md`.

The data sets are not part of the repository: the environment variable LEVY_MARKET_DATA is their
folder. Run by `make whole-surfaces`.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from levy_numerics import models
from levy_numerics.calibration import (
    FitQuality,
    calibrate,
    calibrate_each_maturity,
    compare_one,
    in_spread_share,
    ranked,
)
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_surfaces.cleaning import CleaningRules, clean
from levy_surfaces.reading import read_quotes
from tests.benchmarks.real_quotes import SETS, SPX_2019, days_of, table

PAGE: Final = Path("docs/whole-surfaces.md")
BASES: Final = ("VarianceGamma", "NIG", "Meixner", "CGMY")
RULES: Final = CleaningRules(maturity_years=(0.04, np.inf), moneyness=(0.6, 1.4), sides="otm")
"""Out of the money, two-sided, T > 0.04, K/F from 0.6 to 1.4."""
_KINDS: Final = ("", "Sato", "CIR", "Additive")
_TARGET: Final = 0.4
_PER_EXPIRY: Final = ", per expiry"


@dataclass(frozen=True)
class DayFit:
    """One model's fit to one day.

    Attributes
    ----------
    vol_rmse : float
        In volatility, not points.
    in_spread : float
        Fraction of the quotes.
    status : str
    seconds : float
        Processor time.
    """

    vol_rmse: float
    in_spread: float
    status: str
    seconds: float


def daily_surface(folder: Path, day: str) -> Quotes:
    """Quotes of a day of the S&P 500 that the models are evaluate by."""
    table = read_quotes(SPX_2019.path(folder), quote_date=day)
    return clean(table, RULES).quotes


def fit_of_day(name: str, quotes: Quotes) -> DayFit:
    """Fit one model by volatility; `name, per expiry` fits each expiry separately."""
    started = time.process_time()
    base = models.get(name.removesuffix(_PER_EXPIRY))
    fit: FitQuality
    if name.endswith(_PER_EXPIRY):
        each = calibrate_each_maturity(base, quotes, weights="vega")
        statuses = {result.status for result in each.results}
        status = "converged" if statuses == {"converged"} else "at bound at some expiries"
        fit, prices = each.fit, each.model_prices
    else:
        whole = calibrate(base, quotes, weights="vega")
        fit, prices, status = whole.fit, whole.model_prices, whole.status.replace("_", " ")
    seconds = time.process_time() - started
    return DayFit(fit.implied_vol_rmse, in_spread_share(quotes, prices), status, seconds)


def reductions(fits: Sequence[DayFit], base: Sequence[DayFit]) -> list[float]:
    """Return the relative reduction of the base model's error on each day."""
    return [1.0 - fit.vol_rmse / other.vol_rmse for fit, other in zip(fits, base, strict=True)]


def median_reduction(fits: Sequence[DayFit], base: Sequence[DayFit]) -> float:
    """Return the median over the days of the reduction of the base model's error."""
    return float(np.median(reductions(fits, base)))


def page(folder: Path) -> Iterator[str]:
    """Yield the lines of the page."""
    yield from _INTRODUCTION.splitlines()
    yield from _daily(folder)
    yield from _whole_day(folder)
    for market in SETS:
        surface = market.surface(folder)
        print(f"{market.title}: {surface.size} quotes", flush=True)
        yield from ("", f"## {market.title}", "")
        yield f"{surface.size} quotes, {len(surface.forwards)} expiries."
        yield from _compared(surface.quotes)


def _daily(folder: Path) -> Iterator[str]:
    days = days_of(SPX_2019.path(folder))
    names = [b + kind for b in BASES for kind in (*_KINDS, _PER_EXPIRY)]
    names = [name for name in names if name.removesuffix(_PER_EXPIRY) in models.names()]
    fits: dict[str, list[DayFit]] = {name: [] for name in names}
    sizes = []
    for day in days:
        print(f"S&P 500, {day}", flush=True)
        quotes = daily_surface(folder, day)
        sizes.append(quotes.size)
        for name in names:
            fits[name].append(fit_of_day(name, quotes))
    yield from ("", f"## S&P 500, {days[0]} to {days[-1]}: {len(days)} days", "")
    yield (
        f"Out of the money, two-sided, T > 0.04, K/F from 0.6 to 1.4: {min(sizes)} to {max(sizes)} "
        "quotes per day, all expiries together. Medians over the days; `reduction` is the "
        "reduction of the base model's error, `range` its minimum and maximum over the days."
    )
    yield from table(_DAILY_HEAD, [_daily_row(name, fits) for name in names])
    yield ""
    yield from _summary(fits)


def _daily_row(name: str, fits: dict[str, list[DayFit]]) -> list[str]:
    mine, base = fits[name], fits[_base_of(name)]
    daily = reductions(mine, base)
    is_base = name == _base_of(name)
    statuses = [fit.status for fit in mine]
    return [
        name,
        f"{100 * np.median([fit.vol_rmse for fit in mine]):.2f}",
        "" if is_base else f"{median_reduction(mine, base):.0%}",
        "" if is_base else f"{min(daily):.0%} to {max(daily):.0%}",
        f"{np.median([fit.in_spread for fit in mine]):.0%}",
        f"{np.median([fit.seconds for fit in mine]):.2f}",
        ", ".join(f"{statuses.count(s)} {s}" for s in sorted(set(statuses))),
    ]


def _base_of(name: str) -> str:
    return next(base for base in BASES if name.startswith(base))


def _summary(fits: dict[str, list[DayFit]]) -> Iterator[str]:
    """Yield the reduction of each kind over all its models, compared with the target."""
    for kind in _KINDS[1:]:
        bases = [base for base in BASES if base + kind in fits]
        pooled = [x for base in bases for x in reductions(fits[base + kind], fits[base])]
        by_model = ", ".join(
            f"{base} {median_reduction(fits[base + kind], fits[base]):.0%}" for base in bases
        )
        yield f"- {kind}: {np.median(pooled):.0%}, median over days and models ({by_model})."
    timed = [base + kind for base in BASES for kind in _KINDS[1:] if base + kind in fits]
    short = [name for name in timed if median_reduction(fits[name], fits[_base_of(name)]) < _TARGET]
    if short:
        yield f"- Below the target of {_TARGET:.0%}: {', '.join(short)}."
    worse = [
        base
        for base in BASES
        if base + "CIR" in fits
        and median_reduction(fits[base + "CIR"], fits[base])
        < median_reduction(fits[base + "Sato"], fits[base])
    ]
    if worse:
        yield f"- The CIR clock reduces the error less than the Sato process: {', '.join(worse)}."


def _whole_day(folder: Path) -> Iterator[str]:
    """Time `levy compare` on a day, from the file to the ranking."""
    path = SPX_2019.path(folder)
    command = [sys.executable, "-m", "levy_cli.main", "compare", str(path)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([*command, "--date", str(SPX_2019.day)], check=True, stdout=subprocess.DEVNULL)
    elapsed = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    n_read = len(read_quotes(path, quote_date=SPX_2019.day).frame)
    yield from ("", "## Run time of a whole day", "")
    yield (
        f"`levy compare` on {SPX_2019.day}: {n_read} quotes read and cleaned, forwards implied, "
        f"{len(models.names())} models fitted twice each: {elapsed:.0f} s on "
        f"{os.cpu_count()} cores shared with other programs ({busy:.0f} s of processor time)."
    )


def _compared(quotes: Quotes) -> Iterator[str]:
    comparisons, failures = [], []
    for name in models.names():
        try:
            comparisons.append(compare_one(models.get(name), quotes))
        except LevyError as error:
            failures.append(f"{name} is not fitted: {error.message}.")
    rows = []
    for comparison in ranked(comparisons):
        result = comparison.result
        fit, share = result.fit, in_spread_share(quotes, result.model_prices)
        rows.append(
            [
                comparison.name,
                _points(comparison.in_sample),
                _points(comparison.out_of_sample),
                _points(fit),
                f"{fit.rmse:#.4g}",
                "" if np.isnan(share) else f"{share:.0%}",
                ", ".join((result.status.replace("_", " "), *result.boundary_parameters)),
            ]
        )
    yield from table(_HEAD, rows)
    if failures:
        yield ""
        yield " ".join(failures)


def _points(fit: FitQuality | None) -> str:
    return "" if fit is None else f"{100 * fit.implied_vol_rmse:.2f}"


_DAILY_HEAD: Final = (
    "model",
    "vol RMSE, points",
    "reduction",
    "range",
    "in spread",
    "seconds",
    "status, days",
)
_HEAD: Final = (
    "model",
    "in sample",
    "out of sample",
    "all quotes",
    "price RMSE",
    "in spread",
    "status",
)

_INTRODUCTION: Final = """\
# Whole surfaces

Fits of each model to all expiries of a day together, with `weights="vega"`, which minimise errors
of implied volatility. Generated by `make whole-surfaces`, which requires `LEVY_MARKET_DATA`; the
quotes are not part of the repository. No setting is tuned to a data set.

A process with stationary increments cannot fit the term structure of a market. A Sato process
scales one distribution to every maturity; on a CIR clock, the rate of the time change is
mean-reverting; an additive process is the sum of a Sato process and a Lévy process whose rate
grows with maturity; a fit per expiry has separate parameters for each expiry and no model for the
term structure. docs/choosing-a-model.md compares them.

`in spread` is the fraction of quotes whose model price is between bid and ask. On an index these
are a tick or two apart, and no model with a few parameters is within all of them. Seconds are
processor time. In the tables of the data sets, models are ranked by their out-of-sample error: they
are fitted to every other strike and evaluated on the rest. `→` marks parameters that run to a
limit: the optimum is a limiting case of the model, and the values of these parameters are not
meaningful."""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    folder = os.environ.get("LEVY_MARKET_DATA")
    if not folder:
        raise SystemExit("set LEVY_MARKET_DATA to the folder of the data sets")
    lines = list(page(Path(folder)))
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()

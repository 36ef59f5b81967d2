"""Fit whole surfaces by every model, and write `docs/whole-surfaces.md`.

The sets are not part of the project: the environment variable LEVY_MARKET_DATA says where they
are. Run by `make whole-surfaces`.
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
_KINDS: Final = ("", "Sato", "CIR")
_AIM: Final = 0.4
_PER_EXPIRY: Final = ", per expiry"


@dataclass(frozen=True)
class DayFit:
    """One model's fit to one day.

    Attributes
    ----------
    vol_rmse : float
        Volatility, not points.
    in_spread : float
        Share of quotes.
    status : str
    seconds : float
        Of the processor.
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
    """Fit one model by volatility; `name, per expiry` fits each expiry on its own."""
    started = time.process_time()
    base = models.get(name.removesuffix(_PER_EXPIRY))
    fit: FitQuality
    if name.endswith(_PER_EXPIRY):
        each = calibrate_each_maturity(base, quotes, weights="vega")
        statuses = {result.status for result in each.results}
        status = "converged" if statuses == {"converged"} else "at bound at some"
        fit, prices = each.fit, each.model_prices
    else:
        whole = calibrate(base, quotes, weights="vega")
        fit, prices, status = whole.fit, whole.model_prices, whole.status.replace("_", " ")
    seconds = time.process_time() - started
    return DayFit(fit.implied_vol_rmse, in_spread_share(quotes, prices), status, seconds)


def cut(fits: Sequence[DayFit], base: Sequence[DayFit]) -> float:
    """Median over the days of the share of the base's error that is gone."""
    ratios = [one.vol_rmse / other.vol_rmse for one, other in zip(fits, base, strict=True)]
    return float(1.0 - np.median(ratios))


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
        "quotes a day, all expiries at once. Medians over the days; the cut is the share of the "
        "base's error that is gone, its range the least and greatest of any day."
    )
    yield from table(_DAILY_HEAD, [_daily_row(name, fits) for name in names])
    yield ""
    yield from _verdicts(fits)


def _daily_row(name: str, fits: dict[str, list[DayFit]]) -> list[str]:
    mine, base = fits[name], fits[_base_of(name)]
    cuts = [1.0 - one.vol_rmse / other.vol_rmse for one, other in zip(mine, base, strict=True)]
    shown = name != _base_of(name)
    statuses = [one.status for one in mine]
    return [
        name,
        f"{100 * np.median([one.vol_rmse for one in mine]):.2f}",
        f"{cut(mine, base):.0%}" if shown else "",
        f"{min(cuts):.0%} to {max(cuts):.0%}" if shown else "",
        f"{np.median([one.in_spread for one in mine]):.0%}",
        f"{np.median([one.seconds for one in mine]):.2f}",
        ", ".join(f"{statuses.count(s)} {s}" for s in sorted(set(statuses))),
    ]


def _base_of(name: str) -> str:
    return next(base for base in BASES if name.startswith(base))


def _verdicts(fits: dict[str, list[DayFit]]) -> Iterator[str]:
    """Say of each kind how far it cuts over all its models, against what was aimed at."""
    for kind in _KINDS[1:]:
        cuts = [
            1.0 - one.vol_rmse / other.vol_rmse
            for base in BASES
            if base + kind in fits
            for one, other in zip(fits[base + kind], fits[base], strict=True)
        ]
        each = ", ".join(
            f"{base} {cut(fits[base + kind], fits[base]):.0%}"
            for base in BASES
            if base + kind in fits
        )
        yield f"- {kind}: {np.median(cuts):.0%} in the median over days and models ({each})."
    timed = [base + kind for base in BASES for kind in _KINDS[1:] if base + kind in fits]
    short = [name for name in timed if cut(fits[name], fits[_base_of(name)]) < _AIM]
    if short:
        yield f"- Short of the {_AIM:.0%} aimed at: {', '.join(short)}."
    worse = [
        base
        for base in BASES
        if base + "CIR" in fits
        and cut(fits[base + "CIR"], fits[base]) < cut(fits[base + "Sato"], fits[base])
    ]
    if worse:
        yield f"- A clock cuts less than self-similarity does for: {', '.join(worse)}."


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
    yield from ("", "## The time of a whole day", "")
    yield (
        f"`levy compare` on {SPX_2019.day}: {n_read} quotes read and cleaned, forwards implied, "
        f"{len(models.names())} models fitted twice each: {elapsed:.0f} s on "
        f"{os.cpu_count()} cores that others shared ({busy:.0f} s of processor time)."
    )


def _compared(quotes: Quotes) -> Iterator[str]:
    found, left = [], []
    for name in models.names():
        try:
            found.append(compare_one(models.get(name), quotes))
        except LevyError as error:
            left.append(f"{name} is not fitted: {error.message}.")
    rows = []
    for one in ranked(found):
        fit, share = one.result.fit, in_spread_share(quotes, one.result.model_prices)
        status = one.result.status.replace("_", " ")
        rows.append(
            [
                one.name,
                _points(one.in_sample),
                _points(one.out_of_sample),
                _points(fit),
                f"{fit.rmse:#.4g}",
                "" if np.isnan(share) else f"{share:.0%}",
                ", ".join((status, *one.result.limits)),
            ]
        )
    yield from table(_HEAD, rows)
    if left:
        yield ""
        yield " ".join(left)


def _points(fit: FitQuality | None) -> str:
    return "" if fit is None else f"{100 * fit.implied_vol_rmse:.2f}"


_DAILY_HEAD: Final = (
    "model",
    "vol RMSE, points",
    "cut",
    "its range",
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

How well each model fits all expiries of a day at once, by `weights="vega"`, which are errors of
implied volatility. Made by `make whole-surfaces`, which needs `LEVY_MARKET_DATA`; the quotes
themselves are not part of the project. Nothing is tuned to a set.

A process with stationary increments cannot follow a market's term structure. A Sato process scales
one law to every maturity; a CIR clock lets the pace of time revert to its mean; a fit per expiry
has as many parameters as it likes, and no law that joins them.

In spread is the share of quotes whose model price lies between bid and ask: on an index these are
a tick or two apart, and no model of a handful of parameters is within them throughout. Seconds are
of the processor. In the tables of the sets, models are ranked by their error on every other strike,
which a fit to the strikes between has not seen; `→` names a limit that parameters run to: the best
fit is a limit of the model, and those parameters mean nothing on their own."""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    folder = os.environ.get("LEVY_MARKET_DATA")
    if not folder:
        raise SystemExit("LEVY_MARKET_DATA must say where the sets of quotes are")
    lines = list(page(Path(folder)))
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{options.out} is written")


if __name__ == "__main__":
    main()

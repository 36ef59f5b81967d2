"""Measure how often the 95% intervals of fits contain the truth, and write `docs/coverage.md`.

Run by `make coverage`. Cells that are finished are kept in a file, so that a run can be resumed;
`--quick` measures a few surfaces of each cell. With LEVY_MARKET_DATA, real surfaces are measured
too.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from levy_numerics import models
from levy_numerics.calibration import calibrate
from levy_numerics.calibration.uncertainty import ErrorModel
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_validation.intervals import (
    Counts,
    add,
    agreement,
    fit_to_truth,
    fits_to_listings,
    hits,
)
from levy_validation.simulation import MARKETS, NOISES, simulated
from tests.benchmarks.real_quotes import SETS, MarketSet, days_of, table

PAGE: Final = Path("docs/coverage.md")
CELLS: Final = Path("build/coverage.json")
MODELS: Final = ("VarianceGamma", "NIG", "CGMY", "Merton", "NIGSato", "NIGCIR")
WEIGHTS: Final = ("price", "vega", "bid_ask")
ERROR_MODELS: Final[tuple[ErrorModel, ...]] = ("robust", "laplace_iid")
_LEVEL: Final = 0.95
# Days of each set with several: enough to have more than 25 surfaces.
_DAYS: Final = {"spx_cboe_2019": 8, "btc_deribit_202106": 8, "sse50etf_2015_2017": 10}
_MIN_EXPIRIES: Final = 4


@dataclass(frozen=True)
class Cell:
    """A row of a table: a measurement that is made once."""

    key: str
    measure: Callable[[int], Counts]
    n_surfaces: int


def with_right_model(name: str, noise: str, weights: str) -> Callable[[int], Counts]:
    """Return the measurement of one surface that the fitted model made."""

    def measure(seed: int) -> Counts:
        truth = simulated(name, noise, seed)
        return hits(fit_to_truth(truth, weights), truth, _LEVEL, ERROR_MODELS)

    return measure


def with_wrong_model(name: str, market: str, weights: str) -> Callable[[int], Counts]:
    """Return the measurement of two listings of one market that no Lévy model fits."""

    def measure(seed: int) -> Counts:
        first, second = fits_to_listings(name, market, seed, weights)
        return agreement(first, second, _LEVEL, ERROR_MODELS)

    return measure


def real_days(folder: Path) -> list[tuple[MarketSet, str | None]]:
    """Return the surfaces of all sets, some days of each set of many days."""
    days: list[tuple[MarketSet, str | None]] = []
    for market in SETS:
        if market.name not in _DAYS:
            days.append((market, None))
            continue
        dates = days_of(market.path(folder))
        chosen = np.unique(np.linspace(0, len(dates) - 1, _DAYS[market.name]).astype(int))
        days += [(market, dates[i]) for i in chosen]
    return days


def odd_against_even(name: str, weights: str, folder: Path) -> Callable[[int], Counts]:
    """Return the measurement of a real surface: fits to its odd and to its even expiries."""
    days = real_days(folder)

    def measure(i: int) -> Counts:
        market, day = days[i]
        quotes = _surface(market, folder, day)
        maturities, expiry = quotes.contracts.by_maturity.maturity_groups
        if maturities.size < _MIN_EXPIRIES or (weights == "bid_ask" and quotes.bid is None):
            return {}
        halves = [quotes.select(expiry % 2 == k) for k in range(2)]
        fits = [calibrate(models.get(name), half, weights=weights) for half in halves]
        return agreement(fits[0], fits[1], _LEVEL, ERROR_MODELS)

    return measure


def next_day(name: str, market: MarketSet, folder: Path) -> Callable[[int], Counts]:
    """Return the measurement of two successive days, with the default weights."""
    dates = days_of(market.path(folder))

    def measure(i: int) -> Counts:
        days = [_surface(market, folder, day) for day in dates[i : i + 2]]
        fits = [calibrate(models.get(name), quotes) for quotes in days]
        return agreement(fits[0], fits[1], _LEVEL, ERROR_MODELS)

    return measure


_SURFACES: Final[dict[tuple[str, str | None], Quotes]] = {}


def _surface(market: MarketSet, folder: Path, day: str | None) -> Quotes:
    if (market.name, day) not in _SURFACES:
        _SURFACES[market.name, day] = market.surface(folder, day).quotes
    return _SURFACES[market.name, day]


def cells(n_surfaces: int, folder: Path | None) -> Iterator[Cell]:
    """Yield the cells, those of few surfaces first."""
    if folder is not None:
        n_days = len(real_days(folder))
        for name in MODELS:
            for weights in WEIGHTS:
                measure = odd_against_even(name, weights, folder)
                yield Cell(f"real/{name}/{weights}", measure, n_days)
        for market in SETS:
            if market.name in ("spx_cboe_2019", "btc_deribit_202106"):
                n_pairs = min(len(days_of(market.path(folder))) - 1, max(n_surfaces // 5, 1))
                for name in MODELS:
                    measure = next_day(name, market, folder)
                    yield Cell(f"next day/{name}/{market.name}", measure, n_pairs)
    for truth in MARKETS:
        for name in MODELS:
            for weights in WEIGHTS:
                measure = with_wrong_model(name, truth, weights)
                yield Cell(f"{truth}/{name}/{weights}", measure, n_surfaces)
    for name in MODELS:
        for noise in NOISES:
            for weights in WEIGHTS:
                measure = with_right_model(name, noise, weights)
                yield Cell(f"{noise}/{name}/{weights}", measure, n_surfaces)


def measured(cell: Cell) -> Counts:
    """Return the counts of a cell, and the number of surfaces that had no fit."""
    total: Counts = {"surfaces": [0, 0]}
    for i in range(cell.n_surfaces):
        try:
            counts = cell.measure(i)
        except LevyError:
            total["surfaces"][1] += 1
            continue
        if not counts:
            continue
        total["surfaces"][0] += 1
        add(total, counts)
    return total


def main() -> None:
    """Measure the cells that are not in the file of results, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--surfaces", type=int, default=300, help="for each simulated cell")
    parser.add_argument("--quick", action="store_true", help="3 surfaces for each cell")
    parser.add_argument("--results", type=Path, default=CELLS, help="file of finished cells")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    folder = os.environ.get("LEVY_MARKET_DATA")
    n_surfaces = 3 if options.quick else options.surfaces
    results: dict[str, Counts] = {}
    if options.results.exists():
        results = json.loads(options.results.read_text(encoding="utf-8"))
    options.results.parent.mkdir(parents=True, exist_ok=True)
    todo = list(cells(n_surfaces, Path(folder) if folder else None))
    for k, cell in enumerate(todo, 1):
        if cell.key not in results:
            results[cell.key] = measured(cell)
            options.results.write_text(json.dumps(results, indent=1), encoding="utf-8")
        print(f"{k}/{len(todo)} {cell.key}: {_share(results[cell.key], 'robust/parameters')}")
    options.out.write_text("\n".join(page(results)) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")


def _share(counts: Mapping[str, list[int]], key: str) -> str:
    n_hits, n_trials = counts.get(key, [0, 0])
    return f"{n_hits / n_trials:.0%}" if n_trials else ""


def page(results: Mapping[str, Counts]) -> Iterator[str]:
    """Yield the lines of the page."""
    yield _INTRODUCTION
    for title, prefixes, text in _TABLES:
        rows = [
            (prefix, name, counts)
            for prefix in prefixes
            for name in MODELS
            if (counts := {k: c for k, c in results.items() if k.startswith(f"{prefix}/{name}/")})
        ]
        if not rows:
            continue
        yield ""
        yield f"## {title}"
        yield ""
        yield text
        last = dict.fromkeys(key.split("/")[2] for _, _, counts in rows for key in counts)
        head = ["", "model", *last, "all", "independent errors", "variance", "surfaces"]
        yield from table(head, [_row(prefix, name, counts, last) for prefix, name, counts in rows])


def _row(
    prefix: str, name: str, counts: Mapping[str, Counts], last: Mapping[str, None]
) -> list[str]:
    pooled = {
        key: [sum(c.get(key, [0, 0])[i] for c in counts.values()) for i in range(2)]
        for key in ("robust/parameters", "laplace_iid/parameters", "robust/variance")
    }
    surfaces = {c["surfaces"][0] for c in counts.values()}
    shown = f"{min(surfaces)}" if len(surfaces) == 1 else f"{min(surfaces)}-{max(surfaces)}"
    return [
        prefix,
        name,
        *(_share(counts.get(f"{prefix}/{name}/{k}", {}), "robust/parameters") for k in last),
        *(_share(pooled, key) for key in pooled),
        shown,
    ]


_INTRODUCTION: Final = """\
# Coverage of intervals

How often the default 95% intervals contain the truth. Generated by `make coverage`; the rows of
real quotes require `LEVY_MARKET_DATA`. `independent errors` are the intervals of
`uncertainty = laplace_iid`, all weights together; all other columns are those of
`uncertainty = robust`, the default. `variance` is the variance of the log return at one year.
Counted are fitted parameters that do not run to a limit. Of n surfaces with p parameters, a share
near 95% has a standard error between 0.22/√n (parameters that err together) and 0.22/√(np): 1.3
points at most with 300 surfaces, 3.4 with 40.

The intervals are those of the jackknife over expiries (CR3) with Student's t of as many degrees of
freedom as there are expiries less one. Surfaces with few expiries have wide intervals: at four
expiries the quantile is 3.2, at ten 2.3."""

_TABLES: Final = (
    (
        "Odd against even expiries of real surfaces",
        ("real",),
        "A model is fitted to the odd and to the even expiries of a surface. Counted is whether\n"
        "the two estimates differ by at most the combined half-width, √(w₁² + w₂²).",
    ),
    (
        "From one day to the next",
        ("next day",),
        "Estimates of successive days, with the default weights, compared in the same way. The\n"
        "market itself moves from day to day.",
    ),
    (
        "Two listings of one market",
        MARKETS,
        "Prices are those of a model with stochastic variance; the fitted models do not contain\n"
        "it. Strikes and expiries of the listings are drawn independently; errors are\n"
        "proportional to the spread.",
    ),
    (
        "Simulated surfaces of the fitted model",
        NOISES,
        "5 to 8 expiries of 8 to 19 strikes; fits begin at the truth. Errors are independent in\n"
        "currency; proportional to the spread; rounded to a tick of 0.05% of the forward; Student\n"
        "t with three degrees of freedom; of 0.3 vol points, correlated along each smile;\n"
        "independent with 20% of the quotes missing.",
    ),
)

if __name__ == "__main__":
    main()

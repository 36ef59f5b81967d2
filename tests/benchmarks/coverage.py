"""Measure how often the 95% intervals of fits contain the truth, and write `docs/coverage.md`.

Run by `make coverage`. Cells that are finished are kept in a file, so that a run can be resumed;
`--quick` measures a few surfaces of each cell. With LEVY_MARKET_DATA, real surfaces are measured
too.
"""

import argparse
import json
import math
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from levy_numerics import models, pricing
from levy_numerics.black import black_vega
from levy_numerics.calibration import CalibrationResult, calibrate, half_width
from levy_numerics.calibration.uncertainty import ErrorModel
from levy_numerics.errors import LevyError
from levy_numerics.implied_volatility import vols_of_prices
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models.base import Model
from tests.benchmarks import stochastic_volatility
from tests.benchmarks.real_quotes import SETS, MarketSet, days_of, table

PAGE: Final = Path("docs/coverage.md")
CELLS: Final = Path("build/coverage.json")
MODELS: Final = ("VarianceGamma", "NIG", "CGMY", "Merton", "NIGSato", "NIGCIR")
WEIGHTS: Final = ("price", "vega", "bid_ask")
NOISES: Final = ("independent", "spread", "tick", "heavy tails", "smile", "20% missing")
ERROR_MODELS: Final[tuple[ErrorModel, ...]] = ("robust", "laplace_iid")
_LEVEL: Final = 0.95
_FORWARD: Final = 100.0
_TICK: Final = 0.05
# Of truths about each model's example, in coordinates.
_SPREAD_OF_TRUTHS: Final = 0.25
_SPREAD_OF_CLOCKS: Final = 0.4
# Days of each set with several: enough to have more than 25 surfaces.
_DAYS: Final = {"spx_cboe_2019": 8, "btc_deribit_202106": 8, "sse50etf_2015_2017": 10}
_MIN_EXPIRIES: Final = 4

Counts = dict[str, list[int]]
"""Hits and trials, by `error model/quantity`."""


@dataclass(frozen=True)
class Cell:
    """A row of a table: a measurement that is made once."""

    key: str
    measure: Callable[[int], Counts]
    n_surfaces: int


def listing(rng: np.random.Generator, vol: float) -> Contracts:
    """Return 5 to 8 expiries of 8 to 19 strikes, out of the money, as exchanges list them."""
    maturities = np.exp(np.sort(rng.uniform(math.log(0.06), math.log(2.0), rng.integers(5, 9))))
    years, strikes = [], []
    for maturity in maturities:
        deviations = np.sort(rng.uniform(-2.6, 1.7, rng.integers(8, 20)))
        years += [maturity] * deviations.size
        strikes += list(_FORWARD * np.exp(deviations * vol * math.sqrt(maturity)))
    maturity_years, strike = np.array(years), np.array(strikes)
    return Contracts.of(
        maturity_years=maturity_years,
        strike=strike,
        forward=_FORWARD,
        discount=np.exp(-0.02 * maturity_years),
        is_call=strike >= _FORWARD,
    )


def noisy_quotes(
    contracts: Contracts, exact: np.ndarray, noise: str, rng: np.random.Generator
) -> Quotes:
    """Return quotes with one kind of noise, of quotes worth at least 0.08% of the forward."""
    half = 0.5 * (0.02 + 0.02 * exact)
    kept = exact > 0.08
    if noise == "20% missing":
        kept &= rng.uniform(size=exact.size) > 0.2
    c, exact, half = contracts.select(kept), exact[kept], half[kept]
    errors = _errors(c, exact, half, noise, rng)
    price = np.clip(exact + errors, np.maximum(0.5 * exact, c.lower_bound + 1e-6), c.upper_bound)
    return Quotes.of(c, price, bid=np.maximum(price - half, 0.0), ask=price + half)


def _errors(
    c: Contracts, exact: np.ndarray, half: np.ndarray, noise: str, rng: np.random.Generator
) -> np.ndarray:
    if noise == "spread":
        return 0.7 * half * rng.standard_normal(c.size)
    if noise == "tick":
        return np.asarray(np.round(exact / _TICK) * _TICK - exact)
    if noise == "heavy tails":
        return 0.4 * half * rng.standard_t(3, c.size)
    if noise == "smile":
        return _along_the_smile(c, exact, rng) + 0.2 * half * rng.standard_normal(c.size)
    return 0.02 * rng.standard_normal(c.size)


def _along_the_smile(c: Contracts, exact: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return errors of 0.3 vol points, correlated over about a deviation of strikes."""
    vols = vols_of_prices(exact, c)
    vega = black_vega(
        forward=c.forward,
        strike=c.strike,
        maturity_years=c.maturity_years,
        discount=c.discount,
        vol=vols,
    )
    deviations = c.log_moneyness / (np.median(vols) * np.sqrt(c.maturity_years))
    apart = np.abs(deviations[:, None] - deviations)
    same_expiry = c.maturity_years[:, None] == c.maturity_years
    correlation = np.where(same_expiry, np.exp(-apart), 0.0) + 1e-9 * np.eye(c.size)
    return np.asarray(
        0.003 * vega * (np.linalg.cholesky(correlation) @ rng.standard_normal(c.size))
    )


def truths(name: str, seed: int) -> Model:
    """Return a model near the example of its family."""
    model, rng = models.get(name), np.random.default_rng([seed, zlib.crc32(name.encode())])
    z = np.asarray(model.example().to_coordinates(), dtype=float)
    deviation = np.where(np.arange(z.size) < 3, _SPREAD_OF_TRUTHS, _SPREAD_OF_CLOCKS)
    if not name.endswith("CIR"):
        deviation = np.full(z.size, _SPREAD_OF_TRUTHS)
    low, high = (np.array(end) for end in model.coordinate_bounds())
    return model.from_coordinates(
        np.clip(z + deviation * rng.standard_normal(z.size), low + 0.01, high - 0.01)
    )


def with_right_model(name: str, noise: str, weights: str) -> Callable[[int], Counts]:
    """Return the measurement of one surface that the fitted model made."""

    def measure(seed: int) -> Counts:
        truth = truths(name, seed)
        rng = np.random.default_rng([seed, NOISES.index(noise), zlib.crc32(name.encode())])
        contracts = listing(rng, _deviation(truth))
        exact = pricing.price(truth, contracts).value
        quotes = noisy_quotes(contracts, exact, noise, rng)
        start = {key: float(value) for key, value in truth.as_mapping().items()}
        fit = calibrate(models.get(name), quotes, weights=weights, start=start)
        variance = _deviation(truth) ** 2
        return _count(fit, lambda key: start[key], variance)

    return measure


def _deviation(model: Model) -> float:
    """Return the standard deviation of the log return over a year."""
    return math.sqrt(float(np.real(model.cumulants(1.0)[1])))


def _count(fit: CalibrationResult, truth: Callable[[str], float], variance: float) -> Counts:
    counts: Counts = {}
    for error_model in ERROR_MODELS:
        of_model = fit.with_uncertainty(error_model)
        ends = of_model.intervals(_LEVEL)
        judged = [name for name in ends if is_judged(fit, name)]
        hits = sum(ends[name][0] <= truth(name) <= ends[name][1] for name in judged)
        counts[f"{error_model}/parameters"] = [hits, len(judged)]
        low, high = of_model.moments["variance"].interval(_LEVEL)
        counts[f"{error_model}/variance"] = [int(low <= variance <= high), 1]
    return counts


def is_judged(fit: CalibrationResult, name: str) -> bool:
    """Return whether a parameter is fitted, and does not run to a limit."""
    is_limit = any(limit.split(" ")[0] == name for limit in fit.boundary_parameters)
    (parameter,) = (p for p in fit.model.parameters() if p.name == name)
    return not is_limit and parameter.typical_range[0] < parameter.typical_range[1]


def with_wrong_model(name: str, market: str, weights: str) -> Callable[[int], Counts]:
    """Return the measurement of two listings of one market that no Lévy model fits."""

    def measure(seed: int) -> Counts:
        rng = np.random.default_rng([seed, zlib.crc32(market.encode())])
        v0 = 0.04 * math.exp(0.4 * rng.standard_normal())
        jumps = {"intensity": 0.5, "jump_mean": -0.1, "jump_std": 0.1}
        truth = stochastic_volatility.Bates(
            v0,
            theta=0.04 * math.exp(0.3 * rng.standard_normal()),
            kappa=rng.uniform(1.0, 4.0),
            xi=rng.uniform(0.3, 0.7),
            rho=rng.uniform(-0.8, -0.3),
            **(jumps if market == "Bates" else {}),
        )
        fits = []
        for _ in range(2):
            contracts = listing(rng, 0.2)
            exact = stochastic_volatility.price(truth, contracts)
            quotes = noisy_quotes(contracts, exact, "spread", rng)
            fits.append(calibrate(models.get(name), quotes, weights=weights))
        return agreement(*fits)

    return measure


def agreement(first: CalibrationResult, second: CalibrationResult) -> Counts:
    """Count the parameters, and variances, that differ by less than the combined interval.

    Combined half-widths are √(w₁² + w₂²).
    """
    counts: Counts = {}
    for error_model in ERROR_MODELS:
        both = [fit.with_uncertainty(error_model) for fit in (first, second)]
        hits = []
        for name in first.parameters:
            if is_judged(first, name) and is_judged(second, name):
                values = [fit.parameters[name] for fit in both]
                errors = [fit.standard_errors[name] for fit in both]
                hits.append(_agree(values, errors, both))
        counts[f"{error_model}/parameters"] = [sum(hits), len(hits)]
        moments = [fit.moments["variance"] for fit in both]
        values, errors = [m.value for m in moments], [m.standard_error for m in moments]
        counts[f"{error_model}/variance"] = [int(_agree(values, errors, both)), 1]
    return counts


def _agree(values: list[float], errors: list[float], fits: list[CalibrationResult]) -> bool:
    widths = [
        half_width(error, fit.uncertainty.degrees_of_freedom, _LEVEL)
        for error, fit in zip(errors, fits, strict=True)
    ]
    return abs(values[0] - values[1]) <= math.hypot(*widths)


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
        return agreement(fits[0], fits[1])

    return measure


def next_day(name: str, market: MarketSet, folder: Path) -> Callable[[int], Counts]:
    """Return the measurement of two successive days, with the default weights."""
    dates = days_of(market.path(folder))

    def measure(i: int) -> Counts:
        days = [_surface(market, folder, day) for day in dates[i : i + 2]]
        fits = [calibrate(models.get(name), quotes) for quotes in days]
        return agreement(fits[0], fits[1])

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
    for truth in ("Heston", "Bates"):
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
        for key, (hits, trials) in counts.items():
            entry = total.setdefault(key, [0, 0])
            entry[0] += hits
            entry[1] += trials
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
    hits, trials = counts.get(key, [0, 0])
    return f"{hits / trials:.0%}" if trials else ""


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
        ("Heston", "Bates"),
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

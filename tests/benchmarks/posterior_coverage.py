"""Measure how honest posteriors are on real quotes, and write `docs/posterior-coverage.md`.

Requires LEVY_MARKET_DATA. Run by `make posterior-coverage`. Surfaces that are finished are kept in
a file, so that a run can be resumed; `--surfaces` limits their number.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from levy_bayesian.handlers.sample import Sampling
from levy_bayesian.misfit import misfit_of
from levy_bayesian.prediction import predictive_options, predictive_quotes
from levy_bayesian.samplers import Draws, SamplingPlan, get
from levy_bayesian.summary import NOISE, parameter_draws
from levy_numerics.calibration import default_weights
from levy_numerics.inference.posterior import Posterior
from levy_numerics.market import Quotes
from levy_schemas.jobs import Engine, Likelihood
from tests.benchmarks.real_quotes import SETS, MarketSet, days_of, table

PAGE: Final = Path("docs/posterior-coverage.md")
RESULTS: Final = Path("build/posterior-coverage.json")
MODELS: Final = ("VarianceGamma", "CGMY")
LIKELIHOODS: Final[tuple[Likelihood, ...]] = ("normal", "discrepancy")
# Days of each set with several.
_DAYS: Final = {"spx_cboe_2019": 3, "btc_deribit_202106": 3, "sse50etf_2015_2017": 3}
_MIN_EXPIRIES: Final = 4
_N_SAMPLES: Final = 250
# Every third strike of each expiry is held out.
_HELD_OUT: Final = 3

Counts = dict[str, list[float]]
"""Hits and trials of each quantity."""


def surfaces(folder: Path) -> Iterator[tuple[str, Quotes]]:
    """Yield real surfaces with a title, one of each set before others of the same set."""
    chosen: list[list[tuple[MarketSet, str | None]]] = []
    for market in SETS:
        if market.name not in _DAYS:
            chosen.append([(market, None)])
            continue
        dates = days_of(market.path(folder))
        at = np.unique(np.linspace(0, len(dates) - 1, _DAYS[market.name]).astype(int))
        chosen.append([(market, dates[i]) for i in at])
    for rank in range(max(map(len, chosen))):
        for days in chosen:
            if rank < len(days):
                market, day = days[rank]
                title = f"{market.name} {day or market.day or ''}".strip()
                yield title, market.surface(folder, day).quotes


def sampled(
    quotes: Quotes, model: str, likelihood: Likelihood, engine: Engine
) -> tuple[Posterior, Draws]:
    """Return a posterior and its draws."""
    sampling = Sampling(model, engine, likelihood=likelihood)
    posterior = sampling.posterior(quotes)
    plan = SamplingPlan(n_chains=2, n_samples=_N_SAMPLES, n_warmup=_N_SAMPLES // 2)
    return posterior, get(engine).sample(posterior, plan, lambda _: None)


def measured(quotes: Quotes, model: str, likelihood: Likelihood, engine: Engine) -> Counts:
    """Return the counts of one surface: agreement of its halves, and held-out quotes inside."""
    started = time.process_time()
    maturities, expiry = quotes.contracts.by_maturity.maturity_groups
    counts: Counts = {}
    if maturities.size >= _MIN_EXPIRIES:
        odd, even = (quotes.select(expiry % 2 == k) for k in range(2))
        halves = [sampled(half, model, likelihood, engine) for half in (odd, even)]
        counts["parameters"] = agreement(*halves)
        counts["expiries"], _ = held_out(*halves[0], even)
    held = _every_third_strike(quotes)
    posterior, draws = sampled(quotes.select(~held), model, likelihood, engine)
    counts["strikes"], counts["negative"] = held_out(posterior, draws, quotes.select(held))
    misfit = misfit_of(posterior, predictive_quotes(posterior, draws.points, 0).model_price)
    counts["misfit"] = [float(misfit.detected), 1.0]
    counts["seconds"] = [time.process_time() - started, 1.0]
    return counts


def agreement(first: tuple[Posterior, Draws], second: tuple[Posterior, Draws]) -> list[float]:
    """Return how many parameters differ by less than the combined half-width, and their number."""
    both = [parameter_draws(posterior, draws.points) for posterior, draws in (first, second)]
    hits = []
    for name in both[0]:
        if name == NOISE:
            continue
        ends = np.array([np.quantile(values[name], (0.025, 0.5, 0.975)) for values in both])
        distance = abs(ends[0, 1] - ends[1, 1])
        hits.append(distance <= np.hypot(*(0.5 * (ends[:, 2] - ends[:, 0]))))
    return [float(sum(hits)), float(len(hits))]


def held_out(posterior: Posterior, draws: Draws, others: Quotes) -> tuple[list[float], list[float]]:
    """Return how many other quotes lie within their predictive intervals, and their number.

    The second pair counts the intervals with a negative lower end.
    """
    weights = default_weights(posterior.quotes)
    predicted = predictive_options(
        posterior, draws.points, others.contracts, weights=weights, seed=0
    )
    low, high = np.array([one.quote_interval for one in predicted]).T
    inside, n = (low <= others.price) & (others.price <= high), float(others.size)
    return [float(inside.sum()), n], [float(np.sum(low < 0.0)), n]


def _every_third_strike(quotes: Quotes) -> np.ndarray:
    c = quotes.contracts
    order = np.lexsort((c.strike, c.maturity_years))
    held = np.zeros(quotes.size, dtype=bool)
    held[order[1::_HELD_OUT]] = True
    return held


def main() -> None:
    """Measure the surfaces that are not in the file of results, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--surfaces", type=int, default=100, help="at most so many")
    parser.add_argument("--models", default=",".join(MODELS), help="comma-separated")
    parser.add_argument("--engine", default="laplace-psis")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of finished surfaces")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    folder = os.environ.get("LEVY_MARKET_DATA")
    if not folder:
        print("skipped: set LEVY_MARKET_DATA to the folder of the data sets")
        return
    results: dict[str, Counts] = {}
    if options.results.exists():
        results = json.loads(options.results.read_text(encoding="utf-8"))
    options.results.parent.mkdir(parents=True, exist_ok=True)
    for k, (title, quotes) in enumerate(surfaces(Path(folder))):
        if k == options.surfaces:
            break
        for model in options.models.split(","):
            for likelihood in LIKELIHOODS:
                key = f"{title}/{model}/{likelihood}"
                if key in results:
                    continue
                results[key] = measured(quotes, model, likelihood, options.engine)
                options.results.write_text(json.dumps(results, indent=1), encoding="utf-8")
                print(key, results[key], flush=True)
    options.out.write_text("\n".join(page(results, options.engine)) + "\n", encoding="utf-8")
    print(f"wrote {options.out}")


def _share(counts: list[float]) -> str:
    hits, trials = counts
    return f"{hits / trials:.0%}" if trials else ""


def page(results: Mapping[str, Counts], engine: str) -> Iterator[str]:
    """Yield the lines of the page."""
    titles = list(dict.fromkeys(key.split("/")[0] for key in results))
    models = list(dict.fromkeys(key.split("/")[1] for key in results))
    yield _INTRODUCTION.format(engine=engine, surfaces=", ".join(titles))
    rows = [_row(results, name, likelihood) for likelihood in LIKELIHOODS for name in models]
    rows += [_row(results, None, likelihood) for likelihood in LIKELIHOODS]
    yield from table(_HEAD, rows)


_HEAD: Final = (
    "likelihood",
    "parameters agree",
    "held-out expiries",
    "held-out strikes",
    "negative ends",
    "misfit stated",
    "seconds",
    "model",
)


def _row(results: Mapping[str, Counts], model: str | None, likelihood: str) -> list[str]:
    total: dict[str, Any] = {}
    for key, counts in results.items():
        _, name, of_likelihood = key.split("/")
        if of_likelihood == likelihood and model in (None, name):
            for quantity, both in counts.items():
                # Every surface counts once, whatever its number of quotes.
                share = both if quantity == "seconds" else [both[0] / both[1], 1.0]
                total[quantity] = np.add(total.get(quantity, [0.0, 0.0]), share)
    quantities = ("parameters", "expiries", "strikes", "negative", "misfit")
    shares = [_share(total[q].tolist()) if q in total else "" for q in quantities]
    seconds = total["seconds"]
    return [f"`{likelihood}`", *shares, f"{seconds[0] / seconds[1]:.1f}", model or "all"]


_INTRODUCTION: Final = """\
# Coverage of posteriors on real quotes

How often 95% intervals of posteriors contain what they should, on real quotes. Generated by
`make posterior-coverage`, which requires `LEVY_MARKET_DATA`; posteriors by `{engine}`, with the
default weights. Shares are means over the surfaces: {surfaces}.

- **parameters agree**: a posterior is computed from the odd and from the even expiries of a
  surface. The medians of a parameter differ by at most the combined half-width, √(w₁² + w₂²).
- **held-out expiries**: quotes of the even expiries within the predictive intervals of the
  posterior given the odd ones.
- **held-out strikes**: every third strike, given the others.
- **negative ends**: predictive intervals of held-out strikes with a negative lower end.
- **seconds**: processor time of the three posteriors and their predictions."""

if __name__ == "__main__":
    main()

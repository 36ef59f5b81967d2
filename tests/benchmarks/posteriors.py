"""Sample posteriors of synthetic and real quotes with every engine; write `docs/bayesian.md`.

Run by `make posteriors`. Finished jobs are stored in `build/posteriors` and not repeated. Real
quotes are read from the folder in the environment variable LEVY_MARKET_DATA.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np

from levy_bayesian.samplers import Draws, SamplingPlan, get
from levy_bayesian.summary import Summary, summarise
from levy_numerics import models, pricing
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Quotes
from tests.benchmarks import real_quotes, surface
from tests.benchmarks.bands import bands_of, plot_bands

PAGE: Final = Path("docs/bayesian.md")
PLOTS: Final = PAGE.parent / "plots"
KEPT: Final = Path("build/posteriors")
PLAN: Final = SamplingPlan(n_chains=4, n_samples=5000, n_warmup=2000, seed=1)
NOISE: Final = 1e-3
"""Quote error of the benchmark, as a fraction of the spot: about a quarter of a vol point."""
JOBS: Final = (
    ("VarianceGamma", "numpyro-nuts"),
    ("NIG", "numpyro-nuts"),
    ("CGMY", "numpyro-nuts"),
    ("Merton", "numpyro-nuts"),
    ("VarianceGamma", "laplace-psis"),
    ("NIG", "laplace-psis"),
    ("CGMY", "laplace-psis"),
    ("Merton", "laplace-psis"),
    ("VarianceGamma", "numpyro-svi"),
    ("CGMY", "numpyro-svi"),
    ("VarianceGamma", "pymc-advi"),
    ("VarianceGamma", "pymc-nuts"),
    ("CGMY", "pymc-nuts"),
)
REAL: Final = ("VarianceGamma", "CGMY")
_EXPIRY_YEARS: Final = 60 / 365


def main() -> None:
    """Run the jobs that are not stored yet, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.posteriors")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--only", default="", help="run only jobs whose name contains this")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call] # JAX's own
    done = {}
    for name, engine in JOBS:
        if arguments.only in f"{name} {engine}":
            done[name, engine] = _kept(f"{name}-{engine}", lambda n=name, e=engine: standard(n, e))
    real = {}
    for title, quotes, weights in real_sets():
        for name in REAL:
            key = slug(title, name)
            if arguments.only in f"{key} numpyro-nuts":
                job = lambda n=name, q=quotes, w=weights: on_quotes(n, q, w)  # noqa: E731
                real[title, name] = _kept(key, job)
                plot_bands(real[title, name]["bands"], PLOTS / f"bands-{key}.svg")
    arguments.page.write_text(page(done, real))


def slug(title: str, name: str) -> str:
    """Return the file name of a data set of real quotes and a model."""
    return "-".join(f"{title} {name}".replace("&", "").replace(",", "").split())


def _kept(name: str, job: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    path = KEPT / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(job(), indent=1))
        print(path)
    stored: dict[str, Any] = json.loads(path.read_text())
    return stored


def standard_posterior(name: str) -> Posterior:
    """Return the posterior of a model given 200 noisy quotes of its example parameters."""
    contracts = surface.contracts()
    exact = pricing.price(models.get(name).example(), contracts).value
    errors = NOISE * surface.SPOT * np.random.default_rng(7).standard_normal(exact.size)
    prices = np.clip(exact + errors, contracts.lower_bound + 1e-6, contracts.upper_bound)
    priors = Priors.default(models.get(name))
    return Posterior.of(Quotes.of(contracts, prices), priors, weights="price")


def standard(name: str, engine: str) -> dict[str, Any]:
    """Run the benchmark of one model with one engine."""
    posterior = standard_posterior(name)
    # A first run imports and compiles.
    get(engine).sample(posterior, replace(PLAN, n_samples=500), lambda _progress: None)
    draws, seconds = timed(posterior, engine)
    return as_json(summarise(posterior, draws), draws, seconds)


def timed(posterior: Posterior, engine: str) -> tuple[Draws, Mapping[str, float]]:
    """Return draws and the time they took, including the training of the transport map."""
    wall, processor = time.perf_counter(), time.process_time()
    draws = get(engine).sample(posterior, PLAN, lambda _progress: None)
    return draws, {
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - processor,
    }


def as_json(summary: Summary, draws: Draws, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return the results of a job for JSON."""
    steps = draws.statistics.get("n_steps")
    return {
        "parameters": {name: p.model_dump() for name, p in summary.parameters.items()},
        "seconds": dict(seconds),
        "steps": None if steps is None else float(np.mean(steps)),
        "divergences": summary.divergences,
        "pareto_k": summary.pareto_k,
        "effective_sample_size": draws.effective_sample_size,
        "reason": summary.reason,
        "warnings": list(summary.warnings),
    }


def real_sets() -> list[tuple[str, Quotes, str]]:
    """Return the data sets of real quotes, if they are available."""
    if not os.environ.get("LEVY_MARKET_DATA"):
        return []
    folder = Path(os.environ["LEVY_MARKET_DATA"])
    old = real_quotes.SCHOUTENS.surface(folder).quotes
    whole = real_quotes.SPX_2019.surface(folder).quotes
    years = whole.contracts.maturity_years
    nearest = years[np.argmin(np.abs(years - _EXPIRY_YEARS))]
    modern = whole.select(years == nearest)
    days = round(365 * float(nearest))
    return [
        ("S&P 500 calls, 18 April 2002", old, "price"),
        (f"S&P 500, 7 May 2019, expiry in {days} days", modern, "vega"),
    ]


def on_quotes(name: str, quotes: Quotes, weights: str) -> dict[str, Any]:
    """Return a model's posterior given real quotes, with the coverage of its predictive bands."""
    posterior = Posterior.of(quotes, Priors.default(models.get(name)), weights=weights)
    draws, seconds = timed(posterior, "numpyro-nuts")
    summary = summarise(posterior, draws)
    low, high = np.array([p.interval for p in summary.predictive]).T
    inside = (quotes.price >= low) & (quotes.price <= high)
    width = (high - low) / (quotes.contracts.discount * quotes.contracts.forward)
    return as_json(summary, draws, seconds) | {
        "n": quotes.size,
        "inside": float(inside.mean()),
        "width": float(np.median(width)),
        "bands": bands_of(quotes, low, np.array([p.mean for p in summary.predictive]), high),
    }


_INTRODUCTION: Final = """# Posterior engines: accuracy and speed

Generated by `make posteriors` on two cores. Seconds are those of a second job, after compilation:
processor time of all threads, and elapsed time. [bayesian-jobs.md](bayesian-jobs.md) describes how
to run posteriors.

| engine | method | use |
|---|---|---|
| `numpyro-nuts` | exact draws by NUTS; chains in threads | the default, most reliable |
| `laplace-psis` | importance sampling, adapted from a Laplace approximation | a first look |
| `numpyro-svi` | full-rank normal, preconditioned and importance-weighted | a check in seconds |
| `pymc-advi` | the same by PyMC | a check by independent code |
| `pymc-nuts` | exact draws by nutpie | a check by independent code |

All engines except `laplace-psis` sample in coordinates preconditioned by a transport map learned
from importance-weighted draws (`levy_numerics.inference.transport_map`). If the quotes do not
identify a direction, the posterior is a thin curved ridge, on which NUTS needed 15 to 45 steps per
draw.
A normal in preconditioned coordinates is a flow guide whose curvature is learned from draws instead
of stochastic gradients; two layers of inverse autoregressive flow in its place took three times as
long and were not closer (Pareto k of 0.68, the same as without the map; 0.2 with it).

A `pareto_k` above 0.7, or less with few draws, means that an approximation is unreliable. A lower
value means that the weights of the draws are even, not that every tail was covered: for Merton, k
of 0.3 came with interval ends off by an eighth, and k of 0.4 by nearly half. Therefore
`laplace-psis` counts as converged only if its proposal has stopped changing. It does for Variance
Gamma, NIG, Meixner and CGMY, but not for Merton, nor for Kou with p near 0: use `numpyro-nuts`.

## Benchmark

200 quotes of each model's example parameters, 20 strikes by 10 maturities, with errors of 0.1% of
the spot (a quarter of a vol point); default priors, unknown error scale; 4 chains of 5,000 draws
after 2,000 warm-up draws.

"""


def page(
    done: Mapping[tuple[str, str], dict[str, Any]], real: Mapping[tuple[str, str], dict[str, Any]]
) -> str:
    """Return the page in Markdown."""
    parts = [_INTRODUCTION, _engines(done), _agreement(done)]
    parts += [_REAL if real else "", *(_real(*key, job) for key, job in real.items())]
    return "".join(parts).rstrip() + "\n"


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |\n"


def _table(*head: str) -> str:
    return _row(*head) + "|---|" + "---:|" * (len(head) - 1) + "\n"


def _worst(job: Mapping[str, Any], field: str, of: Callable[[list[float]], float]) -> float | None:
    values = [p[field] for p in job["parameters"].values() if p[field] is not None]
    return of(values) if values else None


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 10.0 else f"{value:.2g}"


def _engines(done: Mapping[tuple[str, str], dict[str, Any]]) -> str:
    head = (
        "model",
        "engine",
        "processor time, s",
        "elapsed time, s",
        "R-hat",
        "bulk ESS",
        "tail ESS",
    )
    text = _table(*head, "steps per draw", "divergences", "Pareto k", "independent draws")
    for (name, engine), job in done.items():
        text += _row(
            name,
            f"`{engine}`",
            *(_seconds(job["seconds"][clock]) for clock in ("processor", "wall")),
            _shown(_worst(job, "r_hat", max), ".4f"),
            _shown(_worst(job, "ess_bulk", min), ",.0f"),
            _shown(_worst(job, "ess_tail", min), ",.0f"),
            _shown(job["steps"], ".1f"),
            job["divergences"] if job["pareto_k"] is None else "",
            _shown(job["pareto_k"], ".2f"),
            _shown(job["effective_sample_size"], ",.0f"),
        )
    missing = [f"{name} by `{engine}`" for name, engine in JOBS if (name, engine) not in done]
    return text + (f"\nNot measured in this run: {', '.join(missing)}.\n" if missing else "")


def _agreement(done: Mapping[tuple[str, str], dict[str, Any]]) -> str:
    """Return the comparison of every engine with NumPyro's NUTS."""
    head = ("model", "engine", "means", "standard deviations", "ends of the 95% intervals")
    text = (
        "\n## Comparison with `numpyro-nuts`\n\nLargest difference over all parameters: of means, "
        "in standard deviations; of standard deviations,\nrelative; of interval ends, relative to "
        "the width of the interval.\n\n" + _table(*head)
    )
    for (name, engine), job in done.items():
        if engine != "numpyro-nuts" and (name, "numpyro-nuts") in done:
            text += _row(name, f"`{engine}`", *_differences(job, done[name, "numpyro-nuts"]))
    return text


def _differences(job: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    off: dict[str, list[float]] = {"mean": [], "sd": [], "interval": []}
    for name, mine in job["parameters"].items():
        theirs = other["parameters"][name]
        low, high = theirs["interval"]
        off["mean"].append(abs(mine["mean"] - theirs["mean"]) / theirs["sd"])
        off["sd"].append(abs(mine["sd"] / theirs["sd"] - 1.0))
        ends = np.abs(np.subtract(mine["interval"], theirs["interval"]))
        off["interval"].append(float(ends.max()) / (high - low))
    return [
        f"{max(off['mean']):.3f}", f"{max(off['sd']):.1%}", f"{max(off['interval']):.1%}"
    ]  # fmt: skip


_REAL: Final = """
## Real quotes

Posteriors by `numpyro-nuts`, given quotes from the data sets of [real-quotes.md](real-quotes.md).
The errors are independent (`likelihood = normal`) and their scale is sampled with the parameters,
so a poor fit shows as wide predictive bands: the noise grows until the bands contain the quotes.
Calls alone barely identify the decay of downward jumps: with a prior 1.5 times as wide, CGMY's `G`
on the calls of 2002 was between 0.01 and 0.58.
"""


def _real(title: str, name: str, job: Mapping[str, Any]) -> str:
    text = (
        f"\n### {name}, {title}\n\n{job['n']} quotes, {job['inside']:.0%} of them inside their 95% "
        f"predictive bands; median width of the bands\n{job['width']:.2%} of the forward. "
        f"{job['reason']}.\n\n"
    )
    text += f"![{name} on {title}: predictive bands](plots/bands-{slug(title, name)}.svg)\n\n"
    text += _table("parameter", "mean", "sd", "median", "95% interval", "R-hat", "bulk ESS")
    for parameter, p in job["parameters"].items():
        low, high = p["interval"]
        text += _row(
            f"`{parameter}`",
            f"{p['mean']:.4g}",
            f"{p['sd']:.2g}",
            f"{p['median']:.4g}",
            f"{low:.4g} to {high:.4g}",
            _shown(p["r_hat"], ".4f"),
            _shown(p["ess_bulk"], ",.0f"),
        )
    return text + "".join(f"\n{warning[0].upper()}{warning[1:]}.\n" for warning in job["warnings"])


if __name__ == "__main__":
    main()

"""Sample posteriors by every engine, and those of real quotes; write `docs/bayesian.md`.

Run by `make posteriors`. What is done is kept in `build/posteriors` and not done again. Real
quotes are where the environment variable LEVY_MARKET_DATA says.
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
"""Of the standard job's quotes, as a share of the spot: about a quarter of a vol point."""
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
    """Do what is not done yet, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.posteriors")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--only", default="", help="names of jobs to do; the rest are left out")
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
    """Of a set of real quotes and a model, in names of files."""
    kept = f"{title} {name}".replace("&", "").replace(",", "")
    return "-".join(kept.split())


def _kept(name: str, job: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    path = KEPT / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(job(), indent=1))
        print(path)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def standard_posterior(name: str) -> Posterior:
    """200 quotes of a model's example, disturbed."""
    contracts = surface.contracts()
    exact = pricing.price(models.get(name).example(), contracts).value
    errors = NOISE * surface.SPOT * np.random.default_rng(7).standard_normal(exact.size)
    prices = np.clip(exact + errors, contracts.lower_bound + 1e-6, contracts.upper_bound)
    return Posterior.of(Quotes.of(contracts, prices), Priors.default(models.get(name)))


def standard(name: str, engine: str) -> dict[str, Any]:
    """The standard job by one engine."""
    posterior = standard_posterior(name)
    # Once to compile and to import.
    get(engine).sample(posterior, replace(PLAN, n_samples=500), lambda _standing: None)
    draws, seconds = timed(posterior, engine)
    return told(summarise(posterior, draws), draws, seconds)


def timed(posterior: Posterior, engine: str) -> tuple[Draws, Mapping[str, float]]:
    """Draws, and the seconds that they took, the map they move in learnt among them."""
    wall, processor = time.perf_counter(), time.process_time()
    draws = get(engine).sample(posterior, PLAN, lambda _standing: None)
    return draws, {
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - processor,
    }


def told(summary: Summary, draws: Draws, seconds: Mapping[str, float]) -> dict[str, Any]:
    """As JSON has it."""
    steps = draws.statistics.get("n_steps")
    return {
        "parameters": {name: one.model_dump() for name, one in summary.parameters.items()},
        "seconds": dict(seconds),
        "steps": None if steps is None else float(np.mean(steps)),
        "divergences": summary.divergences,
        "pareto_k": summary.pareto_k,
        "effective_sample_size": draws.effective_sample_size,
        "reason": summary.reason,
        "warnings": list(summary.warnings),
    }


def real_sets() -> list[tuple[str, Quotes, str]]:
    """The sets of real quotes, where they are."""
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
        (f"S&P 500, 7 May 2019, the expiry in {days} days", modern, "vega"),
    ]


def on_quotes(name: str, quotes: Quotes, weights: str) -> dict[str, Any]:
    """The posterior of a model given real quotes, and how many of them its bands hold."""
    posterior = Posterior.of(quotes, Priors.default(models.get(name)), weights=weights)
    draws, seconds = timed(posterior, "numpyro-nuts")
    summary = summarise(posterior, draws)
    low, high = np.array([one.interval for one in summary.predictive]).T
    inside = (quotes.price >= low) & (quotes.price <= high)
    width = (high - low) / (quotes.contracts.discount * quotes.contracts.forward)
    return told(summary, draws, seconds) | {
        "n": quotes.size,
        "inside": float(inside.mean()),
        "width": float(np.median(width)),
        "bands": bands_of(quotes, low, np.array([one.mean for one in summary.predictive]), high),
    }


_INTRODUCTION: Final = """# Posteriors: which engine, and what to expect

Made by `make posteriors` on two cores; seconds are those of a second job, once compiled, of all
threads together and of the clock. How a posterior is defined and asked for is told in
[bayesian-jobs.md](bayesian-jobs.md).

| engine | what it does | when |
|---|---|---|
| `numpyro-nuts` | exact draws; chains in threads | the default: what is to be relied on |
| `laplace-psis` | weighs draws of an approximation, and learns a better one | at once; first look |
| `numpyro-svi` | a normal of full rank on straightened coordinates, weighed | a check in seconds |
| `pymc-advi` | the same by PyMC | a check by other code |
| `pymc-nuts` | exact draws by nutpie | a check by other code |

All engines but `laplace-psis` move in coordinates that a map learnt from weighted draws has
straightened (`levy_numerics.inference.transport_map`): where quotes leave one direction open, the
posterior is a thin bent ridge, and trees of 15 to 45 steps a draw crept along it. A normal on
straightened coordinates is a flow guide whose bends are learnt from draws and not by stochastic
gradients; two layers of inverse autoregressive flow in its place took three times as long and came
no nearer (Pareto k of 0.68 against 0.68 before the map, 0.2 with it).

`pareto_k` above 0.7, less where draws are few, says that an approximation is not to be relied on.
Below it, it says that the draws seen are evenly weighted, not that no tail was missed: for Merton
k of 0.3 came with intervals off by an eighth, and of 0.4 by nearly half. `laplace-psis` therefore
counts as converged only where what it proposes has stopped changing, which it does for Variance
Gamma, NIG, Meixner and CGMY, and not for Merton, nor for Kou with p near 0: ask `numpyro-nuts`.

## The standard job

200 quotes of each model's example, 20 strikes by 10 maturities, with errors of a thousandth of the
spot (a quarter of a vol point); priors by default, the errors' scale unknown; 4 chains of 5,000
draws after 2,000.

"""


def page(
    done: Mapping[tuple[str, str], dict[str, Any]], real: Mapping[tuple[str, str], dict[str, Any]]
) -> str:
    """The page, in Markdown."""
    parts = [_INTRODUCTION, _engines(done), _agreement(done)]
    parts += [_REAL if real else "", *(_real(*key, one) for key, one in real.items())]
    return "".join(parts).rstrip() + "\n"


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |\n"


def _table(*head: str) -> str:
    return _row(*head) + "|---|" + "---:|" * (len(head) - 1) + "\n"


def _worst(one: Mapping[str, Any], field: str, of: Callable[[list[float]], float]) -> float | None:
    values = [p[field] for p in one["parameters"].values() if p[field] is not None]
    return of(values) if values else None


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 10.0 else f"{value:.2g}"


def _engines(done: Mapping[tuple[str, str], dict[str, Any]]) -> str:
    head = ("model", "engine", "s, processor", "s, clock", "R-hat", "bulk ESS", "tail ESS")
    text = _table(*head, "steps a draw", "divergences", "Pareto k", "independent draws")
    for (name, engine), one in done.items():
        text += _row(
            name,
            f"`{engine}`",
            *(_seconds(one["seconds"][clock]) for clock in ("processor", "wall")),
            _shown(_worst(one, "r_hat", max), ".4f"),
            _shown(_worst(one, "ess_bulk", min), ",.0f"),
            _shown(_worst(one, "ess_tail", min), ",.0f"),
            _shown(one["steps"], ".1f"),
            one["divergences"] if one["pareto_k"] is None else "",
            _shown(one["pareto_k"], ".2f"),
            _shown(one["effective_sample_size"], ",.0f"),
        )
    left = [f"{name} by `{engine}`" for name, engine in JOBS if (name, engine) not in done]
    return text + (f"\nNot measured in this run: {', '.join(left)}.\n" if left else "")


def _agreement(done: Mapping[tuple[str, str], dict[str, Any]]) -> str:
    """Every engine against NumPyro's NUTS."""
    head = ("model", "engine", "means", "standard deviations", "ends of the 95% intervals")
    text = (
        "\n## Against `numpyro-nuts`\n\nLargest difference over all parameters: of means in "
        "standard deviations, of standard deviations\nand of interval ends in shares of the "
        "deviation and of the interval's width.\n\n" + _table(*head)
    )
    for (name, engine), one in done.items():
        if engine != "numpyro-nuts" and (name, "numpyro-nuts") in done:
            text += _row(name, f"`{engine}`", *_differences(one, done[name, "numpyro-nuts"]))
    return text


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    off: dict[str, list[float]] = {"mean": [], "sd": [], "interval": []}
    for name, mine in one["parameters"].items():
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

By `numpyro-nuts`, quotes from the sets of [real-quotes.md](real-quotes.md). The errors' scale is
sampled with the parameters, so that a model that does not fit says so by wide bands: the predictive
bands hold the quotes because the noise has grown until they do. Calls alone hardly determine how
downward jumps decay: under a prior wider by half, CGMY's `G` on those of 2002 lay from 0.01 to
0.58.
"""


def _real(title: str, name: str, one: Mapping[str, Any]) -> str:
    text = (
        f"\n### {name}, {title}\n\n{one['n']} quotes, {one['inside']:.0%} of them inside their 95% "
        f"predictive bands, whose median width is\n{one['width']:.2%} of the forward. "
        f"{one['reason']}.\n\n"
    )
    text += f"![{name} on {title}: predictive bands](plots/bands-{slug(title, name)}.svg)\n\n"
    text += _table("parameter", "mean", "sd", "median", "95% interval", "R-hat", "bulk ESS")
    for parameter, p in one["parameters"].items():
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
    return text + "".join(f"\n{warning[0].upper()}{warning[1:]}.\n" for warning in one["warnings"])


if __name__ == "__main__":
    main()

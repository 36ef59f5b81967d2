"""Are the posteriors honest? `make sbc`, or `python -m tests.sbc --help`.

Parameters are drawn from the prior, a surface is made from them, its posterior is sampled: over
many surfaces the truth must rank anywhere among the draws, and intervals of 90% must hold it 90
times of 100. Writes `docs/posterior-checks.md` and its plots.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.sbc.ranks import LEVEL, N_BINS, N_DRAWS, Level, band
from tests.sbc.runs import Run

mpl.use("svg")
from matplotlib import pyplot as plt

PAGE: Final = Path("docs/posterior-checks.md")
KEPT: Final = Path("build/sbc")
SURFACES: Final = {"numpyro-nuts": 200, "laplace-psis": 600}
"""Of engines that are asked by default; 90% of 200 are known to 2.1%, of 600 to 1.2%."""
_INTRODUCTION: Final = """# Are the posteriors honest?

Made by `make sbc`. Parameters are drawn from the prior, and the noise of the quotes with them; 40
quotes are made from them and disturbed by that noise; their posterior is sampled. If everything
is right, then over many such surfaces the truth ranks anywhere among the draws with equal
probability (simulation-based calibration; Talts and others, 2018, arXiv:1804.06788), and
intervals of {level:.0%} hold it {level:.0%} of the time. Nothing here knows how prices are
computed: a wrong Jacobian, prior or volume element would show.

Ranks are among {n_draws} draws, thinned, in {n_bins} bins; `p` is that of the chi-square test of
level ranks. With several tests in a table, one below 0.01 in a hundred is to be expected.
Of coverage the standard error is told: one figure in twenty lies outside twice that. Engines see
the same surfaces, so that what is chance is common to them. Posteriors that an engine itself calls
into question, by R-hat, Pareto k or the error of its prices, are counted all the same; that chains
as short as these have few effective draws is expected, and not counted.
"""


def main() -> None:
    """Sample what is left, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surfaces", type=int, help="as many of each engine, if not as usual")
    parser.add_argument("--models", nargs="+", default=["VarianceGamma", "CGMY"])
    parser.add_argument("--engines", nargs="+", choices=SURFACES, default=list(SURFACES))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--page", type=Path, default=PAGE)
    asked = parser.parse_args()
    runs = [Run(model, engine) for model in asked.models for engine in asked.engines]
    found = {
        run: _all_of(run, asked.surfaces or SURFACES[run.engine], asked.workers) for run in runs
    }
    write_page(found, asked.page)


def _all_of(run: Run, n: int, workers: int) -> list[Mapping[str, Any]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn()) as shown:
        title = f"{run.model_type}, {run.engine}"
        return list(shown.track(run.all(n, KEPT, workers), total=n, description=title))


def write_page(found: Mapping[Run, Sequence[Mapping[str, Any]]], page: Path) -> None:
    parts = [
        _INTRODUCTION.format(level=LEVEL, n_draws=N_DRAWS, n_bins=N_BINS),
        *(_section(run, surfaces, page) for run, surfaces in found.items()),
        *_side_by_side(found),
    ]
    page.write_text("\n".join(parts), encoding="utf-8")


def _section(run: Run, surfaces: Sequence[Mapping[str, Any]], page: Path) -> str:
    ranked = [one for one in surfaces if "failed" not in one]
    levels = {
        name: Level.of(
            np.array([one["rank"][name] for one in ranked]),
            np.array([one["inside"][name] for one in ranked]),
        )
        for name in ranked[0]["rank"]
    }
    plot = page.parent / "plots" / f"sbc-{run.model_type}-{run.engine}.svg"
    _plot(levels, len(ranked), plot)
    rows = [
        f"| {name} | {level.p_value:.3f} | {level.coverage:.1%} |" for name, level in levels.items()
    ]
    title = f"{run.model_type} by {run.engine}"
    return "\n".join(
        [
            f"## {title}\n",
            _sentence(ranked, len(surfaces)),
            "",
            "| parameter | p | coverage of 90% |",
            "|---|---:|---:|",
            *rows,
            "",
            f"![Ranks of the truth, {title}]({plot.relative_to(page.parent)})",
            "",
        ]
    )


def _side_by_side(found: Mapping[Run, Sequence[Mapping[str, Any]]]) -> list[str]:
    """How far engines differ on the surfaces that all of them saw, where there are several."""
    rows = []
    for model in dict.fromkeys(run.model_type for run in found):
        seen = [
            {one["number"]: one["inside"] for one in surfaces if "failed" not in one}
            for run, surfaces in found.items()
            if run.model_type == model
        ]
        both = sorted(set.intersection(*(set(one) for one in seen)))
        if len(seen) < 2 or not both:
            continue
        for name in seen[0][both[0]]:
            shares = [f"{np.mean([one[k][name] for k in both]):.1%}" for one in seen]
            rows.append(f"| {model} | {name} | {len(both)} | {' | '.join(shares)} |")
    if not rows:
        return []
    engines = list(dict.fromkeys(run.engine for run in found))
    return [
        "## On the surfaces that every engine saw\n",
        "What is chance is common to them: coverage of 90% by each.\n",
        f"| model | parameter | surfaces | {' | '.join(engines)} |",
        "|---|---|---:|" + "---:|" * len(engines),
        *rows,
        "",
    ]


def _sentence(ranked: Sequence[Mapping[str, Any]], n: int) -> str:
    faults = sum(_called_into_question(one["fault"]) for one in ranked)
    diverged = sum(one["divergences"] > 0 for one in ranked)
    error = float(np.sqrt(LEVEL * (1.0 - LEVEL) / len(ranked)))
    return (
        f"{n} surfaces; {faults} called into question, {diverged} with divergences, "
        f"{n - len(ranked)} not sampled at all. Standard error of coverage: {error:.1%}."
    )


def _called_into_question(fault: str) -> bool:
    """Whether for more than being short, or a divergence, which is counted apart."""
    parts = [part for part in fault.split("; ") if part]
    return any("ESS" not in part and "diverged" not in part for part in parts)


def _plot(levels: Mapping[str, Level], n: int, path: Path) -> None:
    """Histograms of ranks on the band that holds a level bin 99 times of 100."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Same bytes from the same ranks.
    plt.rcParams.update({"svg.hashsalt": "levy", "font.size": 9, "svg.fonttype": "none"})
    figure, axes = plt.subplots(1, len(levels), figsize=(2.2 * len(levels), 2.0), sharey=True)
    for axis, (name, level) in zip(np.atleast_1d(axes), levels.items(), strict=True):
        axis.axhspan(*band(n), color="#e8ecf1")
        axis.axhline(n / N_BINS, color="#64748b", linewidth=0.8)
        axis.bar(np.arange(N_BINS) + 0.5, level.counts, width=0.92, color="#33506b")
        axis.set_title(name)
        axis.set_xticks([0, N_BINS], ["0", str(N_DRAWS)])
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()

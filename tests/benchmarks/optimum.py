"""Whether default fits are global optima, on surfaces that no model fits exactly.

The default fit is that of `/calibrate` with `method = hybrid`: from a network's initial guess where
there is a network, otherwise from screened starts. The reference is the best of many starts and of
the default fit. The surfaces are listings of richer models with ticks and spreads, and the sets of
real quotes where LEVY_MARKET_DATA is the folder that contains them. Run by `make optimum`.
"""

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console

from levy_calibration.registry import Registry
from levy_numerics import models
from levy_numerics.calibration import calibrate
from levy_numerics.calibration.hybrid import FitStrategy, Proposer
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_validation import stochastic_volatility
from tests.benchmarks import report
from tests.benchmarks.real_quotes import SETS, days_of
from tests.benchmarks.report import Section, Size

MODELS: Final = ("VarianceGamma", "NIG", "CGMY", "Merton", "Kou", "NIGCIR")
WEIGHTS: Final = ("vega", "price")
STARTS: Final = 50
SAME_COST: Final = 1e-3
"""Relative excess of the cost up to which a fit is the optimum: 0.05% of the error."""
SEED: Final = 20270207
_DAYS: Final = 8
"""Of each set of real quotes, evenly spaced."""


@dataclass(frozen=True)
class Outcome:
    """One default fit, compared with the best of many starts.

    Attributes
    ----------
    is_optimum : bool
    n_evaluations : int
    cpu_ms : float
    status : str
    """

    is_optimum: bool
    n_evaluations: int
    cpu_ms: float
    status: str


def run(size: Size) -> Iterator[Section]:
    """Yield a table for each kind of surface."""
    n, n_starts = (1, 4) if size.quick else (max(size.surfaces // 5, 1), STARTS)
    registry = Registry.open()
    yield _section(
        "Default fits to listings of Heston's model, Bates's and CGMY on a CIR clock",
        [
            quotes
            for kind in stochastic_volatility.KINDS
            for quotes in stochastic_volatility.surfaces(kind, n, seed=SEED)
        ],
        registry,
        n_starts,
    )
    folder = os.environ.get("LEVY_MARKET_DATA")
    if folder and not size.quick:
        yield _section("Default fits to real quotes", list(_real(Path(folder))), registry, n_starts)


def _section(title: str, surfaces: list[Quotes], registry: Registry, n_starts: int) -> Section:
    section = Section(
        title,
        (
            "model",
            "weights",
            "surfaces",
            "optimum %",
            "evaluations",
            "median cpu ms",
            "90% cpu ms",
            "converged or at bound %",
        ),
        note=f"optimum: cost within {SAME_COST:.1%} of the best of {n_starts} starts",
    )
    for name in MODELS:
        network = registry.champion(name)
        proposers = () if network is None else (network,)
        for weights in WEIGHTS:
            outcomes = [compared(name, q, weights, proposers, n_starts) for q in surfaces]
            milliseconds = [outcome.cpu_ms for outcome in outcomes]
            arrived = [outcome.status in ("converged", "at_bound") for outcome in outcomes]
            section.add(
                name,
                weights,
                len(outcomes),
                100.0 * float(np.mean([outcome.is_optimum for outcome in outcomes])),
                float(np.mean([outcome.n_evaluations for outcome in outcomes])),
                float(np.median(milliseconds)),
                float(np.quantile(milliseconds, 0.9)),
                100.0 * float(np.mean(arrived)),
            )
    return section


def compared(
    name: str, quotes: Quotes, weights: str, proposers: tuple[Proposer, ...], n_starts: int
) -> Outcome:
    """Fit one surface by default, and compare the fit with the best of many starts."""
    model = models.get(name)
    started = time.process_time()
    fit = FitStrategy(weights=weights).fit(model, quotes, proposers).result
    seconds = time.process_time() - started
    assert isinstance(fit, CalibrationResult)
    reference = calibrate(model, quotes, weights=weights, n_starts=n_starts)
    is_optimum = fit.cost <= reference.cost * (1.0 + SAME_COST)
    return Outcome(is_optimum, fit.n_evaluations, 1e3 * seconds, fit.status)


def _real(folder: Path) -> Iterator[Quotes]:
    """Yield surfaces of all sets; days without enough quotes are left out."""
    for market in SETS:
        days: list[str | None] = [market.day]
        if market.day is not None:
            every = days_of(market.path(folder))
            days = [every[i] for i in np.linspace(0, len(every) - 1, _DAYS).round().astype(int)]
        for day in days:
            try:
                yield market.surface(folder, day).quotes
            except LevyError:
                continue


def main() -> None:
    """Measure, print the tables and write the JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.optimum", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--quick", action="store_true", help="a surface of each kind, few starts")
    parser.add_argument(
        "--surfaces", type=int, default=100, help="five times the number of each kind"
    )
    parser.add_argument("--out", type=Path, default=Path("build/optimum.json"))
    arguments = parser.parse_args()
    sections = []
    for section in run(Size(quick=arguments.quick, surfaces=arguments.surfaces)):
        section.show(Console(width=120))
        sections.append(section)
    report.write(sections, arguments.out, ("numpy", "numba", "scipy"))


if __name__ == "__main__":
    main()

"""Order of convergence of finite differences, and agreement of `pide` and `conv` on random cases.

    python -m tests.benchmarks.early_exercise --convergence docs/plots/pide-convergence.svg
    python -m tests.benchmarks.early_exercise --cases 200

Both print a table for `docs/early-exercise.md`.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np

from levy_numerics import models, pricing
from levy_numerics.errors import LevyError
from levy_numerics.market import Contracts
from levy_numerics.models.base import LevyModel
from levy_numerics.pricing.early_exercise import Terms, pide
from levy_numerics.pricing.early_exercise.market_path import MarketPath
from levy_numerics.pricing.early_exercise.pide_grid import Accuracy
from tests.benchmarks.random_models import draw

mpl.use("svg")
from matplotlib import pyplot as plt

CONVERGENCE: Final[dict[str, LevyModel]] = {
    "Kou (finite activity)": models.Kou.example(),
    "Variance Gamma (finite variation)": models.VarianceGamma(sigma=0.2, nu=0.4, theta=-0.15),
    "CGMY, Y = 0.5 (finite variation)": models.CGMY(C=0.7, G=5.0, M=10.0, Y=0.5),
    "NIG (infinite variation)": models.NIG.example(),
    "CGMY, Y = 1.2 (infinite variation)": models.CGMY(C=0.1, G=5.0, M=10.0, Y=1.2),
    "CGMY, Y = 1.8 (infinite variation)": models.CGMY(C=0.007, G=5.0, M=10.0, Y=1.8),
}
_FACTORS: Final = (8, 4, 2, 1)
_STRIKES: Final = np.linspace(80.0, 120.0, 9)
_NAMES: Final = ("BlackScholes", "Merton", "Kou", "VarianceGamma", "NIG", "CGMY", "Meixner")
_WEEK: Final = 7.0 / 365.0
_TOLERANCE: Final = 1e-5


def convergence(path: Path) -> None:
    """Plot the largest error of European puts on one grid, and print it with its order."""
    contracts = Contracts.grid(
        spot=100.0,
        rate=0.05,
        dividend_yield=0.02,
        strikes=_STRIKES,
        maturities=0.5,
        is_call=False,
    )
    market = MarketPath.of(contracts, 100.0)
    finest = replace(Accuracy.of(_TOLERANCE), tail=1e-12)
    spacings = [factor * finest.spacing for factor in _FACTORS]
    plt.rcParams.update({"svg.hashsalt": "levy", "font.size": 8, "svg.fonttype": "none"})
    figure, axes = plt.subplots(figsize=(5.0, 3.4))
    print("| model | " + " | ".join(f"{s:.2g}" for s in spacings) + " | order | extrapolated |")
    print("|---" * (len(spacings) + 3) + "|")
    for name, model in CONVERGENCE.items():
        exact = pricing.price(model, contracts).value
        values = [
            pide.on_grid(model, contracts, market, 100.0, Terms(), finest.coarser(k)).european
            for k in _FACTORS
        ]
        errors = [float(np.max(np.abs(value - exact))) / 100.0 for value in values]
        extrapolated = np.max(np.abs((4.0 * values[-1] - values[-2]) / 3.0 - exact)) / 100.0
        order = np.log2(errors[-2] / errors[-1])
        cells = " | ".join(f"{error:.1e}" for error in errors)
        print(f"| {name} | {cells} | {order:.2f} | {extrapolated:.1e} |")
        axes.loglog(spacings, errors, marker="o", markersize=3, linewidth=1, label=name)
    reference = 2e-3 * np.array(spacings) ** 2
    axes.loglog(spacings, reference, "k--", linewidth=0.8, label="second order")
    axes.set_xlabel("spacing / standard deviation (steps in proportion)")
    axes.set_ylabel("largest error / spot")
    axes.legend(fontsize=6)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def agreement(n_cases: int, seed: int) -> None:
    """Print the differences of American puts by both methods, by model."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[tuple[float, float, float, float]]] = {}
    seconds = {"pide": 0.0, "conv": 0.0}
    refused = 0
    per_model = -(-n_cases // len(_NAMES))
    sets = {name: draw(name, per_model, seed) for name in _NAMES}
    for k in range(n_cases):
        name = _NAMES[k % len(_NAMES)]
        model = sets[name][k // len(_NAMES)]
        years = float(np.exp(rng.uniform(np.log(_WEEK), np.log(2.0))))
        deviation = float(np.sqrt(model.cumulants(years)[1]))
        contracts = Contracts.grid(
            spot=100.0,
            rate=rng.uniform(0.0, 0.08),
            dividend_yield=rng.uniform(0.0, 0.05),
            strikes=100.0 * np.exp(rng.uniform(-1.5, 1.5) * deviation),
            maturities=years,
            is_call=False,
        )
        prices = {}
        try:
            for method in seconds:
                start = time.process_time()
                prices[method] = pricing.price(
                    model, contracts, method=method, terms=Terms(exercise="american"), spot=100.0
                )
                seconds[method] += time.process_time() - start
        except LevyError as error:
            refused += 1
            print(f"refused: {model}, {years:.3f} years: {error}")
            continue
        difference = abs(float(prices["pide"].value[0] - prices["conv"].value[0])) / 100.0
        stated = {m: float(p.error[0]) / 100.0 for m, p in prices.items()}
        if difference > _TOLERANCE:
            print(f"{difference:.1e}: {model}, {years:.3f} years, K = {contracts.strike[0]:.2f}")
            print(f"    stated errors: pide {stated['pide']:.1e}, conv {stated['conv']:.1e}")
        rows.setdefault(name, []).append(
            (difference, stated["pide"], stated["conv"], stated["pide"] + stated["conv"])
        )
    print("| model | cases | within 1e-5 | median | largest | within the stated errors |")
    print("|---|---|---|---|---|---|")
    everything = [row for group in rows.values() for row in group]
    for name, group in [*rows.items(), ("all", everything)]:
        d, _, _, stated_sum = np.array(group).T
        print(
            f"| {name} | {len(group)} | {np.sum(d < _TOLERANCE)} | {np.median(d):.1e} | "
            f"{d.max():.1e} | {np.sum(d <= stated_sum)} |"
        )
    for method, total in seconds.items():
        print(f"{method}: {1e3 * total / max(len(everything), 1):.0f} ms of processor time a case")
    print(f"refused: {refused}")


def main() -> None:
    """Run what the command line selects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--convergence", type=Path, help="file of the plot")
    parser.add_argument("--cases", type=int, default=0, help="number of random cases")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.convergence is not None:
        convergence(options.convergence)
    if options.cases:
        agreement(options.cases, options.seed)


if __name__ == "__main__":
    main()

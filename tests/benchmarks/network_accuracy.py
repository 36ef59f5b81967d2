"""Out-of-sample accuracy of the networks: `make networks` writes `docs/network-accuracy.md`.

Surfaces are from a Sobol sequence that was not used in training. If LEVY_MARKET_DATA is set, the
networks' starts on real quotes are measured too.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from rich.progress import track

from levy_calibration.networks.trained import TrainedNetwork
from levy_calibration.registry import Registry
from levy_calibration.registry.artifact import Artifact
from levy_calibration.training.metrics import Errors, parameter_errors, repricing_errors
from levy_numerics import models
from levy_numerics.calibration import calibrate
from levy_numerics.calibration.local_fit import evaluate_at, fit_from
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.augmentation import drop_quotes, with_relative_noise
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box, sobol_targets
from tests.benchmarks.real_quotes import SETS, table

PAGE: Final = Path("docs/network-accuracy.md")
SEED: Final = 20_261_124
_REPRICED: Final = 4000
_TIMED: Final = 200
_MOMENTS: Final = ("variance", "skewness", "kurtosis")
_EXACT, _NOISY, _FEWER = "exact", "1% noise", "20% missing"
_WEIGHTS: Final = "vega"
_STARTS: Final = 20
_ON_REAL: Final = ("set", "ensemble")
_TARGET_MODEL: Final = "VarianceGamma"
_TARGET_R2, _TARGET_MEDIAN, _TARGET_INCREASE = 0.99, 0.01, 1.3
_INTRODUCTION: Final = """# Network accuracy

Initial guesses of the networks, before refinement, measured by `make networks` on {n:,} surfaces
of each model: 20 strikes at 10 maturities, parameters from the ranges of the
[data sets](data-sets.md), by a scrambled Sobol sequence with seed {seed:,} (training used
seed 0). The table of real quotes requires `LEVY_MARKET_DATA`; the quotes are not part of the
repository.

Cells of the first tables contain R² and the median of |error/value|. `price` is the mean over
surfaces of the root mean square error, in 1e-4 of the forward; `vol` the median over surfaces of
the root mean square error of implied volatility, in 1e-4 (0.01 vol points); both on {repriced:,}
surfaces, compared with the exact prices of the whole grid. `familiar` is the fraction with an
out-of-distribution score of at most one. Noise is relative to each out-of-the-money price. If
quotes are missing, networks on the grid read interpolated quotes, `set` the remaining ones."""
_REAL: Final = f"""
Root mean square error of implied volatility, in points: of the network's start → of the fit from
that start (weights `{_WEIGHTS}`), compared with the best of {_STARTS} starts of least squares. `*`:
least squares found a better fit from another start; `–`: the network rejected the quotes. A start
cannot be better than the best fit of its model."""


@dataclass(frozen=True)
class Holdout:
    """Surfaces that were not used in training, exact and perturbed.

    Attributes
    ----------
    true : Model
        n parameter sets.
    price : ndarray, shape (n, 200)
        Exact, on the standard grid, relative to the forward.
    disturbed : dict of str to PricedSurfaces
    """

    true: Model
    price: np.ndarray
    disturbed: dict[str, PricedSurfaces]

    @classmethod
    def of(cls, model_type: str, n: int) -> "Holdout":
        """Draw n surfaces from a model's ranges."""
        box = Box.of(model_type)
        true = box.model(sobol_targets(len(box.axes), n, seed=SEED))
        price = SinhPricer(grid.grid_contracts(), 1e-8).price(true).value
        exact = PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price)
        rng = np.random.default_rng(SEED)
        noisy, fewer = with_relative_noise(exact, 0.01, rng), drop_quotes(exact, 0.2, rng)
        return cls(true, price, {_EXACT: exact, _NOISY: noisy, _FEWER: fewer})


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of one network on one kind of surface.

    Attributes
    ----------
    network, kind : str
    errors : dict of str to Errors
        Of parameters, then of moments.
    price_bp, vol_bp : float
        See `repricing_errors`.
    familiar : float
        Fraction of the surfaces with an out-of-distribution score of at most one.
    """

    network: str
    kind: str
    errors: dict[str, Errors]
    price_bp: float
    vol_bp: float
    familiar: float

    @classmethod
    def of(
        cls, network: TrainedNetwork, kind: str, features: np.ndarray, held: Holdout
    ) -> "Accuracy":
        """Compare a network's proposals with the true parameters."""
        answers, few = network.runtime(features), slice(_REPRICED)
        places = answers.unit_parameters[few]
        repriced = repricing_errors(network.box.model(places), held.price[few])
        scores = network.detector.score(answers.summary)
        return cls(
            network.network,
            kind,
            parameter_errors(network.box.model(answers.unit_parameters), held.true),
            repriced["price_bp"],
            repriced["vol_bp"],
            float(np.mean(scores <= 1.0)),
        )

    @property
    def parameters(self) -> list[str]:
        """Return the names of the parameters, without the moments."""
        return [name for name in self.errors if name not in _MOMENTS]


def main() -> None:
    """Measure every network of the registry, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surfaces", type=int, default=20_000)
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    registry = Registry.open()
    accuracies = {
        model: list(
            _accuracies(list(registry.artifacts(model)), Holdout.of(model, arguments.surfaces))
        )
        for model in registry.models()
    }
    costs = [
        Cost.of(artifact)
        for artifact in track(list(registry.artifacts()), description="time and size")
    ]
    market = os.environ.get("LEVY_MARKET_DATA")
    starts = list(_starts(registry, Path(market))) if market else []
    arguments.page.write_text(
        _page(arguments.surfaces, accuracies, costs, starts), encoding="utf-8"
    )


def _page(
    n: int,
    accuracies: dict[str, list[Accuracy]],
    costs: Sequence["Cost"],
    starts: Sequence["Start"],
) -> str:
    """Return the page; without real quotes, their table is omitted."""
    lines = [_INTRODUCTION.format(n=n, repriced=min(_REPRICED, n), seed=SEED)]
    lines += _summary(accuracies, costs, starts)
    for model, of_model in accuracies.items():
        lines += _of_model(model, of_model)
    lines += _of_costs(costs)
    lines += _of_starts(starts) if starts else []
    return "\n".join(lines) + "\n"


def _accuracies(artifacts: Sequence[Artifact], held: Holdout) -> Iterator[Accuracy]:
    """Yield the accuracy of every network of a model on every kind of surface.

    Features are computed once for networks that read the same ones.
    """
    read: dict[tuple[str, str], np.ndarray] = {}
    for artifact in track(artifacts, description=artifacts[0].model):
        network = artifact.load()
        for kind, surfaces in held.disturbed.items():
            if (network.reads, kind) not in read:
                read[network.reads, kind] = network.features(surfaces)
            yield Accuracy.of(network, kind, read[network.reads, kind], held)


def _summary(
    accuracies: dict[str, list[Accuracy]], costs: Sequence["Cost"], starts: Sequence["Start"]
) -> Iterator[str]:
    """Yield the results compared with their targets."""
    yield "\n## Summary\n"
    for model, of_model in accuracies.items():
        exact = [result for result in of_model if result.kind == _EXACT]
        targets = (f" (target {_TARGET_R2})", f" (target {_TARGET_MEDIAN:.0%})")
        first, second = targets if model == _TARGET_MODEL else ("", "")
        yield (
            f"- {model}, exact prices: {_worst_r2(exact)}{first}; {_worst_median(exact)}{second}."
        )
    for model, of_model in accuracies.items():
        yield (
            f"- {model}, `set`, 20% of the quotes missing: {_largest_increase(of_model)} "
            f"(target {_TARGET_INCREASE})."
        )
    yield (
        f"- A pass takes {min(cost.pass_us for cost in costs):.0f} to "
        f"{max(cost.pass_us for cost in costs):.0f} µs (target 300), loading and the first pass up "
        f"to {max(cost.load_ms for cost in costs):.0f} ms (target 2,000)."
    )
    yield from _starts_summary(starts)


def _starts_summary(starts: Sequence["Start"]) -> Iterator[str]:
    both = [start for start in starts if all(name in start.before for name in _ON_REAL)]
    if not both:
        return
    ours, theirs = (np.array([start.before[name] for start in both]) for name in _ON_REAL)
    led = [name not in start.corrected for start in both for name in _ON_REAL]
    yield (
        f"- Real quotes: `set` has the better start in {np.sum(ours < theirs)} of "
        f"{len(both)} fits; medians are {np.median(ours):.1f} points for `set` and "
        f"{np.median(theirs):.1f} for `ensemble`, worst {ours.max():.1f} and "
        f"{theirs.max():.1f}. {sum(led)} of {len(led)} starts led to the best fit."
    )


def _worst_r2(exact: Sequence[Accuracy]) -> str:
    value, network, name = min(
        (result.errors[name].r2, result.network, name)
        for result in exact
        for name in result.parameters
    )
    return f"R² at least {value:.4f} (`{network}`, {name})"


def _worst_median(exact: Sequence[Accuracy]) -> str:
    value, network, name = max(
        (result.errors[name].median_relative, result.network, name)
        for result in exact
        for name in result.parameters
    )
    return f"median relative error at most {value:.2%} (`{network}`, {name})"


def _largest_increase(results: Sequence[Accuracy]) -> str:
    """Return the largest increase of the errors of `set` over the parameters."""
    exact, fewer = (
        next(result for result in results if (result.network, result.kind) == ("set", kind))
        for kind in (_EXACT, _FEWER)
    )
    absolute = {name: fewer.errors[name].mae / exact.errors[name].mae for name in exact.parameters}
    relative = {
        name: fewer.errors[name].median_relative / exact.errors[name].median_relative
        for name in exact.parameters
    }
    first, second = (max(ratio, key=ratio.__getitem__) for ratio in (absolute, relative))
    return (
        f"mean absolute errors increase by a factor of at most {absolute[first]:.2f} ({first}), "
        f"median relative errors by {relative[second]:.2f} ({second})"
    )


def _of_model(model: str, accuracies: Sequence[Accuracy]) -> Iterator[str]:
    parameters = accuracies[0].parameters
    head = ("network", "surfaces", *parameters, "price", "vol", "familiar")
    rows = [
        (
            result.network,
            result.kind,
            *(_hit(result.errors[name]) for name in parameters),
            f"{result.price_bp:.2f}",
            f"{result.vol_bp:.2f}",
            f"{result.familiar:.2%}",
        )
        for result in accuracies
    ]
    yield f"\n## {model}"
    yield from table(head, rows)
    yield "\nMean absolute errors, and moments at one year:"
    absolute = tuple(f"MAE {name}" for name in parameters)
    rows = [
        (
            result.network,
            result.kind,
            *(f"{result.errors[name].mae:.2g}" for name in parameters),
            *(_hit(result.errors[name]) for name in _MOMENTS),
        )
        for result in accuracies
    ]
    yield from table(("network", "surfaces", *absolute, *_MOMENTS), rows)


def _hit(errors: Errors) -> str:
    return f"{errors.r2:.4f}, {errors.median_relative:.2%}"


@dataclass(frozen=True)
class Cost:
    """Run time and size of one network, for one surface on one thread.

    Attributes
    ----------
    model, network : str
    load_ms : float
        Loading and the first pass.
    pass_us, whole_us : float
        One pass, and one pass with its features: minima.
    megabytes : float
        Size of its files.
    """

    model: str
    network: str
    load_ms: float
    pass_us: float
    whole_us: float
    megabytes: float

    @classmethod
    def of(cls, artifact: Artifact) -> "Cost":
        """Load the network and measure repeated passes."""
        surface = Holdout.of(artifact.model, 2).disturbed[_EXACT].select(slice(1))
        started = time.perf_counter()
        network = artifact.load()
        features = network.features(surface)
        network.runtime(features)
        return cls(
            artifact.model,
            artifact.network,
            1e3 * (time.perf_counter() - started),
            1e6 * _fastest(partial(network.runtime, features)),
            1e6 * _fastest(partial(network.output, surface)),
            1e-6 * artifact.size_bytes,
        )


def _fastest(once: Callable[[], object]) -> float:
    found = []
    for _ in range(_TIMED):
        started = time.perf_counter()
        once()
        found.append(time.perf_counter() - started)
    return min(found)


def _of_costs(costs: Sequence[Cost]) -> Iterator[str]:
    yield "\n## Time and size"
    yield "\nOne surface of 200 quotes, one thread; times per pass are minima."
    head = ("model", "network", "load and first pass, ms", "pass, µs", "with features, µs", "MB")
    rows = [
        (
            result.model,
            result.network,
            f"{result.load_ms:.0f}",
            f"{result.pass_us:.0f}",
            f"{result.whole_us:.0f}",
            f"{result.megabytes:.1f}",
        )
        for result in costs
    ]
    yield from table(head, rows)


@dataclass(frozen=True)
class Start:
    """The networks' starts for real quotes, and the fits from them.

    Attributes
    ----------
    quotes, model : str
    before, after : dict of str to float
        By network, unless it rejected the quotes: error of implied volatility in points, of the
        start and of the fit.
    corrected : set of str
        Networks from whose start least squares did not reach the best fit.
    best : float
        The same error, of multi-start least squares.
    score : float
        Out-of-distribution score of `set`.
    """

    quotes: str
    model: str
    before: dict[str, float]
    after: dict[str, float]
    corrected: set[str]
    best: float
    score: float

    @classmethod
    def of(cls, registry: Registry, quotes: Quotes, title: str, model: str) -> "Start":
        """Fit from the networks' starts."""
        before, after, corrected, score = {}, {}, set(), np.nan
        for name in _ON_REAL:
            try:
                proposal = registry.artifact(model, name).load().propose(quotes)
            except LevyError:
                continue
            score = proposal.score if name == "set" else score
            proposed = evaluate_at(quotes, proposal.model, weights=_WEIGHTS).fit
            fitted = fit_from(quotes, proposal.model, weights=_WEIGHTS)
            before[name] = 1e2 * proposed.implied_vol_rmse
            after[name] = 1e2 * fitted.result.fit.implied_vol_rmse
            corrected |= set() if fitted.start_accepted else {name}
        best = calibrate(models.get(model), quotes, weights=_WEIGHTS, n_starts=_STARTS).fit
        return cls(title, model, before, after, corrected, 1e2 * best.implied_vol_rmse, score)

    def cell(self, network: str) -> str:
        """Return the cell of one network."""
        if network not in self.before:
            return "–"
        star = "*" if network in self.corrected else ""
        return f"{self.before[network]:.2f} → {self.after[network]:.3f}{star}"


def _starts(registry: Registry, folder: Path) -> Iterator[Start]:
    """Yield the starts for every data set of real quotes and every model."""
    for market in track(SETS, description="real quotes"):
        quotes = market.surface(folder).quotes
        for model in registry.models():
            yield Start.of(registry, quotes, market.title, model)


def _of_starts(starts: Sequence[Start]) -> Iterator[str]:
    yield "\n## Real quotes"
    yield _REAL
    head = ("quotes", "model", *_ON_REAL, "several starts", "score of `set`")
    rows = [
        (
            start.quotes,
            start.model,
            *(start.cell(name) for name in _ON_REAL),
            f"{start.best:.3f}",
            f"{start.score:.2f}",
        )
        for start in starts
    ]
    yield from table(head, rows)


if __name__ == "__main__":
    main()

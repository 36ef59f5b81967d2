"""What networks propose, before any polishing: `make networks` writes `docs/network-accuracy.md`.

Surfaces are of a Sobol sequence that no training has used. Where LEVY_MARKET_DATA says where real
quotes are, the networks' starts on those are measured too.
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
_N_REPRICED: Final = 4000
_TIMED: Final = 200
_FUNCTIONALS: Final = ("variance", "skewness", "kurtosis")
_EXACT, _NOISY, _FEWER = "exact", "1% noise", "20% missing"
_WEIGHTS: Final = "vega"
_STARTS: Final = 20
_ON_REAL: Final = ("set", "ensemble")
_ASKED_OF: Final = "VarianceGamma"
_LEAST_R2, _MOST_MEDIAN, _MOST_GROWTH = 0.99, 0.01, 1.3
_INTRODUCTION: Final = """# What networks propose

Made by `make networks`, before any polishing, on {n:,} surfaces of each model: 20 strikes at 10
maturities, parameters from the ranges of [the data sets](data-sets.md), by a scrambled Sobol
sequence of seed {seed:,}; those of training had seed 0. The table of real quotes needs
`LEVY_MARKET_DATA`; the quotes themselves are not part of the project.

A cell of the first tables is R² and the median of |error/value|. `price` is the mean over surfaces
of the root mean square error, in 1e-4 of the forward; `vol` the median over surfaces of the root
mean square error of implied volatility, in 1e-4 (0.01 vol points); both of {repriced:,} of the
surfaces, against the exact prices of the whole grid. `familiar` is the share whose novelty score
is at most one. Noise is relative, of every out-of-the-money price. Where quotes are missing,
networks on the grid read an interpolation, `set` those that are left."""
_REAL: Final = f"""
Root mean square error of implied volatility, in points: of the start as the network proposes it →
of the fit that exact prices make of it (weights `{_WEIGHTS}`), beside the best of {_STARTS} starts
of least squares. A star marks starts from which another, of least squares, found better; – is a
network that declines such quotes. No model made these quotes: a start cannot be better than its
model."""


@dataclass(frozen=True)
class Holdout:
    """Surfaces that no training has seen, as they are and disturbed.

    Attributes
    ----------
    true : Model
        n of them.
    price : ndarray, shape (n, 200)
        Exact, on the standard grid, over the forward.
    disturbed : dict of str to PricedSurfaces
    """

    true: Model
    price: np.ndarray
    disturbed: dict[str, PricedSurfaces]

    @classmethod
    def of(cls, model_type: str, n: int) -> "Holdout":
        """Draw n surfaces of a model's ranges."""
        box = Box.of(model_type)
        true = box.model(sobol_targets(len(box.axes), n, seed=SEED))
        price = SinhPricer(grid.grid_contracts(), 1e-8).price(true).value
        exact = PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price)
        rng = np.random.default_rng(SEED)
        noisy, fewer = with_relative_noise(exact, 0.01, rng), drop_quotes(exact, 0.2, rng)
        return cls(true, price, {_EXACT: exact, _NOISY: noisy, _FEWER: fewer})


@dataclass(frozen=True)
class Judged:
    """How one network hits on one kind of surface.

    Attributes
    ----------
    network, kind : str
    errors : dict of str to Errors
        Of parameters, then of functionals.
    price_bp, vol_bp : float
        See `repricing_errors`.
    familiar : float
        Share of the surfaces whose novelty score is at most one.
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
    ) -> "Judged":
        """Compare what a network proposes with the truth."""
        answers, few = network.runtime(features), slice(_N_REPRICED)
        repriced = repricing_errors(
            network.box.model(answers.unit_parameters[few]), held.price[few]
        )
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
        """Names, without those of the functionals."""
        return [name for name in self.errors if name not in _FUNCTIONALS]


def main() -> None:
    """Judge every network of the registry, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surfaces", type=int, default=20_000)
    parser.add_argument("--page", type=Path, default=PAGE)
    asked = parser.parse_args()
    registry = Registry.open()
    evaluate = {
        model: list(_judged(list(registry.artifacts(model)), Holdout.of(model, asked.surfaces)))
        for model in registry.models()
    }
    costs = [
        Cost.of(artifact)
        for artifact in track(list(registry.artifacts()), description="time and size")
    ]
    market = os.environ.get("LEVY_MARKET_DATA")
    starts = list(_starts(registry, Path(market))) if market else []
    asked.page.write_text(_page(asked.surfaces, evaluate, costs, starts), encoding="utf-8")


def _page(
    n: int,
    evaluate: dict[str, list[Judged]],
    costs: Sequence["Cost"],
    starts: Sequence["Start"],
) -> str:
    """The whole page; without real quotes, without their table."""
    lines = [_INTRODUCTION.format(n=n, repriced=min(_N_REPRICED, n), seed=SEED)]
    lines += _in_short(evaluate, costs, starts)
    for model, ours in evaluate.items():
        lines += _of_model(model, ours)
    lines += _of_costs(costs)
    lines += _of_starts(starts) if starts else []
    return "\n".join(lines) + "\n"


def _judged(artifacts: Sequence[Artifact], held: Holdout) -> Iterator[Judged]:
    """Every network of a model on every kind of surface; those that read alike read the same."""
    read: dict[tuple[str, str], np.ndarray] = {}
    for artifact in track(artifacts, description=artifacts[0].model):
        network = artifact.load()
        for kind, surfaces in held.disturbed.items():
            if (network.reads, kind) not in read:
                read[network.reads, kind] = network.features(surfaces)
            yield Judged.of(network, kind, read[network.reads, kind], held)


def _in_short(
    evaluate: dict[str, list[Judged]], costs: Sequence["Cost"], starts: Sequence["Start"]
) -> Iterator[str]:
    """What was aimed at, and what is reached."""
    yield "\n## In short\n"
    for model, ours in evaluate.items():
        exact = [one for one in ours if one.kind == _EXACT]
        aims = (f" ({_LEAST_R2} aimed at)", f" ({_MOST_MEDIAN:.0%} aimed at)")
        first, second = aims if model == _ASKED_OF else ("", "")
        yield (
            f"- {model}, exact prices: {_worst_r2(exact)}{first}; {_worst_median(exact)}{second}."
        )
    for model, ours in evaluate.items():
        yield (
            f"- {model}, `set`, a fifth of the quotes missing: {_growth(ours)} "
            f"({_MOST_GROWTH} aimed at)."
        )
    yield (
        f"- A pass takes {min(one.pass_us for one in costs):.0f} to "
        f"{max(one.pass_us for one in costs):.0f} µs (300 aimed at), loading and the first pass up "
        f"to {max(one.load_ms for one in costs):.0f} ms (2,000 aimed at)."
    )
    yield from _starts_in_short(starts)


def _starts_in_short(starts: Sequence["Start"]) -> Iterator[str]:
    both = [start for start in starts if all(name in start.before for name in _ON_REAL)]
    if not both:
        return
    ours, theirs = (np.array([start.before[name] for start in both]) for name in _ON_REAL)
    led = [name not in start.corrected for start in both for name in _ON_REAL]
    yield (
        f"- Real quotes: the start of `set` is the better one in {np.sum(ours < theirs)} of "
        f"{len(both)} fits; medians are {np.median(ours):.1f} points for `set` and "
        f"{np.median(theirs):.1f} for `ensemble`, worst {ours.max():.1f} and "
        f"{theirs.max():.1f}. {sum(led)} of {len(led)} starts led to the best fit found."
    )


def _worst_r2(exact: Sequence[Judged]) -> str:
    value, network, name = min(
        (one.errors[name].r2, one.network, name) for one in exact for name in one.parameters
    )
    return f"R² at least {value:.4f} (`{network}`, {name})"


def _worst_median(exact: Sequence[Judged]) -> str:
    value, network, name = max(
        (one.errors[name].median_relative, one.network, name)
        for one in exact
        for name in one.parameters
    )
    return f"median relative error at most {value:.2%} (`{network}`, {name})"


def _growth(ours: Sequence[Judged]) -> str:
    """By how much errors of `set` grow, at most, by parameter."""
    exact, fewer = (
        next(one for one in ours if (one.network, one.kind) == ("set", kind))
        for kind in (_EXACT, _FEWER)
    )
    absolute = {name: fewer.errors[name].mae / exact.errors[name].mae for name in exact.parameters}
    relative = {
        name: fewer.errors[name].median_relative / exact.errors[name].median_relative
        for name in exact.parameters
    }
    first, second = (max(ratio, key=ratio.__getitem__) for ratio in (absolute, relative))
    return (
        f"mean absolute errors grow {absolute[first]:.2f} times at most ({first}), medians of "
        f"relative ones {relative[second]:.2f} times ({second})"
    )


def _of_model(model: str, evaluate: Sequence[Judged]) -> Iterator[str]:
    parameters = evaluate[0].parameters
    head = ("network", "surfaces", *parameters, "price", "vol", "familiar")
    rows = [
        (
            one.network,
            one.kind,
            *(_hit(one.errors[name]) for name in parameters),
            f"{one.price_bp:.2f}",
            f"{one.vol_bp:.2f}",
            f"{one.familiar:.2%}",
        )
        for one in evaluate
    ]
    yield f"\n## {model}"
    yield from table(head, rows)
    yield "\nMean absolute errors, and functionals at one year:"
    absolute = tuple(f"MAE {name}" for name in parameters)
    rows = [
        (
            one.network,
            one.kind,
            *(f"{one.errors[name].mae:.2g}" for name in parameters),
            *(_hit(one.errors[name]) for name in _FUNCTIONALS),
        )
        for one in evaluate
    ]
    yield from table(("network", "surfaces", *absolute, *_FUNCTIONALS), rows)


def _hit(errors: Errors) -> str:
    return f"{errors.r2:.4f}, {errors.median_relative:.2%}"


@dataclass(frozen=True)
class Cost:
    """What one network takes, for one surface on one thread.

    Attributes
    ----------
    model, network : str
    load_ms : float
        To load it and to answer for the first time.
    pass_us, whole_us : float
        Of a pass, and of one with its features: minima.
    megabytes : float
        Of its files.
    """

    model: str
    network: str
    load_ms: float
    pass_us: float
    whole_us: float
    megabytes: float

    @classmethod
    def of(cls, artifact: Artifact) -> "Cost":
        """Load it, and ask it often."""
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
    yield "\nOne surface of 200 quotes, one thread; passes are minima."
    head = ("model", "network", "load and first pass, ms", "pass, µs", "with features, µs", "MB")
    rows = [
        (
            one.model,
            one.network,
            f"{one.load_ms:.0f}",
            f"{one.pass_us:.0f}",
            f"{one.whole_us:.0f}",
            f"{one.megabytes:.1f}",
        )
        for one in costs
    ]
    yield from table(head, rows)


@dataclass(frozen=True)
class Start:
    """What networks propose for real quotes, and what becomes of it.

    Attributes
    ----------
    quotes, model : str
    before, after : dict of str to float
        By network, unless it declined: error of implied volatility in points, as proposed and
        once fitted.
    corrected : set of str
        Networks whose start another one had to correct.
    best : float
        Of several starts of least squares, the same error.
    score : float
        OutOfDistributionDetector to `set`.
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
        """Ask the networks, and fit from where they begin."""
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
        """One network's."""
        if network not in self.before:
            return "–"
        star = "*" if network in self.corrected else ""
        return f"{self.before[network]:.2f} → {self.after[network]:.3f}{star}"


def _starts(registry: Registry, folder: Path) -> Iterator[Start]:
    """Every set of real quotes, which no model made, by every model."""
    for one in track(SETS, description="real quotes"):
        quotes = one.surface(folder).quotes
        for model in registry.models():
            yield Start.of(registry, quotes, one.title, model)


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

"""Hybrid calibration from the champion's start and from the default start, singly and in batches.

The global optimum of exact quotes is known, since it reprices them. For noisy quotes it is taken
to be the best of all fits, including least squares from fifty starts.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import numpy as np

from levy_calibration.handlers.calibrate import calibrate as answer
from levy_calibration.networks.trained import TrainedNetwork
from levy_calibration.registry import Registry
from levy_numerics import calibration, models, pricing
from levy_numerics.calibration.batch import calibrate_batch
from levy_numerics.calibration.hybrid import FitStrategy
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.market import Quotes
from levy_numerics.models import Model
from levy_schemas.calibration import CalibrationRequest
from levy_surfaces.synthetic.ranges import sobol_models
from tests.benchmarks import surface
from tests.benchmarks.report import Section, Size

SEED: Final = 20270114
"""Not used in any training data set."""
SAME_PRICE: Final = 1e-8
SAME_COST: Final = 1e-6
NOISE: Final = 0.01
"""Relative to the price of each out-of-the-money option."""
STARTS: Final = 50
BATCH: Final = 2048

Fit = Callable[[Quotes], CalibrationResult]


def run(size: Size) -> Iterator[Section]:
    """Yield three tables: exact quotes, noisy quotes, batches."""
    exact = Section(
        f"Calibration of {surface.contracts().size} exact quotes",
        (
            "model",
            "start",
            "surfaces",
            "optimum %",
            "evaluations",
            "median ms",
            "90% ms",
            "median cpu ms",
        ),
        note="optimum: every quote repriced to 1e-8 of spot; times from the champion's start are "
        "those of the handler, from the request to the response with intervals",
    )
    noisy = Section(
        f"Calibration with {NOISE:.0%} noise, compared with least squares from {STARTS} starts",
        ("model", "start", "surfaces", "optimum %", "evaluations"),
        note=f"optimum: within {SAME_COST:g} of the lowest cost of all fits",
    )
    batches = Section(
        "Batches from the champion's starts",
        (
            "model",
            "noise %",
            "surfaces",
            "threads",
            "converged %",
            "restarted",
            "evaluations",
            "per s",
            "per cpu s",
        ),
        note="per cpu s: per second of processor time, on one core",
    )
    registry = Registry.open()
    for name in registry.models():
        network = registry.champion(name)
        if network is not None:
            _measure_exact(exact, network, size)
            _measure_noisy(noisy, network, 2 if size.quick else size.surfaces)
            _measure_batch(batches, network, 48 if size.quick else BATCH)
    yield from (exact, noisy, batches)


def _exact(name: str, n: int) -> list[Quotes]:
    """Return exact quotes of n parameter sets from a model's ranges."""
    contracts = surface.contracts()
    prices = pricing.price(sobol_models(name, n, seed=SEED), contracts).value
    return [Quotes.of(contracts, row) for row in prices]


def _measure_exact(section: Section, network: TrainedNetwork, size: Size) -> None:
    many = _exact(network.model_type, 4 if size.quick else 100 * size.surfaces)
    few = many[: 4 if size.quick else 3 * size.surfaces]
    found = [_hybrid(network)(quotes) for quotes in many]
    clocked = [_seconds(partial(_answered, network, quotes)) for quotes in few]
    _add_exact(section, network.network, many, found, clocked)
    found = [_default(network, quotes) for quotes in few]
    clocked = [_seconds(partial(_default, network, quotes)) for quotes in few]
    _add_exact(section, "default", few, found, clocked)


def _add_exact(
    section: Section,
    start: str,
    surfaces: list[Quotes],
    found: list[CalibrationResult],
    clocked: list[tuple[float, float]],
) -> None:
    # Priced again, since a fit may report extrapolated residuals.
    errors = [
        float(np.max(np.abs(pricing.price(one.model, quotes.contracts).value - quotes.price)))
        / surface.SPOT
        for quotes, one in zip(surfaces, found, strict=True)
    ]
    elapsed, processor = (np.array(column) for column in zip(*clocked, strict=True))
    section.add(
        found[0].model.name,
        start,
        len(found),
        100.0 * statistics.fmean(error <= SAME_PRICE for error in errors),
        statistics.fmean(one.n_evaluations for one in found),
        1e3 * float(np.median(elapsed)),
        1e3 * float(np.quantile(elapsed, 0.9)),
        1e3 * float(np.median(processor)),
    )


def _measure_noisy(section: Section, network: TrainedNetwork, n: int) -> None:
    rng = np.random.default_rng(SEED)
    fits: dict[str, Fit] = {
        network.network: _hybrid(network),
        "default": lambda quotes: _default(network, quotes),
        f"{STARTS} starts": lambda quotes: calibration.calibrate(
            models.get(network.model_type), quotes, n_starts=STARTS
        ),
    }
    found: dict[str, list[CalibrationResult]] = {start: [] for start in fits}
    for quotes in _exact(network.model_type, n):
        noised = _noised(quotes, rng)
        for start, fit in fits.items():
            found[start].append(fit(noised))
    least = [min(one.cost for one in each) for each in zip(*found.values(), strict=True)]
    for start, results in found.items():
        reached = [
            one.cost <= best * (1.0 + SAME_COST) for one, best in zip(results, least, strict=True)
        ]
        evaluations = statistics.fmean(one.n_evaluations for one in results)
        section.add(network.model_type, start, n, 100.0 * statistics.fmean(reached), evaluations)


def _noised(quotes: Quotes, rng: np.random.Generator) -> Quotes:
    c = quotes.contracts
    time_value = quotes.price - c.lower_bound
    return Quotes.of(c, c.lower_bound + time_value * np.exp(NOISE * rng.standard_normal(c.size)))


def _measure_batch(section: Section, network: TrainedNetwork, n: int) -> None:
    exact, rng = _exact(network.model_type, n), np.random.default_rng(SEED)
    for noise, surfaces in ((NOISE, [_noised(quotes, rng) for quotes in exact]), (0.0, exact)):
        _measure_surfaces(section, network, noise, surfaces)


def _measure_surfaces(
    section: Section, network: TrainedNetwork, noise: float, surfaces: list[Quotes]
) -> None:
    threads, n = os.cpu_count() or 1, len(surfaces)
    starts = _stacked([proposal.model for proposal in network.propose_many(surfaces)])
    found = calibrate_batch(surfaces, starts, threads=threads)
    elapsed, processor = min(
        _seconds(lambda: calibrate_batch(surfaces, starts, threads=threads), whole_process=True)
        for _ in range(3)
    )
    section.add(
        network.model_type,
        100.0 * noise,
        n,
        threads,
        100.0 * float(np.mean(found.converged)),
        int((~found.start_accepted).sum()),
        float(found.n_evaluations.mean()),
        n / elapsed,
        n / processor,
    )


def _stacked(sets: list[Model]) -> Model:
    values = [one.as_mapping() for one in sets]
    return type(sets[0])(**{name: np.array([v[name] for v in values]) for name in values[0]})


def _hybrid(network: TrainedNetwork) -> Fit:
    model = models.get(network.model_type)

    def fit(quotes: Quotes) -> CalibrationResult:
        found = FitStrategy().fit(model, quotes, (network,)).result
        assert isinstance(found, CalibrationResult)
        return found

    return fit


def _default(network: TrainedNetwork, quotes: Quotes) -> CalibrationResult:
    return calibration.calibrate(models.get(network.model_type), quotes)


def _answered(network: TrainedNetwork, quotes: Quotes) -> None:
    """Run the handler on a request; parsing the JSON is not included."""
    answer(_request(network.model_type, quotes), engine_version="", choose=lambda _: (network,))


def _request(name: str, quotes: Quotes) -> CalibrationRequest:
    shape = (surface.MATURITIES.size, surface.STRIKES.size)
    return CalibrationRequest(
        model_type=name,
        spot_price=surface.SPOT,
        risk_free_rate=surface.RATE,
        dividend_yield=surface.DIVIDEND_YIELD,
        strikes=tuple(surface.STRIKES.tolist()),
        maturities=tuple(surface.MATURITIES.tolist()),
        prices=tuple(map(tuple, quotes.price.reshape(shape).tolist())),
    )


def _seconds(call: Callable[[], object], *, whole_process: bool = False) -> tuple[float, float]:
    """Return the elapsed time of a call, and the processor time of its thread or the process."""
    clock = time.process_time if whole_process else time.thread_time
    started, worked = time.perf_counter(), clock()
    call()
    return time.perf_counter() - started, clock() - worked

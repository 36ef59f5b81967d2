"""Pricing of a 200-option surface for new parameters: time and error of several libraries."""

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Final

import numpy as np

from levy_numerics import pricing
from levy_numerics.models import Model
from tests.benchmarks import peers_pyfeng, peers_quantlib, referee, surface
from tests.benchmarks.report import Section, Size
from tests.benchmarks.timing import median_microseconds

MODELS: Final = ("VarianceGamma", "CGMY", "NIG")
TOLERANCE: Final = 1e-8
BATCH: Final = 200
COLUMNS: Final = ("pricer", "µs per surface", "times slower", "max error / forward", "tolerance")


def run(size: Size) -> Iterator[Section]:
    """Yield one table per model."""
    for name in MODELS:
        yield _section(name, seconds=0.2 if size.quick else 2.0)


def _section(name: str, seconds: float) -> Section:
    sets = surface.nearby_models(name, 16)
    contracts = surface.contracts()
    exact = referee.call_prices(sets[0], contracts)
    section = Section(
        f"{name}: {contracts.size} options, new parameters at each call, one thread", COLUMNS
    )
    fastest = 0.0
    for label, price, tolerance in _pricers(name):
        error = float(np.max(np.abs(price(sets[0]) - exact)) / surface.SPOT)
        took = median_microseconds(_on_each_in_turn(price, sets), seconds=seconds)
        fastest = fastest or took
        section.add(label, took, took / fastest, error, tolerance)
    batch_us, error = _batch(name, seconds, exact)
    section.add(
        f"levy, batch of {BATCH} sets", batch_us, batch_us / fastest, error, f"{TOLERANCE:g}"
    )
    return section


def _on_each_in_turn(
    price: Callable[[Model], np.ndarray], sets: list[Model]
) -> Callable[[], np.ndarray]:
    following = cycle(sets)
    return lambda: price(next(following))


def _values(pricer: pricing.SinhPricer) -> Callable[[Model], np.ndarray]:
    return lambda model: pricer.price(model).value


def _pricers(name: str) -> Iterator[tuple[str, Callable[[Model], np.ndarray], str]]:
    contracts = surface.contracts()
    for tolerance in (TOLERANCE, 1e-10, 1e-4):
        kept = pricing.SinhPricer(contracts, tolerance)
        yield "levy, tables reused", _values(kept), f"{tolerance:g}"
    yield (
        "levy, one call",
        lambda m: pricing.price(m, contracts, tolerance=TOLERANCE).value,
        f"{TOLERANCE:g}",
    )
    for label in peers_pyfeng.PRICERS[name]:
        yield label, peers_pyfeng.surface_pricer(name, label), "default"
    if name == "VarianceGamma":
        first = surface.nearby_models(name, 16)[0]
        label = "PyFENG VarGammaFft, same parameters again"
        yield label, peers_pyfeng.cached_pricer(first), "default"
        for label, engine in peers_quantlib.ENGINES.items():
            yield label, peers_quantlib.Surface(engine), "default"


def _batch(name: str, seconds: float, exact: np.ndarray) -> tuple[float, float]:
    """Return the microseconds per surface of a batch, and the error of its first surface."""
    kept = pricing.SinhPricer(surface.contracts(), TOLERANCE)
    sets = surface.batch(name, BATCH)
    error = float(np.max(np.abs(kept.price(sets).value[0] - exact)) / surface.SPOT)
    return median_microseconds(lambda: kept.price(sets), seconds=seconds) / BATCH, error

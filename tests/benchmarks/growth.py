"""Cost of exact prices by number of quotes and of parameter sets."""

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np

from levy_numerics import pricing
from tests.benchmarks import surface
from tests.benchmarks.report import Section, Size
from tests.benchmarks.timing import median_microseconds

TOLERANCE: Final = 1e-8
STRIKES_PER_MATURITY: Final = (1, 2, 5, 10, 20, 50, 100)
SETS: Final = (1, 10, 100, 1000, 10_000)
MODELS: Final = ("VarianceGamma", "CGMY")


def run(size: Size) -> Iterator[Section]:
    """Yield one table for quotes and one for parameter sets."""
    seconds = 0.1 if size.quick else 1.0
    yield _quotes(seconds)
    yield _sets(seconds, SETS[:-1] if size.quick else SETS)


def _quotes(seconds: float) -> Section:
    section = Section(
        "From 10 to 1,000 quotes (10 maturities), one parameter set, tolerance 1e-8",
        (
            "quotes",
            *(f"{name}, µs" for name in MODELS),
            *(f"{name}, µs per quote" for name in MODELS),
        ),
    )
    for count in STRIKES_PER_MATURITY:
        contracts = surface.contracts(strikes=np.linspace(80.0, 120.0, count))
        took = []
        for name in MODELS:
            pricer, model = (
                pricing.SinhPricer(contracts, TOLERANCE),
                surface.nearby_models(name, 1)[0],
            )
            took.append(median_microseconds(partial(pricer.price, model), seconds=seconds))
        section.add(contracts.size, *took, *(t / contracts.size for t in took))
    return section


def _sets(seconds: float, counts: tuple[int, ...]) -> Section:
    section = Section(
        "From 1 to 10,000 parameter sets, 200 quotes, tolerance 1e-8",
        ("sets", *(f"{name}, ms" for name in MODELS), *(f"{name}, µs per set" for name in MODELS)),
    )
    for count in counts:
        took = []
        for name in MODELS:
            pricer = pricing.SinhPricer(surface.contracts(), TOLERANCE)
            sets = surface.batch(name, count)
            took.append(
                median_microseconds(partial(pricer.price, sets), seconds=seconds, at_least=3)
            )
        section.add(count, *(t / 1e3 for t in took), *(t / count for t in took))
    return section

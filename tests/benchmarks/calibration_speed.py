"""Calibration of 200 exact quotes from the default start, on random surfaces of each model.

Times are processor times, because other programs share the machine.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np

from levy_numerics import calibration, models, pricing
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_numerics.models import Model
from tests.benchmarks import peers_stochastic_rs, random_models, surface
from tests.benchmarks.report import Section, Size

MODELS: Final = ("VarianceGamma", "NIG", "Merton", "Kou", "Meixner", "BilateralGamma", "CGMY")
SAME_PARAMETER: Final = 1e-3
SAME_PRICE: Final = 1e-8
PEER_SURFACES: Final = 5
"""The other library takes seconds to a minute for each."""
QUICK_PEERS: Final = ("VarianceGamma",)

Fit = Callable[[str, Quotes], Mapping[str, float]]


def run(size: Size) -> Iterator[Section]:
    """Yield one table."""
    count = 6 if size.quick else size.surfaces
    section = Section(
        f"Calibration of {surface.contracts().size} exact quotes from the default start",
        (
            "model",
            "by",
            "surfaces",
            "median ms",
            "90% ms",
            "recovered %",
            "parameters too %",
            "median error / forward",
        ),
        note="recovered: each parameter within 0.1%, or every quote repriced to 1e-8 of forward",
    )
    for name in MODELS:
        truths = random_models.draw(name, count, seed=20260131)
        _measure(section, name, "levy", truths, _levy)
        if name in (QUICK_PEERS if size.quick else peers_stochastic_rs.MODELS):
            few = truths[:PEER_SURFACES]
            _measure(section, name, "stochastic-rs", few, peers_stochastic_rs.calibrate)
    yield section


def _levy(name: str, quotes: Quotes) -> Mapping[str, float]:
    return calibration.calibrate(models.get(name), quotes).parameters


def _measure(section: Section, name: str, by: str, truths: list[Model], fit: Fit) -> None:
    contracts = surface.contracts()
    milliseconds, errors, close = [], [], []
    for truth in truths:
        quotes = Quotes.of(contracts, pricing.price(truth, contracts).value)
        start = time.process_time()
        found = fit(name, quotes)
        milliseconds.append(1e3 * (time.process_time() - start))
        errors.append(_price_error(name, found, quotes))
        close.append(_same_parameters(truth.as_mapping(), found))
    recovered = [near or error <= SAME_PRICE for near, error in zip(close, errors, strict=True)]
    section.add(
        name,
        by,
        len(truths),
        statistics.median(milliseconds),
        float(np.quantile(milliseconds, 0.9)),
        100.0 * statistics.fmean(recovered),
        100.0 * statistics.fmean(close),
        statistics.median(errors),
    )


def _price_error(name: str, found: Mapping[str, float], quotes: Quotes) -> float:
    """Return the largest error over spot; infinite if the fitted parameters cannot be priced."""
    try:
        model = models.from_mapping(name, found)
        repriced = pricing.price(model, quotes.contracts).value
    except LevyError:
        return float("inf")
    return float(np.max(np.abs(repriced - quotes.price)) / surface.SPOT)


def _same_parameters(truth: Mapping[str, float], found: Mapping[str, float]) -> bool:
    return all(abs(found[k] - v) <= SAME_PARAMETER * abs(v) for k, v in truth.items())

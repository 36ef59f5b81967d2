"""The service reports drift of the surfaces that its networks read."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from levy_calibration.drift import Reference, inputs
from levy_calibration.handlers.drift_monitor import DriftMonitor
from levy_calibration.metrics import CalibrationMetrics
from levy_calibration.registry import Registry
from levy_calibration.settings import CalibrationSettings
from levy_numerics import calibration
from levy_numerics.calibration.hybrid import Fit, NetworkAttempt
from levy_numerics.calibration.local_fit import evaluate_at
from levy_numerics.market import Quotes
from levy_numerics.models import VarianceGamma
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.augmentation import SpreadNoise
from levy_surfaces.synthetic.layouts import listing
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import Box, sobol_targets

MODEL = "VarianceGamma"
BOX = Box.of(MODEL)
ATTEMPTS = (NetworkAttempt("mlp-1", "accepted"),)


def surfaces(targets: np.ndarray) -> list[tuple[Quotes, Fit]]:
    """Return exact surfaces of parameters at these coordinates, and their fits."""
    contracts, made = grid.grid_contracts(), BOX.model(targets)
    prices = SinhPricer(contracts, 1e-8).price(made).value
    found = []
    for k, price in enumerate(prices):
        quotes = Quotes.of(contracts, price)
        model = VarianceGamma(**{n: float(v) for n, v in made.select(k).as_mapping().items()})
        found.append((quotes, Fit(evaluate_at(quotes, model), "hybrid", attempts=ATTEMPTS)))
    return found


@pytest.fixture(scope="module")
def usual() -> list[tuple[Quotes, Fit]]:
    return surfaces(sobol_targets(len(BOX.axes), 256, seed=9))


@pytest.fixture(scope="module")
def volatile() -> list[tuple[Quotes, Fit]]:
    """Return surfaces from the most volatile tenth."""
    targets = sobol_targets(len(BOX.axes), 256, seed=9)
    targets[:, 0] = 0.9 + 0.1 * targets[:, 0]
    return surfaces(targets)


@pytest.fixture(scope="module")
def reference(usual: list[tuple[Quotes, Fit]]) -> Reference:
    seen = sobol_targets(len(BOX.axes), 1_024, seed=10)
    price = SinhPricer(grid.grid_contracts(), 1e-8).price(BOX.model(seen)).value
    every = PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price)
    parameters = {k: np.asarray(v) for k, v in BOX.model(seen).as_mapping().items()}
    return Reference.of({"atm_vol": inputs(every)[:, 0], **parameters})


def metric_values(metrics: CalibrationMetrics, name: str) -> dict[str, float]:
    """Return the values of a metric by quantity, parameter or bucket."""
    found = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            if sample.name == f"levy_calibration_{name}":
                labels = [v for k, v in sorted(sample.labels.items()) if k != "model"]
                found[" ".join(labels)] = sample.value
    return found


def watch(reference: Reference | None, **sizes: int) -> tuple[DriftMonitor, CalibrationMetrics]:
    metrics = CalibrationMetrics()
    chosen = {"window": 300, "fewest": 100, "at_once": 100_000} | sizes
    return DriftMonitor(lambda _: reference, metrics, **chosen), metrics


def observe(watching: DriftMonitor, seen: list[tuple[Quotes, Fit]]) -> None:
    for quotes, fit in seen:
        watching.observe(quotes, fit)


def test_surfaces_like_those_of_training_do_not_drift_and_others_do(
    usual: Any, volatile: Any, reference: Reference
) -> None:
    watching, metrics = watch(reference)
    observe(watching, usual)
    watching.refresh()
    assert metric_values(metrics, "drift_window") == {"": 256.0}
    small = metric_values(metrics, "drift_psi")
    assert set(small) == {"atm_vol", "sigma", "nu", "theta"}
    assert max(small.values()) < 0.1
    assert max(metric_values(metrics, "drift_ks").values()) < 0.1
    assert max(metric_values(metrics, "drift_outside").values()) < 0.02
    observe(watching, volatile)
    watching.refresh()
    assert metric_values(metrics, "drift_window") == {"": 300.0}
    assert metric_values(metrics, "drift_psi")["sigma"] > 1.0
    assert metric_values(metrics, "drift_ks")["atm_vol"] > 0.5
    observe(watching, usual)
    observe(watching, usual[:100])
    watching.refresh()
    assert max(metric_values(metrics, "drift_psi").values()) < 0.15


def test_the_oldest_surfaces_are_left_out_where_more_than_a_window_waits(
    usual: Any, volatile: Any, reference: Reference
) -> None:
    watching, metrics = watch(reference, window=128, at_once=128)
    observe(watching, volatile)
    observe(watching, usual[:128])
    watching.refresh()
    assert max(metric_values(metrics, "drift_psi").values()) < 0.2
    watching.refresh()
    assert metric_values(metrics, "parameter_place_count")["sigma"] == 128.0


def test_places_are_counted_once_for_each_fit(
    usual: Any, volatile: Any, reference: Reference
) -> None:
    watching, metrics = watch(reference)
    observe(watching, usual)
    watching.refresh()
    watching.refresh()
    assert metric_values(metrics, "parameter_place_count") == {
        name: float(len(usual)) for name in ("sigma", "nu", "theta")
    }
    buckets = metric_values(metrics, "parameter_place_bucket")
    assert buckets["0.5 sigma"] == pytest.approx(0.5 * len(usual), abs=0.03 * len(usual))
    observe(watching, volatile)
    watching.refresh()
    after = metric_values(metrics, "parameter_place_bucket")
    assert after["0.5 sigma"] == buckets["0.5 sigma"]


def test_drift_is_not_reported_for_few_surfaces(usual: Any, reference: Reference) -> None:
    watching, metrics = watch(reference)
    observe(watching, usual[:99])
    watching.refresh()
    assert metric_values(metrics, "drift_window") == {"": 99.0}
    assert metric_values(metrics, "drift_psi") == {}
    observe(watching, usual[99:100])
    watching.refresh()
    assert "atm_vol" in metric_values(metrics, "drift_psi")


def test_surfaces_that_no_network_read_are_not_monitored(usual: Any, reference: Reference) -> None:
    watching, metrics = watch(reference)
    quotes, fit = usual[0]
    watching.observe(quotes, Fit(fit.result, "least_squares"))
    each = calibration.calibrate_each_maturity(VarianceGamma, quotes, n_starts=1)
    watching.observe(quotes, Fit(each, "least_squares", attempts=ATTEMPTS))
    watching.refresh()
    assert metric_values(metrics, "drift_window") == {}


def test_a_fit_that_ended_in_no_numbers_has_no_place(usual: Any, reference: Reference) -> None:
    watching, metrics = watch(reference)
    quotes, fit = usual[0]
    assert isinstance(fit.result, calibration.CalibrationResult)
    lost = replace(fit.result, model=VarianceGamma(sigma=0.2, nu=np.nan, theta=np.nan))
    observe(watching, [*usual, (quotes, replace(fit, result=lost))])
    watching.refresh()
    assert metric_values(metrics, "drift_window") == {"": len(usual) + 1.0}
    places = metric_values(metrics, "parameter_place_count")
    assert (places["sigma"], places["nu"]) == (len(usual) + 1.0, float(len(usual)))
    assert max(metric_values(metrics, "drift_psi").values()) < 0.1


def test_a_new_champion_is_the_new_measure(usual: Any, reference: Reference) -> None:
    other = Reference.of({"sigma": reference.quantiles["sigma"] + 10.0})
    known: list[Reference | None] = [reference]
    metrics = CalibrationMetrics()
    watching = DriftMonitor(lambda _: known[-1], metrics, 300, 100, 300)
    observe(watching, usual)
    watching.refresh()
    known.append(other)
    watching.refresh()
    after = metric_values(metrics, "drift_psi")
    assert after["sigma"] > 5.0
    assert np.isnan(after["nu"])
    known.append(None)
    watching.refresh()
    assert all(np.isnan(value) for value in metric_values(metrics, "drift_psi").values())
    known.append(reference)
    watching.refresh()
    assert max(metric_values(metrics, "drift_psi").values()) < 0.1


def test_no_surface_is_lost_between_threads(usual: Any, reference: Reference) -> None:
    watching, metrics = watch(reference, window=100_000)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(observe, watching, usual) for _ in range(8)]
        jobs += [pool.submit(watching.refresh) for _ in range(20)]
        for job in jobs:
            job.result()
    watching.refresh()
    assert metric_values(metrics, "drift_window") == {"": 8.0 * len(usual)}


def test_a_queue_that_is_not_emptied_is_limited_to_the_window(
    usual: Any, reference: Reference
) -> None:
    watching, metrics = watch(reference, window=120)
    observe(watching, usual)
    watching.refresh()
    assert metric_values(metrics, "drift_window") == {"": 120.0}


def test_a_burst_is_described_little_by_little(usual: Any, reference: Reference) -> None:
    watching, metrics = watch(reference, at_once=100)
    observe(watching, usual)
    for described in (100.0, 200.0, 256.0, 256.0):
        watching.refresh()
        assert metric_values(metrics, "drift_window") == {"": described}


def test_listings_drawn_as_in_training_are_near_the_champion_of_the_engine() -> None:
    """Data like those of training: real listings with spreads, from another seed."""
    champion = Registry.open().champion(MODEL)
    assert champion is not None
    assert champion.reference is not None
    rng = np.random.default_rng(11)
    made = BOX.model(sobol_targets(len(BOX.axes), 256, seed=12))
    found = []
    for k in range(256):
        contracts = listing(77, k)
        price = SinhPricer(contracts, 1e-8).price(made.select(k)).value
        exact = PricedSurfaces.of_grid(
            -contracts.log_moneyness, contracts.maturity_years, np.atleast_2d(price)
        )
        found.append(inputs(SpreadNoise()(exact, rng))[0])
    level = np.array(found)[:, 0]
    quantiles = champion.reference.quantiles["atm_vol"]
    places = champion.reference.cdf("atm_vol", level)
    assert abs(places.mean() - 0.5) < 0.1
    assert np.mean((level < quantiles[0]) | (level > quantiles[-1])) < 0.02


def test_a_window_below_the_minimum_is_rejected() -> None:
    assert CalibrationSettings(drift_window=50, drift_fewest=50).drift_window == 50
    with pytest.raises(ValidationError, match="drift_fewest = 200 must be ≤ drift_window = 100"):
        CalibrationSettings(drift_window=100)

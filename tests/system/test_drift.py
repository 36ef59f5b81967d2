"""The calibration service with several workers: drift reports, rejected networks."""

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from levy_calibration.registry import PACKAGED, Registry
from levy_calibration.registry.artifact import SERVED
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic.grid import LOG_STRIKES, MATURITY_YEARS, otm_contracts
from levy_surfaces.synthetic.ranges import Box
from tests.processes import Service, Stack

pytestmark = pytest.mark.system

MODEL = "VarianceGamma"
WORKERS = 2
FEWEST = 250
"""Minimum number of surfaces: nine in 10¹⁰ samples of training have a PSI over 0.25."""
WINDOW = 400
SECONDS = 300.0
FORWARD = 100.0
CONTRACTS = otm_contracts(
    np.tile(LOG_STRIKES[1::3], 4), np.repeat(MATURITY_YEARS[[1, 3, 5, 8]], LOG_STRIKES[1::3].size)
)
"""A part of the standard grid."""


@pytest.fixture
def stack() -> Iterator[Stack]:
    with Stack() as made:
        yield made


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Copy the bundled networks of Variance Gamma to a folder that tests may change."""
    shutil.copytree(PACKAGED / MODEL, tmp_path / "networks" / MODEL)
    return Registry.open(tmp_path / "networks")


@pytest.fixture
def calibration(stack: Stack, registry: Registry, tmp_path: Path) -> Service:
    settings = {
        "WORKERS": str(WORKERS),
        "REGISTRY": str(registry.root),
        "DRIFT_WINDOW": str(WINDOW),
        "DRIFT_FEWEST": str(FEWEST),
    }
    log = tmp_path / "log"
    made = stack.service("calibration", settings=settings, log=log)
    deadline = time.monotonic() + SECONDS
    while log.read_text().count("service.ready") < WORKERS:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return made


def surfaces(move: Callable[[Model], Model] = lambda model: model) -> Iterator[dict[str, Any]]:
    """Return requests with exact prices of parameters drawn as for training, then shifted."""
    rng, box = np.random.default_rng(3), Box.of(MODEL)
    pricer = SinhPricer(CONTRACTS, 1e-9)
    while True:
        models = move(box.model(rng.random((64, len(box.axes)))))
        for prices in pricer.price(models).value:
            yield request(prices)


def request(prices: np.ndarray) -> dict[str, Any]:
    """Return a request with prices in forward units; prices below 1e-6 are not quoted."""
    columns = (CONTRACTS.strike, CONTRACTS.maturity_years, CONTRACTS.is_call, prices)
    return {
        "model_type": MODEL,
        "uncertainty": "none",
        "forwards": [
            {"maturity": float(years), "forward": FORWARD, "discount": 1.0}
            for years in np.unique(CONTRACTS.maturity_years)
        ],
        "quotes": [
            {
                "strike": FORWARD * float(strike),
                "maturity": float(years),
                "option_type": "call" if is_call else "put",
                "price": FORWARD * float(price),
            }
            for strike, years, is_call, price in zip(*columns, strict=True)
            if price > 1e-6
        ],
    }


def beyond_training(model: Model) -> Model:
    """Return the same tails at volatilities around 160%; training ends at 120%."""
    log_variance, *tails = np.asarray(model.to_coordinates())
    return type(model).from_coordinates(np.array([2 * np.log(1.6) + 0.1 * log_variance, *tails]))


def ask(service: Service, surface: dict[str, Any]) -> dict[str, Any]:
    """Use one connection per request, so that all workers receive requests."""
    # Certificates, which plain HTTP does not need, would be read for each connection.
    options: dict[str, Any] = {"timeout": 35.0, "trust_env": False, "verify": False}
    answer = httpx.post(f"{service.url}/calibrate", json=surface, **options)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def metric_values(service: Service, name: str) -> dict[str, float]:
    """Return the values of a metric of the model by quantity."""
    text = httpx.get(f"{service.url}/metrics", timeout=35.0, trust_env=False).text
    return {
        sample.labels.get("quantity", ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"levy_calibration_{name}" and sample.labels.get("model") == MODEL
    }


def send(service: Service, requests: Iterator[dict[str, Any]], until: Callable[[], bool]) -> None:
    """Send surfaces until a condition holds."""
    deadline = time.monotonic() + SECONDS
    with ThreadPoolExecutor(2 * WORKERS) as pool:
        while not until():
            assert time.monotonic() < deadline, metric_values(service, "drift_window")
            list(pool.map(lambda surface: ask(service, surface), islice(requests, 50)))


def test_surfaces_outside_training_are_reported(calibration: Service) -> None:
    watched = ("atm_vol", "sigma", "nu", "theta")
    send(calibration, surfaces(), lambda: "sigma" in metric_values(calibration, "drift_psi"))
    usual, outside = (
        metric_values(calibration, "drift_psi"),
        metric_values(calibration, "drift_outside"),
    )
    assert max(usual[name] for name in watched) < 0.25
    assert max(outside[name] for name in watched) < 0.05
    assert max(metric_values(calibration, "drift_ks")[name] for name in watched) < 0.2
    assert metric_values(calibration, "drift_window")[""] >= FEWEST

    def has_drifted() -> bool:
        now = metric_values(calibration, "drift_psi")
        return min(now["atm_vol"], now["sigma"]) > 1.0

    send(calibration, surfaces(beyond_training), has_drifted)
    outside = metric_values(calibration, "drift_outside")
    assert min(outside["atm_vol"], outside["sigma"]) > 0.2


def test_a_corrupt_network_is_rejected_and_the_previous_one_stays_in_use(
    calibration: Service, registry: Registry
) -> None:
    (surface,) = islice(surfaces(), 1)
    former = registry.aliases(MODEL).champion
    assert ask(calibration, surface)["model_version"] == former
    # Valid at its promotion, damaged before a worker has loaded it.
    registry.promote(MODEL, "resnet")
    promoted = registry.artifact(MODEL, "resnet")
    whole = (promoted.folder / SERVED).read_bytes()
    (promoted.folder / SERVED).write_bytes(whole[:-1] + b"?")
    answers = [ask(calibration, surface) for _ in range(20)]
    assert {answer["model_version"] for answer in answers} == {former}
    assert not any(answer["degraded"] for answer in answers)
    assert metric_values(calibration, "network_refused") == {"": 1.0}
    assert calibration.log is not None
    assert "network.refused" in calibration.log.read_text()
    registry.rollback(MODEL)
    assert ask(calibration, surface)["model_version"] == former
    registry.promote(MODEL, "ensemble")
    assert ask(calibration, surface)["model_version"] == registry.aliases(MODEL).champion

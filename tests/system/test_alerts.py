"""Alerts fire and resolve in a real Prometheus: stopped services, drifted surfaces."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import Service, Stack
from tests.system.prometheus import RULES, Prometheus, needs_prometheus
from tests.system.test_drift import MODEL, beyond_training, surfaces

pytestmark = pytest.mark.system

SECONDS = 240.0
WINDOW = 220
"""Minimum number of surfaces for drift in this test; the alert requires 200."""


@dataclass
class Watched:
    """Services and the Prometheus that scrapes them."""

    pricing: Service
    calibration: Service
    prometheus: Prometheus

    def send(self, requests: Iterator[dict[str, Any]], number: int) -> None:
        """Fit some surfaces in batches."""
        with httpx.Client(base_url=self.calibration.url, timeout=120.0, trust_env=False) as client:
            for start in range(0, number, 20):
                batch = list(islice(requests, min(20, number - start)))
                answer = client.post("/calibrate", json={"surfaces": batch})
                assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    needs_prometheus()
    folder = tmp_path_factory.mktemp("alerts")
    with Stack() as stack:
        pricing = stack.service("pricing")
        calibration = stack.service(
            "calibration", settings={"DRIFT_WINDOW": str(WINDOW), "DRIFT_FEWEST": "200"}
        )
        gateway = stack.service(
            "gateway", settings={"PRICING_URL": pricing.url, "CALIBRATION_URL": calibration.url}
        )
        prometheus = Prometheus(folder, [pricing, calibration, gateway], impatient(folder))
        stack.callback(prometheus.kill)
        prometheus.wait_until_ready()
        made = Watched(pricing, calibration, prometheus)
        yield made
        made.pricing.kill()


def impatient(folder: Path) -> Path:
    """Copy the rules with a `for` of one second; thresholds are unchanged."""
    made = folder / "rules"
    made.mkdir()
    for file in RULES.glob("*.yml"):
        (made / file.name).write_text(re.sub(r"\bfor: \w+", "for: 1s", file.read_text()))
    return made


def eventually(condition: Callable[[], bool]) -> bool:
    """Return whether something becomes true."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


def test_a_stopped_service_fires_the_alert_until_it_is_back(watched: Watched) -> None:
    def down() -> bool:
        return watched.prometheus.fires("LevyServiceDown", job="pricing")

    assert eventually(lambda: len(watched.prometheus.query("up == 1")) == 3)
    # Before the first scrape of a service, Prometheus considers it absent.
    assert eventually(lambda: not down())
    watched.pricing.kill()
    assert eventually(down)
    assert not watched.prometheus.fires("LevyServiceDown", job="calibration")
    watched.pricing = Service("pricing", port=watched.pricing.port).wait_until_ready()
    assert eventually(lambda: not down())


def test_drift_is_reported_until_usual_surfaces_return(watched: Watched) -> None:
    def drift() -> bool:
        return watched.prometheus.fires("LevyDrift", model=MODEL, quantity="atm_vol")

    watched.send(surfaces(), WINDOW)
    window = f'levy_calibration_drift_window{{model="{MODEL}"}} >= {WINDOW}'
    assert eventually(lambda: watched.prometheus.found(window))
    assert not drift()
    watched.send(surfaces(beyond_training), WINDOW)
    assert eventually(drift)
    watched.send(surfaces(), WINDOW)
    assert eventually(lambda: not drift())

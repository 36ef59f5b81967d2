"""Every query of every dashboard returns data after the engine has handled requests."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from levy_gateway.keys import digest_of, new_key
from tests.deploy.panels import queries
from tests.deploy.rules import sources
from tests.processes import Stack
from tests.system.prometheus import Prometheus, needs_prometheus

pytestmark = pytest.mark.system

SECONDS = 400
"""Rates need two scrapes, recorded ones two more evaluations; the rest is a safety margin."""

JOB_SECONDS = 300
"""Time limit, including compilation."""

WITHOUT_CHAINS = {"engine": "laplace-psis"}
WITH_CHAINS = {
    "engine": "numpyro-nuts",
    "num_chains": 2,
    "num_samples": 100,
    "num_warmup": 100,
}
SURFACE: dict[str, Any] = {
    "model_type": "VarianceGamma",
    "spot_price": 100,
    "risk_free_rate": 0.05,
    "strikes": [90, 95, 100, 105, 110],
    "maturities": [0.25, 0.5, 1],
    "prices": [
        [12.09, 7.96, 4.44, 1.98, 0.88],
        [13.97, 10.19, 6.94, 4.36, 2.55],
        [17.24, 13.80, 10.75, 8.15, 6.00],
    ],
}
WORTHLESS = [[12.09, 7.96, 4.44, 1.98, 900.0], *SURFACE["prices"][1:]]
TO_PRICE: dict[str, Any] = {
    "model_type": "VarianceGamma",
    "parameters": {"sigma": 0.2, "nu": 0.3, "theta": -0.15},
    "spot_price": 100,
    "risk_free_rate": 0.05,
    "strikes": [90, 100, 110],
    "maturities": [0.5],
}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("/price", TO_PRICE),
    ("/calibrate", SURFACE),
    ("/calibrate", SURFACE | {"uncertainty": "psis", "spot_price": 100.01}),
    ("/calibrate", SURFACE | {"prices": WORTHLESS}),
    ("/calibrate", SURFACE | {"model_type": "CGMY"}),
    ("/calibrate", SURFACE | {"model_type": "NIG"}),
]


class Watched:
    """Real services and a real Prometheus.

    Parameters
    ----------
    stack : Stack
    folder : Path
        Folder of Prometheus' data.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.key = new_key()
        self.redis = stack.redis(folder)
        pricing = stack.service("pricing")
        calibration = stack.service(
            "calibration", settings={"CHALLENGER_SHARE": "0.5", "DRIFT_FEWEST": "10"}
        )
        self.gateway = stack.service(
            "gateway",
            settings={
                "PRICING_URL": pricing.url,
                "CALIBRATION_URL": calibration.url,
                "REDIS_URL": self.redis.url,
                "API_KEYS": json.dumps({"desk": digest_of(self.key)}),
                "RATE_LIMIT": "100000/minute",
            },
        )
        worker = stack.service(
            "bayesian",
            settings={"REDIS_URL": self.redis.url, "COMPILED": str(folder / "compiled")},
            log=folder / "worker.log",
        )
        self.prometheus = Prometheus(folder, [pricing, calibration, self.gateway, worker])
        stack.callback(self.prometheus.kill)

    def work(self) -> None:
        """Send every kind of request, and one without an API key."""
        with httpx.Client(base_url=self.gateway.url, timeout=35.0, trust_env=False) as client:
            assert client.post("/price", json=TO_PRICE).status_code == 401
            for path, body in ASKED:
                # With and without the cache; drift requires surfaces that were fitted.
                for control in ("max-age=60", *(4 * ["no-cache"])):
                    headers = {"X-API-Key": self.key, "Cache-Control": control}
                    answer = client.post(path, json=body, headers=headers)
                    assert answer.status_code == 200, answer.text

    def sample(self) -> None:
        """Sample every kind of posterior that the panels show: with chains, and without."""
        url, headers = f"{self.gateway.url}/calibrate/bayesian", {"X-API-Key": self.key}
        with httpx.Client(timeout=35.0, headers=headers, trust_env=False) as client:
            for how in (WITHOUT_CHAINS, WITH_CHAINS):
                accepted = client.post(url, json=SURFACE | how)
                assert accepted.status_code == 202, accepted.text
                place = f"{url}/{accepted.json()['job_id']}"
                deadline = time.monotonic() + JOB_SECONDS
                while (found := client.get(place).json())["status"] in {"queued", "running"}:
                    assert time.monotonic() < deadline, found
                    time.sleep(0.5)
                assert found["status"] == "succeeded", found


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    needs_prometheus()
    with Stack() as stack:
        made = Watched(stack, tmp_path_factory.mktemp("watched"))
        made.prometheus.wait_until_ready()
        yield made


def test_every_panel_finds_data(watched: Watched) -> None:
    """Include queries that return data only while Redis is unavailable, as at the end."""
    missing = {name: query for name, query in queries().items() if not _of_the_exporter(query)}
    away = {name: missing.pop(name) for name, query in queries().items() if _of_trouble(query)}
    assert len(missing) > 30
    assert away

    def everything() -> None:
        watched.work()
        watched.sample()

    assert _not_found(watched, missing, everything) == {}
    watched.redis.kill()
    assert _not_found(watched, away, watched.work) == {}


def _not_found(
    watched: Watched, wanted: dict[str, str], work: Callable[[], None]
) -> dict[str, str]:
    """Return the queries without data, after repeated requests.

    A counter that appears with its first event has no rate until the next event, and on a busy
    machine, with late scrapes, two events may look like one.
    """
    deadline = time.monotonic() + SECONDS
    missing = wanted
    while missing and time.monotonic() < deadline:
        work()
        time.sleep(3)
        missing = {
            name: each for name, each in missing.items() if not watched.prometheus.found(each)
        }
    return missing


def _of_the_exporter(expression: str) -> bool:
    """Return whether the query uses metrics of the Redis exporter, which does not run here."""
    return any(name.startswith("redis_") for name in sources(expression))


def _of_trouble(expression: str) -> bool:
    return "levy_gateway_redis_failures_total" in sources(expression)

"""Every query of every dashboard finds data in a Prometheus that has watched the engine work."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from levy_gateway.keys import digest_of, new_key
from tests.deploy.panels import queries
from tests.deploy.rules import AWAITED, sources
from tests.processes import Stack
from tests.system.prometheus import Prometheus, needs_prometheus

pytestmark = pytest.mark.system

SECONDS = 120
"""Rates need two scrapes, recorded ones two evaluations more; the rest is for a busy machine."""

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
    """Real services, and a real Prometheus beside them.

    Parameters
    ----------
    stack : Stack
    folder : Path
        Where Prometheus keeps what it saw.
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
        self.prometheus = Prometheus(folder, [pricing, calibration, self.gateway])
        stack.callback(self.prometheus.kill)

    def work(self) -> None:
        """Ask everything once, and once without a key."""
        with httpx.Client(base_url=self.gateway.url, timeout=35.0, trust_env=False) as client:
            assert client.post("/price", json=TO_PRICE).status_code == 401
            for path, body in ASKED:
                answer = client.post(path, json=body, headers={"X-API-Key": self.key})
                assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    needs_prometheus()
    with Stack() as stack:
        made = Watched(stack, tmp_path_factory.mktemp("watched"))
        made.prometheus.wait_until_ready()
        yield made


def test_every_panel_finds_data(watched: Watched) -> None:
    """Also those that only show something while Redis is away, which it is from then on."""
    missing = {name: asked for name, asked in queries().items() if _can_be_answered(asked)}
    assert len(missing) > 20
    give_up = time.monotonic() + SECONDS
    watched.work()
    time.sleep(3)
    watched.work()
    watched.redis.kill()
    while missing and time.monotonic() < give_up:
        watched.work()
        time.sleep(1)
        missing = {
            name: asked for name, asked in missing.items() if not watched.prometheus.found(asked)
        }
    assert missing == {}


def _can_be_answered(expression: str) -> bool:
    """The exporter of Redis is part of the composed stack, and not of this one."""
    asked = sources(expression)
    return asked.isdisjoint(AWAITED) and not any(name.startswith("redis_") for name in asked)

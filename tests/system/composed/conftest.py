"""Fixtures: the Compose stack that `deploy/system` has started; see `make system`."""

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[3]
SERVICES = ("gateway", "pricing", "calibration", "bayesian")

SURFACE: dict[str, Any] = {
    "model_type": "VarianceGamma",
    "spot_price": 100,
    "risk_free_rate": 0.05,
    "dividend_yield": 0,
    "strikes": [90, 95, 100, 105, 110],
    "maturities": [0.25, 0.5, 1],
    "prices": [
        [12.09, 7.96, 4.44, 1.98, 0.88],
        [13.97, 10.19, 6.94, 4.36, 2.55],
        [17.24, 13.80, 10.75, 8.15, 6.00],
    ],
}
"""Prices of σ = 0.2, ν = 0.3, θ = −0.15, rounded to cents."""

TO_PRICE: dict[str, Any] = {
    "model_type": "VarianceGamma",
    "parameters": {"sigma": 0.2, "nu": 0.3, "theta": -0.15},
    "spot_price": 100,
    "risk_free_rate": 0.05,
    "strikes": [90, 100, 110],
    "maturities": [0.5],
}

TO_SAMPLE: dict[str, Any] = SURFACE | {"engine": "laplace-psis"}
"""A posterior that takes a second once compiled."""


class Stack:
    """Containers behind one public port.

    Parameters
    ----------
    url, prometheus : str
        URLs of the gateway and of Prometheus on the host.
    services : list of str
        Running services of the engine.
    compose : list of str
        Command that runs Compose on this stack.
    """

    def __init__(self, url: str, prometheus: str, services: list[str], compose: list[str]) -> None:
        self.url = url
        self.prometheus = prometheus
        self.services = services
        self._compose = compose
        self.client = httpx.Client(base_url=url, timeout=35, trust_env=False)

    def compose(self, *words: str) -> str:
        """Run Compose and return its output."""
        done = subprocess.run(
            [*self._compose, *words], capture_output=True, text=True, check=True, cwd=ROOT
        )
        return done.stdout

    def inside(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a service's container."""
        return subprocess.run(
            [*self._compose, "exec", "-T", service, *command],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )

    def wait_until_healthy(self, seconds: float = 90) -> float:
        """Wait until `/health` is healthy and return the seconds."""
        return self.wait(self._healthy, seconds)

    def _healthy(self) -> bool:
        try:
            return bool(self.client.get("/health").json()["status"] == "healthy")
        except (httpx.TransportError, ValueError):
            return False

    def ended(self, job_id: str) -> str | None:
        """Return the final status of a job; None while it runs or is unknown."""
        try:
            answer = self.client.get(f"/calibrate/bayesian/{job_id}")
        except httpx.TransportError:
            return None
        status = answer.json().get("status")
        return status if status in {"succeeded", "failed", "cancelled"} else None

    def wait(self, true: Callable[[], bool], seconds: float) -> float:
        """Wait until a condition is true and return the seconds."""
        started = time.monotonic()
        while not true():
            assert time.monotonic() - started < seconds, f"not within {seconds} s"
            time.sleep(0.1)
        return time.monotonic() - started

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Run an instant query in Prometheus."""
        answer = httpx.get(
            f"{self.prometheus}/api/v1/query", params={"query": expression}, trust_env=False
        )
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Addresses of the containers, from the environment that `deploy/system` sets."""
    if "LEVY_STACK_URL" not in os.environ:
        pytest.skip("no composed stack runs here: make system builds, starts and tests one")
    running = Stack(
        os.environ["LEVY_STACK_URL"],
        os.environ["LEVY_STACK_PROMETHEUS"],
        os.environ["LEVY_STACK_SERVICES"].split(),
        shlex.split(os.environ["LEVY_STACK_COMPOSE"]),
    )
    running.wait_until_healthy()
    yield running
    running.client.close()

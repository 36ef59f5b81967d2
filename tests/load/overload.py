"""Overload and fairness: `make overload`, or `--help` for the options.

Surfaces of 200 quotes with errors are sent to the real gateway and calibration service on this
machine: more per second than they can fit, and by several callers at once. The load generator runs
on the same cores.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvloop
from rich.console import Console

from levy_gateway.keys import digest_of
from tests.benchmarks import report
from tests.load import closed_loop
from tests.load.__main__ import Workload, bodies
from tests.load.open_loop import Responses, open_loop
from tests.load.open_loop import closed_loop as callers
from tests.processes import Service, Stack

KEYS: Final = ("polite", "other")
OVERLOAD: Final = (1.5, 3.0)
COLUMNS: Final = (
    *("case", "goodput_per_s", "of_capacity", "p50_ms", "p99_ms", "of_p99_alone"),
    *("refused_p50_ms", "refused_p99_ms", "fit_cores", "other_cores", "statuses", "mib"),
)
"""`goodput` and percentiles are of requests with a result; cores are processor seconds a second, of
the calibration services, and of the gateway with this load generator."""


@dataclass(frozen=True)
class Case:
    """Responses, and processor seconds a second of fits and of all other processes."""

    responses: Responses
    fit_cores: float
    other_cores: float

    def p99(self) -> float:
        """Return the 99th percentile of the latencies of results, in seconds."""
        return float(np.percentile(self.responses.latencies(accepted=True), 99))


def start(stack: Stack, instances: int) -> tuple[Service, ...]:
    """Start a gateway with two API keys, and calibration services."""
    calibrations = [stack.service("calibration") for _ in range(instances)]
    keys = json.dumps({name: digest_of(name) for name in KEYS})
    addresses = ",".join(calibration.url for calibration in calibrations)
    settings = {"CALIBRATION_URL": addresses, "API_KEYS": keys}
    return stack.service("gateway", settings=settings), *calibrations


def request_of(path: str, body: bytes, port: int, key: str) -> bytes:
    """Return the bytes of a request that bypasses the cache."""
    return closed_loop.request_of(
        path, body, port, ("Cache-Control: no-store", f"X-API-Key: {key}")
    )


class Measurement:
    """Runs cases and collects their rows."""

    def __init__(self, services: tuple[Service, ...], seconds: float) -> None:
        self.seconds = seconds
        self._services = services
        gateway, *_ = services
        self._port = gateway.port
        made = bodies(Workload())
        self.polite, self.other = (
            [request_of("/calibrate", body, gateway.port, key) for body in made] for key in KEYS
        )
        compared = json.loads(made[0]) | {"models": ["VarianceGamma", "CGMY", "Kou", "NIGCIR"]}
        for field in ("model_type", "method", "uncertainty"):
            del compared[field]
        self.compare = [
            request_of("/compare", json.dumps(compared).encode(), gateway.port, "other")
        ]
        self.section = report.Section("Overload and fairness", COLUMNS)
        self.capacity = 0.0
        self.p99_alone = 0.0

    def run(self) -> None:
        """Run every case."""
        uvloop.run(self._load(self.other, 10.0))  # warm-up
        before = self._measured_capacity()
        alone = self._measured(open_loop(self._port, self.other, 0.3 * before, self.seconds))
        self.p99_alone = alone.p99()
        self._add("open loop, 0.3 of capacity", alone)
        for factor in OVERLOAD:
            rate = factor * before
            found = self._measured(open_loop(self._port, self.other, rate, self.seconds))
            recovery = self._recovery_seconds()
            after = self._measured_capacity()
            # Other programs on the machine change its capacity from minute to minute.
            self.capacity = 0.5 * (before + after)
            self._add(f"open loop, {factor:g} of capacity", found)
            self.section.add(f"recovery after {factor:g}, {recovery:.2f} s", *[np.nan] * 9, "", "")
            before = after
        self._fairness()

    def _measured_capacity(self) -> float:
        """Return the results per second of a closed loop, and add its row."""
        found = self._measured(self._load(self.other, self.seconds))
        self.capacity = found.responses.count().get(200, 0) / self.seconds
        self._add("capacity: 4 connections", found)
        return self.capacity

    def _fairness(self) -> None:
        alone = self._measured(self._polite())
        self.p99_alone = alone.p99()
        self._add("polite caller alone", alone)
        for name, requests, connections in (
            ("64 connections of another", self.other, 64),
            ("6 comparisons of another", self.compare, 6),
        ):
            other = self._load(requests, self.seconds, connections)
            polite = self._measured(_first(self._polite(), other))
            self._add(f"polite caller beside {name}", polite)

    def _measured(self, work: Coroutine[Any, Any, Responses]) -> Case:
        """Return the responses of a case, and the processor time that it takes."""
        before, began = self._cpu_seconds(), time.perf_counter()
        found = uvloop.run(work)
        seconds = time.perf_counter() - began
        fits, others = (a - b for a, b in zip(self._cpu_seconds(), before, strict=True))
        return Case(found, fits / seconds, others / seconds)

    def _cpu_seconds(self) -> tuple[float, float]:
        gateway, *calibrations = self._services
        fits = sum(service.cpu_seconds() for service in calibrations)
        return fits, gateway.cpu_seconds() + time.process_time()

    async def _polite(self) -> Responses:
        return await callers(self._port, self.polite, 1, self.seconds, pause=0.05)

    async def _load(self, requests: list[bytes], seconds: float, connections: int = 4) -> Responses:
        return await callers(self._port, requests, connections, seconds)

    def _add(self, name: str, case: Case) -> None:
        found = case.responses
        accepted, refused = found.latencies(accepted=True), found.latencies(accepted=False)
        goodput = accepted.size / self.seconds
        p50, p99 = 1e3 * np.percentile(accepted, (50, 99)) if accepted.size else (np.nan, np.nan)
        slow = 1e3 * np.percentile(refused, (50, 99)) if refused.size else (np.nan, np.nan)
        self.section.add(
            name,
            goodput,
            goodput / self.capacity,
            p50,
            p99,
            p99 / (1e3 * self.p99_alone) if self.p99_alone else np.nan,
            *slow,
            case.fit_cores,
            case.other_cores,
            ", ".join(f"{n}×{status}" for status, n in sorted(found.count().items())),
            round(sum(service.resident_mib() for service in self._services)),
        )

    def _recovery_seconds(self) -> float:
        """Return the time until a request takes at most twice the unloaded 99th percentile."""
        ended = time.perf_counter()
        while True:
            found = uvloop.run(self._load(self.other, 0.001, 1))
            if found.statuses == [200] and found.seconds[0] <= 2.0 * self.p99_alone:
                return time.perf_counter() - ended


async def _first(
    first: Coroutine[Any, Any, Responses], second: Coroutine[Any, Any, Responses]
) -> Responses:
    """Run both at once, and return the responses of the first."""
    return (await asyncio.gather(first, second))[0]


def main() -> None:
    """Measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="per case")
    parser.add_argument(
        "--instances", type=int, default=os.cpu_count(), help="number of calibration services"
    )
    parser.add_argument("--out", type=Path, default=Path("build/overload.json"))
    arguments = parser.parse_args()
    with Stack() as stack:
        services = start(stack, arguments.instances)
        measurement = Measurement(services, arguments.seconds)
        measurement.run()
    measurement.section.show(Console(width=180))
    report.write([measurement.section], arguments.out, ("aiohttp", "fastapi", "uvicorn"))


if __name__ == "__main__":
    main()
